import Foundation

/// The terminal's other screen, on which a live view is drawn; leaving it brings back what was there.
///
/// A picture is written in one piece, line over line, and between the marks of a synchronized
/// update, which terminals that know them show at once: nothing is cleared first, so nothing
/// flickers.
final class FullScreen {
  private var formerInput: termios?
  private var isEntered = false

  var size: TerminalSize { TerminalSize(of: STDOUT_FILENO) ?? TerminalSize(columns: 80, rows: 24) }

  /// Whether there is a terminal to draw on.
  static var isAvailable: Bool {
    isatty(STDOUT_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
  }

  func enter() {
    guard !isEntered else { return }
    isEntered = true
    var input = termios()
    if isatty(STDIN_FILENO) == 1, tcgetattr(STDIN_FILENO, &input) == 0 {
      formerInput = input
      // Keys come one by one and are not shown; Ctrl-C and Ctrl-Z stay signals.
      input.c_lflag &= ~tcflag_t(ICANON | ECHO)
      tcsetattr(STDIN_FILENO, TCSANOW, &input)
    }
    // The other screen, without a cursor, and long lines cut instead of wrapped.
    write("\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l\u{1B}[2J")
  }

  func leave() {
    guard isEntered else { return }
    isEntered = false
    write("\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l")
    if var input = formerInput { tcsetattr(STDIN_FILENO, TCSANOW, &input) }
    formerInput = nil
  }

  deinit {
    leave()
  }

  /// - Parameter lines: at most as many as the terminal has rows.
  func draw(_ lines: [String]) {
    let erasing = lines.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n")
    write("\u{1B}[?2026h\u{1B}[H" + erasing + "\u{1B}[J\u{1B}[?2026l")
  }

  private func write(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Foundation.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      // A terminal that is gone sends SIGHUP as well.
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }
}
