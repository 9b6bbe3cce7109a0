import Foundation
import Logging
import RerankdClient
import RerankdProtocol
import ServiceLifecycle

/// Tells the queue about once a second how many workers run here, and hears how many are wanted:
/// `rerankctl workers scale`.
struct SupervisorReports: Service {
  var client: ClientConfiguration
  var fleet: WorkerFleet
  var logger: Logger
  var interval: Duration = .seconds(1)

  func run() async throws {
    let client = try QueueClient(client)
    let processID = ProcessInfo.processInfo.processIdentifier
    let host = ProcessInfo.processInfo.hostName
    var wasHeard = true
    while !Task.isShuttingDownGracefully && !Task.isCancelled {
      let figures = fleet.figures
      var report = SuperviseRequest()
      report.supervisorID = "\(host.filter(\.isASCII).prefix(100))-\(processID)"
      report.host = host
      report.processID = UInt32(clamping: processID)
      report.workersRunning = UInt32(clamping: figures.running)
      report.workersWanted = UInt32(clamping: figures.wanted)
      report.workersMax = UInt32(clamping: figures.workersMax)
      do {
        if let wanted = try await client.supervise(report, timeout: .seconds(5)) {
          fleet.want(Int(wanted))
        }
        wasHeard = true
      } catch {
        // Once for each time: the queue may be away for long.
        if wasHeard, !Task.isShuttingDownGracefully {
          logger.info("the queue was not told how many workers run: \(error)")
        }
        wasHeard = false
      }
      try? await cancelWhenGracefulShutdown { try await Task.sleep(for: interval) }
    }
    await client.close()
  }
}
