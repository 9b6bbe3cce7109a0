/// One line of a token file: who has the token, and what it allows.
///
///     NAME SHA256 TENANT MODELS REQUESTS_PER_MINUTE [operator]
///
/// The columns are separated by blanks. `MODELS` is a list with commas, or `*` for all;
/// `REQUESTS_PER_MINUTE` is a number, or `*` for any. With `operator` its holder sees and manages
/// everything at `/ui`, every tenant's jobs included; without it he has the playground alone.
public struct AccessToken: Sendable {
  /// For logs and metrics, never a secret.
  public var name: String
  public var tenant: String
  /// nil allows all.
  public var models: Set<String>?
  /// nil allows any.
  public var requestsPerMinute: Int?
  public var isOperator: Bool
  let digest: TokenDigest

  static let requestsPerMinuteMax = 10_000_000
  private static let operatorScope = "operator"
  private static let secretPrefix = "rk-"

  public init(
    name: String, secret: String, tenant: String, models: Set<String>?, requestsPerMinute: Int?,
    isOperator: Bool = false
  ) {
    self.name = name
    self.tenant = tenant
    self.models = models
    self.requestsPerMinute = requestsPerMinute
    self.isOperator = isOperator
    digest = TokenDigest(of: secret)
  }

  /// - Throws: ``LineProblem`` for a line of another form.
  init(line: some StringProtocol) throws(LineProblem) {
    let columns = line.split(whereSeparator: \.isWhitespace)
    guard columns.count == 5 || columns.count == 6 else {
      throw LineProblem(
        message: "has \(columns.count) columns instead of 5 or 6 "
          + "(NAME SHA256 TENANT MODELS REQUESTS_PER_MINUTE [operator])")
    }
    guard columns.count == 5 || columns[5] == Self.operatorScope else {
      throw LineProblem(message: "the sixth column must be \(Self.operatorScope), or nothing")
    }
    isOperator = columns.count == 6
    guard let digest = TokenDigest(hexadecimal: columns[1]) else {
      throw LineProblem(
        message: "the second column is no SHA-256 in 64 hexadecimal digits; "
          + "rerankd gateway hash-token makes one")
    }
    name = String(columns[0])
    self.digest = digest
    tenant = String(columns[2])
    models = columns[3] == "*" ? nil : Set(columns[3].split(separator: ",").map { String($0) })
    if columns[4] == "*" {
      requestsPerMinute = nil
    } else if let count = Int(columns[4]), (1...Self.requestsPerMinuteMax).contains(count) {
      requestsPerMinute = count
    } else {
      throw LineProblem(
        message: "the fifth column must be a number from 1 to \(Self.requestsPerMinuteMax), or *")
    }
  }

  struct LineProblem: Error {
    var message: String
  }

  /// The line for a token file.
  public var line: String {
    let columns = [
      name, digest.hexadecimal, tenant, models?.sorted().joined(separator: ",") ?? "*",
      requestsPerMinute.map { "\($0)" } ?? "*",
    ]
    return (columns + (isOperator ? [Self.operatorScope] : [])).joined(separator: " ")
  }

  func allows(model: String) -> Bool {
    models?.contains(model) ?? true
  }

  /// A new bearer token of 256 random bits.
  public static func makeSecret() -> String {
    var generator = SystemRandomNumberGenerator()
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    // 43 characters of 6 bits.
    return secretPrefix
      + String((0..<43).map { _ in alphabet[Int.random(in: 0..<64, using: &generator)] })
  }
}
