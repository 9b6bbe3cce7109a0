import Foundation
import GuardedFiles
import Scoring
import Synchronization

/// The token that a backend wants, read where the configuration says. A file is read again whenever
/// it changed, so that a token can be replaced under a running worker.
final class BearerTokenSource: Sendable {
  static let tokenBytesMax = 16 << 10

  typealias Version = GuardedFile.Version

  private let credentials: RemoteEngineConfiguration.Credentials
  private let pause: Duration
  private let environment: [String: String]
  private let cached = Mutex<(version: Version, token: BearerToken)?>(nil)

  init(
    _ credentials: RemoteEngineConfiguration.Credentials, pause: Duration,
    environment: [String: String]
  ) {
    self.credentials = credentials
    self.pause = pause
    self.environment = environment
  }

  /// Of what ``token()`` would read now; nil where nothing can be read, or nothing can change.
  func version() -> Version? {
    guard case .file(let path) = credentials else { return nil }
    return try? Self.file(path).version()
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
    let file = Self.file(path)
    do throws(GuardedFileError) {
      let version = try file.version()
      if let cached = cached.withLock({ $0 }), cached.version == version { return cached.token }
    } catch {
      throw unusable("The token's file \(error.message).")
    }
    let read: (version: Version, text: String)
    do throws(GuardedFileError) {
      read = try file.read()
    } catch {
      throw unusable("The token's file \(error.message).")
    }
    let token = try parse(read.text, origin: "the file \(path)")
    cached.withLock { $0 = (read.version, token) }
    return token
  }

  private static func file(_ path: String) -> GuardedFile {
    GuardedFile(path, .secret, bytesMax: tokenBytesMax)
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
