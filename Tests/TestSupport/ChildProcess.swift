public import Foundation
import Glibc
import Synchronization

/// A program of this package run as a child: its output is collected, it is signalled by the id
/// that this object started, and killed when the object goes.
public final class ChildProcess: Sendable {
  public enum Stream: Sendable {
    case output
    case error
  }

  public enum Exit: Sendable, Equatable {
    case status(Int32)
    case signal(Int32)
  }

  private let process: Process
  private let output = CollectedOutput()
  private let error = CollectedOutput()
  private let end = Mutex<Exit?>(nil)

  /// Starts a program.
  ///
  /// - Parameters:
  ///   - executable: a product of this package by its name, or a path with a slash.
  ///   - environment: added to the test's own environment.
  ///   - inputFile: what it reads; nothing by default.
  ///   - terminal: the terminal that it runs on, where its input comes from and its output, errors
  ///     included, goes.
  public init(
    _ executable: String, arguments: [String] = [], environment: [String: String] = [:],
    currentFolder: URL? = nil, inputFile: String? = nil, terminal: PseudoTerminal? = nil
  ) throws {
    process = Process()
    let program =
      executable.contains("/") ? URL(filePath: executable) : try Self.builtProduct(executable)
    process.executableURL = program
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.currentDirectoryURL = currentFolder
    process.standardInput =
      try inputFile.map { try FileHandle(forReadingFrom: URL(filePath: $0)) }
      ?? FileHandle.nullDevice
    process.terminationHandler = { [weak self] process in
      let reason = process.terminationReason
      let status = process.terminationStatus
      self?.end.withLock { $0 = reason == .exit ? .status(status) : .signal(status) }
    }
    if let terminal {
      // A session of its own, so that the terminal is the one that Ctrl-C and SIGWINCH come from.
      process.executableURL = URL(filePath: "/usr/bin/setsid")
      process.arguments = ["--ctty", "--wait", program.path] + arguments
      let side = try terminal.programSide()
      (process.standardInput, process.standardOutput, process.standardError) = (side, side, side)
      try Self.spawning.withLock { _ in try Self.withSignalsAsInATerminal { try process.run() } }
      try output.collect(terminal.handOver())
      error.finish()
      return
    }
    try Self.spawning.withLock { _ in
      let outputPipe = Pipe()
      let errorPipe = Pipe()
      process.standardOutput = outputPipe
      process.standardError = errorPipe
      try Self.withSignalsAsInATerminal { try process.run() }
      output.collect(outputPipe.fileHandleForReading)
      error.collect(errorPipe.fileHandleForReading)
    }
  }

  /// One at a time: Foundation lists what a child must not inherit and starts it then, so that one
  /// that is started meanwhile would keep this one's pipes open, whose end would never be seen.
  private static let spawning = Mutex(())

  deinit {
    if process.isRunning { Glibc.kill(process.processIdentifier, SIGKILL) }
  }

  /// The threads of the concurrency pool block signals, a script's background job ignores SIGINT, and
  /// a child inherits both; one that never sees SIGTERM or Ctrl-C is not the program as users run it.
  private static func withSignalsAsInATerminal<Failure>(
    _ body: () throws(Failure) -> Void
  ) throws(Failure) {
    var none = sigset_t()
    var former = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, &former)
    let formerInterrupt = Glibc.signal(SIGINT, SIG_DFL)
    defer {
      Glibc.signal(SIGINT, formerInterrupt)
      pthread_sigmask(SIG_SETMASK, &former, nil)
    }
    try body()
  }

  /// Where SwiftPM put a product of this package: beside the test bundle.
  public static func builtProduct(_ name: String) throws -> URL {
    let bundle = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    let product = bundle.deletingLastPathComponent().appending(path: name)
    guard FileManager.default.isExecutableFile(atPath: product.path) else {
      throw TimeoutError(description: "\(product.path) is not built: run swift build first")
    }
    return product
  }

  public var processID: Int32 { process.processIdentifier }

  /// nil while the process runs.
  public var exit: Exit? { end.withLock { $0 } }

  /// What was written so far, at most the last 4 MiB.
  public func text(of stream: Stream) -> String {
    stream == .output ? output.text : error.text
  }

  /// Sends a signal, unless the process has ended.
  public func signal(_ signal: Int32) {
    if process.isRunning { Glibc.kill(process.processIdentifier, signal) }
  }

  /// The first line that contains the text.
  ///
  /// - Throws: ``TimeoutError`` with what the process wrote, when the line does not come in time or
  ///   the process ends without it.
  @discardableResult
  public func line(
    containing text: String, on stream: Stream = .output, timeout: Duration = .seconds(30)
  ) async throws -> String {
    let deadline = ContinuousClock.now + timeout
    while true {
      let ended = exit != nil
      for line in self.text(of: stream).split(separator: "\n") where line.contains(text) {
        return String(line)
      }
      guard !ended, ContinuousClock.now < deadline else { break }
      try await Task.sleep(for: .milliseconds(5))
    }
    throw TimeoutError(
      description: """
        no line with "\(text)" (exit: \(exit.map { "\($0)" } ?? "still running"))
        output: \(self.text(of: .output).suffix(2_000))
        error: \(self.text(of: .error).suffix(2_000))
        """)
  }

  /// Waits for the end, and for the last of the output.
  public func waitForExit(timeout: Duration = .seconds(30)) async throws -> Exit {
    try await eventually("the end of process \(processID)", timeout: timeout) {
      exit != nil && output.isComplete && error.isComplete
    }
    guard let exit else { throw TimeoutError(description: "process \(processID) has no status") }
    return exit
  }
}

/// The bounded tail of what a pipe delivered.
private final class CollectedOutput: Sendable {
  private static let bytesMax = 4 << 20

  private let state = Mutex<(bytes: Data, isComplete: Bool)>((Data(), false))

  var text: String { state.withLock { String(decoding: $0.bytes, as: UTF8.self) } }
  var isComplete: Bool { state.withLock { $0.isComplete } }

  /// Nothing comes here.
  func finish() {
    state.withLock { $0.isComplete = true }
  }

  func collect(_ handle: FileHandle) {
    Thread.detachNewThread {
      var buffer = [UInt8](repeating: 0, count: 64 << 10)
      while true {
        // FileHandle's own read waits until all that it may read is there.
        let count = Glibc.read(handle.fileDescriptor, &buffer, buffer.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { break }
        self.state.withLock { state in
          state.bytes.append(contentsOf: buffer[..<count])
          if state.bytes.count > Self.bytesMax {
            state.bytes = Data(state.bytes.suffix(Self.bytesMax / 2))
          }
        }
      }
      self.state.withLock { $0.isComplete = true }
    }
  }
}
