import Foundation
import Logging
import Scoring
import Synchronization

/// The token that a backend wants, read where the configuration says. A file is read again whenever
/// it changed, so that a token can be replaced under a running worker.
final class BearerTokenSource: Sendable {
  static let tokenBytesMax = 16 << 10

  /// Tells one content of a token's file from the next without looking at it.
  struct Version: Sendable, Equatable {
    var modified: Date?
    var size: Int?
    var inode: Int?
  }

  private let credentials: RemoteEngineConfiguration.Credentials
  private let pause: Duration
  private let environment: [String: String]
  private let logger: Logger
  private let cached = Mutex<(version: Version, token: BearerToken)?>(nil)

  init(
    _ credentials: RemoteEngineConfiguration.Credentials, pause: Duration,
    environment: [String: String], logger: Logger
  ) {
    self.credentials = credentials
    self.pause = pause
    self.environment = environment
    self.logger = logger
  }

  /// Of what ``token()`` would read now; nil where nothing can be read, or nothing can change.
  func version() -> Version? {
    guard case .file(let path) = credentials, let attributes = try? Self.attributes(path) else {
      return nil
    }
    return Self.version(attributes)
  }

  /// Whether another token can come without a restart.
  var canChange: Bool {
    if case .file = credentials { true } else { false }
  }

  /// nil when the backend wants none.
  ///
  /// - Throws: ``EngineError`` that pauses the model: a token that is missing or cannot be one.
  func token() throws(EngineError) -> BearerToken? {
    switch credentials {
    case .none:
      return nil
    case .environment(let name):
      guard let text = environment[name] else {
        throw unusable("The environment variable \(name), which holds the token, is not set.")
      }
      return try parse(text, origin: "the environment variable \(name)")
    case .file(let path):
      return try fileToken(path)
    }
  }

  private func fileToken(_ path: String) throws(EngineError) -> BearerToken {
    let attributes: [FileAttributeKey: Any]
    do {
      attributes = try Self.attributes(path)
    } catch {
      throw unusable("The token's file \(path) cannot be read; is it there?")
    }
    let version = Self.version(attributes)
    if let cached = cached.withLock({ $0 }), cached.version == version { return cached.token }
    guard version.size ?? 0 <= Self.tokenBytesMax else {
      throw unusable("The token's file \(path) has over \(Self.tokenBytesMax) bytes: no token.")
    }
    guard let data = FileManager.default.contents(atPath: path) else {
      throw unusable("The token's file \(path) cannot be read; may this user read it?")
    }
    if let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue, mode & 0o004 != 0 {
      // Not refused: mounted secrets are commonly readable by all inside a container of their own.
      logger.warning("the token's file is readable by every user", metadata: ["path": "\(path)"])
    }
    let token = try parse(String(decoding: data, as: UTF8.self), origin: "the file \(path)")
    cached.withLock { $0 = (version, token) }
    return token
  }

  private static func attributes(_ path: String) throws -> [FileAttributeKey: Any] {
    // Secrets are often mounted as links; what counts is the file behind them.
    let target = URL(filePath: path).resolvingSymlinksInPath().path
    return try FileManager.default.attributesOfItem(atPath: target)
  }

  private static func version(_ attributes: [FileAttributeKey: Any]) -> Version {
    Version(
      modified: attributes[.modificationDate] as? Date,
      size: (attributes[.size] as? NSNumber)?.intValue,
      inode: (attributes[.systemFileNumber] as? NSNumber)?.intValue)
  }

  private func parse(_ text: String, origin: String) throws(EngineError) -> BearerToken {
    let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
    guard !trimmed.isEmpty else { throw unusable("The token in \(origin) is empty.") }
    // Anything else could end the header and start another.
    guard trimmed.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw unusable("The token in \(origin) has characters that no header can carry.")
    }
    return BearerToken(trimmed)
  }

  private func unusable(_ message: String) -> EngineError {
    EngineError(
      code: .unauthenticated, message: message, isRetryable: true, retryAfter: pause,
      backendFault: .credentialsRefused, spendsAttempt: false)
  }
}
