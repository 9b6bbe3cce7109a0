import ArgumentParser
import CallTransport
import GatewayRole
import Logging
import RerankdClient
import Settings

struct GatewayCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gateway",
    abstract: "Runs an HTTP gateway in front of a queue.",
    discussion: """
      It speaks /v1/rerank and /v1/models as the rerank APIs do, /v2/rerank (Cohere), /rerank (TEI,
      Jina), /v1/jobs and /v1/tokenize/budget; protocol/openapi.yaml describes them.

      Beyond loopback it needs a token file (gateway.token_file, mode 600), one line a client:

        NAME SHA256 TENANT MODELS REQUESTS_PER_MINUTE

      MODELS is a list with commas or *, REQUESTS_PER_MINUTE a number or *. This makes a token and its
      line; the token is shown once and kept nowhere:

        rerankd gateway hash-token --name search --tenant shop
      """,
    subcommands: [HashTokenCommand.self])

  @OptionGroup var common: CommonOptions
  @OptionGroup var gateway: GatewayOptions

  @Option(help: "The queue's endpoint for producers.")
  var queue: String?

  func run() async throws {
    try await reportingFailures {
      let logger = try common.logger("rerankd.gateway")
      let file = try common.loadConfiguration()
      var configuration = try gateway.applied(to: file.gateway)
      if let queue {
        do {
          let security = configuration.queue.connection.security
          configuration.queue = try ClientConfiguration(endpoint: queue)
          configuration.queue.connection.security = security
        } catch {
          throw ConfigurationError(key: "--queue", message: "\(error)")
        }
      }
      let counters = ModelCounters(file.models)
      let service = try Gateway(
        configuration, budget: BudgetCounter { try counters.model($0) }, logger: logger)
      try await common.run([service], logger: logger)
    }
  }
}

/// The gateway's flags, which `rerankd up` takes as well.
struct GatewayOptions: ParsableArguments {
  @Option(help: "Where HTTP is served: HOST:PORT.")
  var listen: String?

  @Option(help: "Who may come in; needed beyond loopback. See rerankd gateway --help.")
  var tokenFile: String?

  func applied(to configuration: GatewayConfiguration) throws -> GatewayConfiguration {
    var configuration = configuration
    if let listen, !configuration.setListen(listen) {
      throw ConfigurationError(key: "--listen", message: GatewayConfiguration.listenForm)
    }
    configuration.tokenFile = tokenFile ?? configuration.tokenFile
    if let problem = configuration.firstProblem {
      throw ConfigurationError(key: "gateway.\(problem.key)", message: problem.message)
    }
    return configuration
  }

  /// The same flags for a child process.
  var arguments: [String] {
    (listen.map { ["--listen", $0] } ?? [])
      + (tokenFile.map { ["--token-file", $0] } ?? [])
  }
}
