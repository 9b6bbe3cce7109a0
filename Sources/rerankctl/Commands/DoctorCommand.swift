import ArgumentParser
import Foundation
import QueueRole
import RerankdProtocol
import Settings

struct DoctorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Says what is wrong on this machine, and what mends it.",
    discussion: """
      rerankctl doctor --config /etc/rerankd.yaml
      rerankctl doctor --quick -o jsonl | jq -c 'select(.state != "ok")'
      ExecStartPre=rerankctl doctor --quick --config /etc/rerankd.yaml

      libzmq and SQLite, the processor, limits on files and memory, the configuration and its secret
      files, the ledger's folder, file system and disk, the addresses to listen at, models that load,
      and the queue, if one runs. Run it as the user that runs Rerankd. Nothing is changed.

      Exit codes: 0 nothing is wrong, or warnings alone; 1 something failed.
      """)

  @Option(help: "rerankd's configuration file. Environment: RERANKD_CONFIG.")
  var config: String?

  @Flag(help: "Do not load the models.")
  var quick = false

  @OptionGroup var connection: ConnectionOptions

  func run() async throws {
    let environment = ProcessInfo.processInfo.environment
    var layers = ConfigurationLayers(
      path: config ?? environment["RERANKD_CONFIG"], environment: environment,
      roles: Set(ConfigurationRole.allCases))
    // Whether a queue is started with --insecure as well is not the file's to say.
    layers.insecureListenConfirmed = true
    let checks = Examination(
      layers: layers, loadsModels: !quick, readings: await readings(layers),
      version: Rerankctl.configuration.version
    ).run()
    let printer = connection.printer
    if printer.format == .table {
      // What mends is not to be cut off.
      printer.write(Check.table(checks).text(palette: printer.palette))
    } else {
      try printer.list(checks) { Check.table(checks) }
    }
    if checks.contains(where: { $0.state == .failed }) { throw CommandFailure.unsuccessful }
  }

  /// Of the queues that were named, or of the one that the configuration makes.
  private func readings(_ layers: ConfigurationLayers) async -> [QueueReading] {
    let configured = (try? DaemonConfiguration.load(layers))?.queue.shell.producersEndpoint
    let own = (configured ?? DefaultEndpoint.producers).replacing("//*:", with: "//127.0.0.1:")
    var readings: [QueueReading] = []
    do {
      try await connection.connected(orTo: own) { client in
        readings = await StatusWatch.readAll(Queues(client).all)
      }
    } catch {
      // What was said is no endpoint, for instance.
      let endpoint = connection.endpoints(orElse: own).joined(separator: ", ")
      let failure = ErrorView(code: StatusCode.invalidArgument.description, message: "\(error)")
      readings = [QueueReading(endpoint: endpoint, error: failure)]
    }
    return readings
  }
}
