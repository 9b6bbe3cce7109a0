import Dispatch
import Foundation

/// What a person and the system tell a program that fills a terminal.
enum TerminalEvent: Equatable, Sendable {
  case key(Key)
  case resized
  /// Ctrl-Z: leave the screen, and stop.
  case suspended
  case continued
  /// Ctrl-C, a closed terminal, or a polite request to end, by the number of its signal.
  case ended(signal: Int32)

  enum Key: Equatable, Sendable {
    case character(Character)
    case up, down, pageUp, pageDown, home, end
  }
}

/// Turns signals and keys into a stream of events, for as long as it lives.
///
/// Unchecked because Dispatch's sources are not marked Sendable; they are made and cancelled here
/// alone.
final class TerminalEvents: @unchecked Sendable {
  let stream: AsyncStream<TerminalEvent>
  private var sources: [any DispatchSourceProtocol] = []
  private static let signals = [SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP, SIGCONT]

  init() {
    let (stream, continuation) = AsyncStream<TerminalEvent>.makeStream()
    self.stream = stream
    let queue = DispatchQueue(label: "rerankctl.terminal")
    for number in Self.signals {
      // Dispatch sees a signal only where the process does not die of it first.
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler { continuation.yield(Self.event(of: number)) }
      source.resume()
      sources.append(source)
    }
    guard isatty(STDIN_FILENO) == 1 else { return }
    let keys = DispatchSource.makeReadSource(fileDescriptor: STDIN_FILENO, queue: queue)
    keys.setEventHandler {
      var bytes = [UInt8](repeating: 0, count: 64)
      let count = read(STDIN_FILENO, &bytes, bytes.count)
      guard count > 0 else { return keys.cancel() }
      for key in Self.keys(in: bytes.prefix(count)) { continuation.yield(.key(key)) }
    }
    keys.resume()
    sources.append(keys)
  }

  deinit {
    for source in sources { source.cancel() }
    for number in Self.signals { signal(number, SIG_DFL) }
  }

  private static func event(of signal: Int32) -> TerminalEvent {
    switch signal {
    case SIGWINCH: .resized
    case SIGTSTP: .suspended
    case SIGCONT: .continued
    default: .ended(signal: signal)
    }
  }

  private static let sequences: [(text: String, key: TerminalEvent.Key)] = [
    ("\u{1B}[A", .up), ("\u{1B}OA", .up), ("\u{1B}[B", .down), ("\u{1B}OB", .down),
    ("\u{1B}[5~", .pageUp), ("\u{1B}[6~", .pageDown), ("\u{1B}[H", .home), ("\u{1B}OH", .home),
    ("\u{1B}[F", .end), ("\u{1B}OF", .end),
  ]

  /// What was typed; sequences that no key here has are left out.
  static func keys(in bytes: some Collection<UInt8>) -> [TerminalEvent.Key] {
    var rest = Array(bytes)[...]
    var keys: [TerminalEvent.Key] = []
    while let first = rest.first {
      if let known = sequences.first(where: { rest.starts(with: $0.text.utf8) }) {
        keys.append(known.key)
        rest = rest.dropFirst(known.text.utf8.count)
      } else if first == 0x1B {
        // Up to the letter or tilde that ends it; a lone Escape is nothing to wait for.
        let tail = rest.dropFirst()
        guard tail.first == UInt8(ascii: "[") || tail.first == UInt8(ascii: "O") else {
          rest = tail
          continue
        }
        let end = tail.dropFirst().firstIndex { (0x40...0x7E).contains($0) }
        rest = end.map { rest[($0 + 1)...] } ?? []
      } else {
        if first < 0x80 { keys.append(.character(Character(Unicode.Scalar(first)))) }
        rest = rest.dropFirst()
      }
    }
    return keys
  }
}
