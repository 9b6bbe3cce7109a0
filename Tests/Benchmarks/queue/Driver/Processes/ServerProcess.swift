import Glibc
import Synchronization

/// A program that the benchmark starts and ends, by the id that it got. What it writes goes to a
/// log file in the data folder.
final class ServerProcess: Sendable {
  let name: String
  let processID: pid_t
  private let logPath: String

  /// Starts the program with this process's environment.
  init(_ name: String, executable: String, arguments: [String], in folder: DataFolder) throws {
    self.name = name
    logPath = folder.path("\(name).log")

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(
      &actions, STDOUT_FILENO, logPath, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)

    // Threads of the concurrency pool block signals, and the benchmark ignores those that interrupt
    // it: a child would inherit both.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    var interrupting = none
    sigaddset(&interrupting, SIGINT)
    sigaddset(&interrupting, SIGTERM)
    posix_spawnattr_setsigdefault(&attributes, &interrupting)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    let words = ([executable] + arguments).map { strdup($0) }
    defer { words.forEach { free($0) } }
    var child: pid_t = 0
    let code = posix_spawnp(&child, executable, &actions, &attributes, words + [nil], environ)
    guard code == 0 else {
      throw BenchmarkError("\(executable): \(String(cString: strerror(code)))")
    }
    processID = child
    Self.running.withLock { _ = $0.insert(child) }
  }

  /// What it wrote last, for an error message.
  var logTail: String {
    guard let file = fopen(logPath, "r") else { return "" }
    defer { fclose(file) }
    var buffer = [UInt8](repeating: 0, count: 4_096)
    fseek(file, 0, SEEK_END)
    fseek(file, max(0, ftell(file) - buffer.count), SEEK_SET)
    let count = fread(&buffer, 1, buffer.count, file)
    return String(decoding: buffer.prefix(count), as: UTF8.self)
  }

  /// Waits until it takes connections on a port of 127.0.0.1.
  func waitUntilListening(on port: UInt16, seconds: Int = 20) async throws {
    let deadline = monotonicNanoseconds() + Int64(seconds) * 1_000_000_000
    while true {
      if let descriptor = try? Loopback.connect(to: port) {
        close(descriptor)
        return
      }
      guard isRunning, monotonicNanoseconds() < deadline else {
        throw BenchmarkError("\(name) does not listen on port \(port):\n\(logTail)")
      }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  var isRunning: Bool {
    var information = siginfo_t()
    let result = waitid(
      P_PID, id_t(processID), &information, WEXITED | WNOHANG | WNOWAIT)
    return result == 0 && information.si_signo == 0
  }

  /// Asks it to end, and makes it when it does not within ten seconds.
  func end() async throws {
    kill(processID, SIGTERM)
    let deadline = monotonicNanoseconds() + 10_000_000_000
    while isRunning, monotonicNanoseconds() < deadline {
      try? await Task.sleep(for: .milliseconds(20))
    }
    let wasStuck = isRunning
    if wasStuck { kill(processID, SIGKILL) }
    var status: Int32 = 0
    waitpid(processID, &status, 0)
    Self.running.withLock { _ = $0.remove(processID) }
    if wasStuck { throw BenchmarkError("\(name) did not end within 10 s of SIGTERM:\n\(logTail)") }
  }

  private static let running = Mutex<Set<pid_t>>([])

  /// For a benchmark that fails or is interrupted: kills all that it started and has not ended.
  static func killAll() {
    running.withLock { $0 }.forEach { kill($0, SIGKILL) }
  }
}
