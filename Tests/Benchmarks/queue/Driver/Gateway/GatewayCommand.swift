import ArgumentParser
import Foundation

/// HTTP through gateway, queue and worker, with an engine that scores at once: its latency is what
/// they add to an engine's own.
struct GatewayCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gateway",
    abstract: "Measures what gateway, queue and worker add to an engine's time, over HTTP.")

  @Option(help: "Also write the figures to this file.")
  var json: String?

  @Option(help: "Seconds that each number of clients is measured.")
  var seconds = 20

  @Option(help: "Clients at once, each with a connection of its own; comma-separated.")
  var clients = "1,8,64"

  @Option(help: "Documents of a request.")
  var documents = 10

  @Option(help: "Instead, send so many requests and watch the gateway's memory.")
  var soak: Int?

  private static let soakClients = 64
  private static let warmUpSeconds = 3.0

  func validate() throws {
    guard seconds >= 1, documents >= 1 else {
      throw ValidationError("--seconds and --documents must be at least 1")
    }
    guard soak.map({ (10_000...500_000).contains($0) }) ?? true else {
      throw ValidationError("--soak: give 10000 to 500000")
    }
  }

  func run() async throws {
    let folder = try DataFolder(below: NSTemporaryDirectory())
    let interruption = Interruption(removing: folder)
    defer {
      interruption.cancel()
      ServerProcess.killAll()
      folder.remove()
    }
    let levels = try clients.split(separator: ",").map { text in
      guard let count = Int(text), (1...512).contains(count) else {
        throw ValidationError("--clients: give numbers from 1 to 512")
      }
      return count
    }
    let rerankd = try await RerankdServer.start(in: folder, retentionJobs: 5_000)
    let gateway = try await GatewayServer.start(in: folder, queue: rerankd.endpoint)
    let load = HTTPLoad(port: gateway.port, documents: documents)
    var report = GatewayReport(
      machine: .current(), fileSystem: folder.fileSystem, documents: documents,
      requestBytes: load.requestBytes)
    _ = try await load.run(clients: 8, seconds: Self.warmUpSeconds, requestsMax: .max)
    if let soak {
      report.soak = try await watch(load, gateway, requests: soak)
    } else {
      for count in levels {
        report.probes.append(try .measure("before \(count)", in: folder, seconds: 1))
        let before = try gateway.usage(rerankd)
        let result = try await load.run(
          clients: count, seconds: Double(seconds), requestsMax: .max)
        report.levels.append(
          .init(clients: count, result, before: before, after: try gateway.usage(rerankd)))
      }
      report.probes.append(try .measure("after", in: folder, seconds: 1))
    }
    try await gateway.process.end()
    try await rerankd.end()
    print(report.text)
    if let json { try report.write(to: json) }
  }

  private func watch(
    _ load: HTTPLoad, _ gateway: GatewayServer, requests: Int
  ) async throws -> [GatewayReport.Sample] {
    let parts = 10
    var samples: [GatewayReport.Sample] = []
    for part in 1...parts {
      _ = try await load.run(
        clients: Self.soakClients, seconds: .infinity, requestsMax: requests / parts)
      let bytes = try ProcessUsage.read(gateway.process.processID).residentBytes
      samples.append(
        .init(requests: requests / parts * part, gatewayMiB: Measurement.mebibytes(bytes)))
    }
    return samples
  }
}
