import Foundation
import Synchronization

/// Whole lines of several children on one standard error: a line is never cut by another.
final class StandardErrorStream: Sendable {
  static let shared = StandardErrorStream()
  private let handle = Mutex(FileHandle.standardError)

  func write(line: String) {
    // A reader that went away must not end the supervisor; its children go on without a log.
    handle.withLock { try? $0.write(contentsOf: Data((line + "\n").utf8)) }
  }
}
