import Foundation
import Synchronization

/// Standard error, a whole line at a time.
final class LogLines: Sendable {
  static let standardError = LogLines()

  private let handle = Mutex(FileHandle.standardError)

  func write(_ line: String) {
    // A reader that went away must not end the process.
    handle.withLock { try? $0.write(contentsOf: Data((line + "\n").utf8)) }
  }
}
