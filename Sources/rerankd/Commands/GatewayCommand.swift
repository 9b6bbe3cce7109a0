import ArgumentParser
import CallTransport
import GatewayRole
import Logging
import Observability
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

  @Option(help: "A queue's endpoint for producers; once for each shard, in their order.")
  var queue: [String] = []

  func run() async throws {
    try await reportingFailures {
      let layers = common.layers(
        [.gateway],
        gateway.flags
          + (queue.isEmpty
            ? [] : [FlagValue("--queue", for: "gateway.queues", queue.joined(separator: ","))]))
      let configuration = try DaemonConfiguration.load(layers)
      let level = SharedLogLevel(configuration.log)
      let logger = common.logger("rerankd.gateway", level, configuration.log.format)
      let observation = ProcessObservation(
        "gateway", tracing: configuration.tracing, logger: logger)
      let counters = ModelCounters(configuration.models)
      var settings = configuration.gateway
      settings.queues.client.connection.security = try configuration.gatewayKeys.security()
      let service = try Gateway(
        settings, budget: BudgetCounter { try counters.model($0) }, logger: logger)
      let reload = SettingsReload(
        layers, running: configuration, role: .gateway, level: level, logger: logger)
      let watched = observation.services(
        configuration.gatewayMetrics, health: RoleHealth(hindrance: { await service.hindrance })
      ) { service.recordMetrics() }
      try await common.run(watched + [service], logger: logger) { await reload.reload { _ in } }
    }
  }
}

/// The gateway's flags, which `rerankd up` takes as well.
struct GatewayOptions: ParsableArguments {
  @Option(help: "Where HTTP is served: HOST:PORT.")
  var listen: String?

  @Option(help: "Who may come in; needed beyond loopback. See rerankd gateway --help.")
  var tokenFile: String?

  var flags: [FlagValue] {
    (listen.map { [FlagValue("--listen", for: "gateway.listen", $0)] } ?? [])
      + (tokenFile.map { [FlagValue("--token-file", for: "gateway.token_file", $0)] } ?? [])
  }

  /// The same flags for a child process.
  var arguments: [String] { flags.flatMap { [$0.flag, $0.value] } }
}
