import Foundation

/// The line of standard error that is written over and over; nothing where that is no terminal.
struct ProgressLine {
  private let isShown = isatty(STDERR_FILENO) == 1
  private var shownAt: ContinuousClock.Instant?

  /// - Parameter shownAt: as if it had been shown then; nil: the first time comes at once.
  init(shownAt: ContinuousClock.Instant? = nil) {
    self.shownAt = shownAt
  }

  /// Whether to show it anew: at most ten times a second, so that printing costs nothing.
  var isDue: Bool {
    isShown && (shownAt.map { $0.duration(to: .now) >= .milliseconds(100) } ?? true)
  }

  /// Cut where the terminal ends: a line that wrapped could not be written over.
  mutating func show(_ text: String) {
    guard isShown else { return }
    shownAt = .now
    let columns = TerminalSize(of: STDERR_FILENO)?.columns ?? 80
    write("\r\u{1B}[K" + text.printable.cut(toColumns: columns - 1))
  }

  func clear() {
    if isShown { write("\r\u{1B}[K") }
  }

  private func write(_ text: String) {
    FileHandle.standardError.write(Data(text.utf8))
  }
}
