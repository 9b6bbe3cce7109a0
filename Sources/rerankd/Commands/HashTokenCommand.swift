import ArgumentParser
import GatewayRole

struct HashTokenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hash-token",
    abstract: "Makes a bearer token and its line for the gateway's token file.",
    discussion: """
      The token goes to standard error, the line to standard output:

        rerankd gateway hash-token --name search >> tokens && chmod 600 tokens
      """)

  @Option(help: "The client's name, for logs.")
  var name: String

  @Option(help: "Whose jobs the client's are.")
  var tenant = "default"

  @Option(help: "The models it may use, with commas; * for all.")
  var models = "*"

  @Option(help: "Requests a minute; any number by default.")
  var requestsPerMinute: Int?

  @Flag(help: "Its holder sees and manages everything at /ui, every tenant's jobs included.")
  var `operator` = false

  @Flag(help: "Read the token from standard input instead of making one.")
  var stdin = false

  func validate() throws {
    for (option, value) in [("--name", name), ("--tenant", tenant), ("--models", models)]
    where value.isEmpty || value.contains(where: { $0.isWhitespace || $0 == "#" }) {
      throw ValidationError("\(option) must be a word without blanks and #")
    }
    if let requestsPerMinute, requestsPerMinute < 1 {
      throw ValidationError("--requests-per-minute must be at least 1")
    }
  }

  func run() throws {
    let secret: String
    if stdin {
      guard let line = readLine(), !line.isEmpty, !line.contains(where: \.isWhitespace) else {
        throw ValidationError("expected a token without blanks on standard input")
      }
      secret = line
    } else {
      secret = AccessToken.makeSecret()
      StandardErrorStream.shared.write(line: "token: \(secret)")
    }
    let token = AccessToken(
      name: name, secret: secret, tenant: tenant,
      models: models == "*" ? nil : Set(models.split(separator: ",").map { String($0) }),
      requestsPerMinute: requestsPerMinute, isOperator: `operator`)
    print(token.line)
  }
}
