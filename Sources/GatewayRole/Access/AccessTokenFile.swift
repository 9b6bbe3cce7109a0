import Foundation
import Logging
import Synchronization

/// The bearer tokens that let clients in, read from a file and read again when it changes.
///
/// The file belongs to its user alone (mode 0600), since whoever can write it can let himself in. A
/// change that cannot be used is logged, and the tokens before it go on to hold.
final class AccessTokenFile: Sendable {
  private struct State {
    var tokens: [AccessToken]
    var version: Version
    var checkedAt: ContinuousClock.Instant
  }

  /// What tells one content of the file from another.
  private struct Version: Equatable {
    var inode: UInt64
    var modified: Date
    var size: UInt64
  }

  /// Of the whole file.
  private static let bytesMax: UInt64 = 8 << 20

  private let path: String
  private let tokensMax: Int
  private let checkInterval: Duration
  private let logger: Logger
  private let state: Mutex<State>

  /// - Throws: ``GatewayError`` for a file that is not there, is open to others or has a wrong
  ///   line.
  init(path: String, tokensMax: Int, checkInterval: Duration, logger: Logger) throws(GatewayError) {
    self.path = path
    self.tokensMax = tokensMax
    self.checkInterval = checkInterval
    self.logger = logger
    let version = try Self.version(path)
    let tokens = try Self.read(path, tokensMax: tokensMax)
    state = Mutex(State(tokens: tokens, version: version, checkedAt: .now))
  }

  /// Whose token this is; nil for nobody's. Every token is compared, each in constant time.
  func token(_ secret: some StringProtocol) -> AccessToken? {
    let digest = TokenDigest(of: secret)
    var found: AccessToken?
    for token in current() where token.digest.matches(digest) { found = token }
    return found
  }

  private func current() -> [AccessToken] {
    let now = ContinuousClock.now
    return state.withLock { state in
      guard state.checkedAt + checkInterval <= now else { return state.tokens }
      state.checkedAt = now
      do throws(GatewayError) {
        let version = try Self.version(path)
        guard version != state.version else { return state.tokens }
        // Even when it is of no use: it is said once, not with every look.
        state.version = version
        state.tokens = try Self.read(path, tokensMax: tokensMax)
        logger.notice("read \(state.tokens.count) tokens anew", metadata: ["file": "\(path)"])
      } catch {
        logger.error("the tokens known before go on to hold: \(error)")
      }
      return state.tokens
    }
  }

  private static func version(_ path: String) throws(GatewayError) -> Version {
    let attributes: [FileAttributeKey: Any]
    do {
      attributes = try FileManager.default.attributesOfItem(atPath: path)
    } catch {
      throw GatewayError(
        code: .configuration, message: "the token file \(path) cannot be read", underlying: error)
    }
    let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0o777
    guard mode & 0o077 == 0 else {
      throw GatewayError(
        code: .configuration,
        message: "the token file \(path) is open to others (mode \(String(mode, radix: 8))): "
          + "chmod 600 it")
    }
    let size = (attributes[.size] as? NSNumber)?.uint64Value ?? 0
    guard size <= bytesMax else {
      throw GatewayError(
        code: .configuration,
        message: "the token file \(path) has \(size) bytes; the limit is \(bytesMax)")
    }
    return Version(
      inode: (attributes[.systemFileNumber] as? NSNumber)?.uint64Value ?? 0,
      modified: attributes[.modificationDate] as? Date ?? .distantPast, size: size)
  }

  private static func read(
    _ path: String, tokensMax: Int
  ) throws(GatewayError) -> [AccessToken] {
    let text: String
    do {
      text = try String(contentsOfFile: path, encoding: .utf8)
    } catch {
      throw GatewayError(
        code: .configuration, message: "the token file \(path) cannot be read", underlying: error)
    }
    var tokens: [AccessToken] = []
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      let line = line.prefix { $0 != "#" }
      guard line.contains(where: { !$0.isWhitespace }) else { continue }
      do throws(AccessToken.LineProblem) {
        tokens.append(try AccessToken(line: line))
      } catch {
        throw GatewayError(
          code: .configuration, message: "\(path):\(index + 1): \(error.message)")
      }
    }
    guard tokens.count <= tokensMax else {
      throw GatewayError(
        code: .configuration,
        message: "the token file \(path) has \(tokens.count) tokens; the limit is \(tokensMax)")
    }
    return tokens
  }
}
