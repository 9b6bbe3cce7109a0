import GuardedFiles
import Logging
import Synchronization

/// The bearer tokens that let clients in, read from a file and read again when it changes.
///
/// The file is kept as secrets are (`GuardedFile`), since whoever can write it can let himself in. A
/// change that cannot be used is logged, and the tokens before it go on to hold.
final class AccessTokenFile: Sendable {
  private struct State {
    var tokens: [AccessToken]
    var version: GuardedFile.Version
    var checkedAt: ContinuousClock.Instant
  }

  /// Of the whole file.
  private static let bytesMax = 8 << 20

  private let file: GuardedFile
  private let tokensMax: Int
  private let checkInterval: Duration
  private let logger: Logger
  private let state: Mutex<State>

  /// - Throws: ``GatewayError`` for a file that is not there, is open to others or has a wrong
  ///   line.
  init(path: String, tokensMax: Int, checkInterval: Duration, logger: Logger) throws(GatewayError) {
    file = GuardedFile(path, .secret, bytesMax: Self.bytesMax)
    self.tokensMax = tokensMax
    self.checkInterval = checkInterval
    self.logger = logger
    let (version, tokens) = try Self.read(file, tokensMax: tokensMax)
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
        let version = try Self.reporting { () throws(GuardedFileError) in try file.version() }
        guard version != state.version else { return state.tokens }
        // Even when it is of no use: it is said once, not with every look.
        state.version = version
        (state.version, state.tokens) = try Self.read(file, tokensMax: tokensMax)
        logger.notice("read \(state.tokens.count) tokens anew", metadata: ["file": "\(file.path)"])
      } catch {
        logger.error("the tokens known before go on to hold: \(error)")
      }
      return state.tokens
    }
  }

  private static func reporting<Value>(
    _ body: () throws(GuardedFileError) -> Value
  ) throws(GatewayError) -> Value {
    do throws(GuardedFileError) {
      return try body()
    } catch {
      throw GatewayError(code: .configuration, message: "the token file \(error.message)")
    }
  }

  private static func read(
    _ file: GuardedFile, tokensMax: Int
  ) throws(GatewayError) -> (GuardedFile.Version, [AccessToken]) {
    let (version, text) = try reporting { () throws(GuardedFileError) in try file.read() }
    var tokens: [AccessToken] = []
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      let line = line.prefix { $0 != "#" }
      guard line.contains(where: { !$0.isWhitespace }) else { continue }
      do throws(AccessToken.LineProblem) {
        tokens.append(try AccessToken(line: line))
      } catch {
        throw GatewayError(
          code: .configuration, message: "\(file.path):\(index + 1): \(error.message)")
      }
    }
    guard tokens.count <= tokensMax else {
      throw GatewayError(
        code: .configuration,
        message: "the token file \(file.path) has \(tokens.count) tokens; the limit is \(tokensMax)"
      )
    }
    return (version, tokens)
  }
}
