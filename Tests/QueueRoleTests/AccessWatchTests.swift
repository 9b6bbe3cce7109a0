import AccessKeys
import Glibc
import Logging
import Synchronization
import TestSupport
import Testing
import ZeroMQ

@testable import QueueRole

@Suite struct AccessWatchTests {
  private let folder: TemporaryFolder
  private let file: AuthorizedKeysFile
  private let lines = LineCount()
  private let logger: Logger

  private final class LineCount: Sendable {
    let errors = Mutex(0)
  }

  private struct CountingHandler: LogHandler {
    let lines: LineCount
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      if event.level == .error { lines.errors.withLock { $0 += 1 } }
    }
  }

  init() throws {
    folder = try TemporaryFolder("watch")
    file = AuthorizedKeysFile(folder.path("keys"))
    let lines = lines
    logger = Logger(label: "test") { _ in CountingHandler(lines: lines) }
    try file.authorize(try key("first"))
  }

  private func key(_ name: String) throws -> AuthorizedKey {
    try AuthorizedKey(
      name: name, role: .worker, publicKey: try CurveKeyPair.generate().publicKey)
  }

  @Test func changeIsSeenOnce() throws {
    var watch = KeyWatch(file)
    #expect(try watch.read().keys.count == 1)
    #expect(watch.change(always: false, logger) == nil)
    try file.authorize(try key("second"))
    #expect(watch.change(always: false, logger)?.keys.map(\.name) == ["first", "second"])
    #expect(watch.change(always: false, logger) == nil)
    #expect(watch.change(always: true, logger)?.keys.count == 2)
  }

  @Test func changeThatCannotBeUsedIsSaidOnceAndChangesNothing() throws {
    var watch = KeyWatch(file)
    _ = try watch.read()
    #expect(chmod(file.path, 0o666) == 0)
    for _ in 0..<3 { #expect(watch.change(always: false, logger) == nil) }
    #expect(lines.errors.withLock { $0 } == 1)
    #expect(chmod(file.path, 0o644) == 0)
    #expect(watch.change(always: false, logger)?.keys.count == 1)
    try folder.write("nonsense\n", to: "keys")
    for _ in 0..<3 { #expect(watch.change(always: false, logger) == nil) }
    #expect(lines.errors.withLock { $0 } == 2)
    #expect(unlink(file.path) == 0)
    for _ in 0..<3 { #expect(watch.change(always: false, logger) == nil) }
    #expect(lines.errors.withLock { $0 } == 3)
    // Back again, it holds again.
    try file.authorize(try key("third"))
    #expect(watch.change(always: false, logger)?.keys.map(\.name) == ["third"])
  }

  @Test func listThatCannotBeReadAtTheStartIsAnError() throws {
    var watch = KeyWatch(AuthorizedKeysFile(folder.path("absent")))
    #expect(throws: AccessKeysError.self) { try watch.read() }
  }
}
