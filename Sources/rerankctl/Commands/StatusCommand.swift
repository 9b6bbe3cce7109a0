import ArgumentParser
import Foundation
import RerankdClient
import RerankdProtocol

struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Prints what the queue holds and how it fares.",
    discussion: """
      rerankctl status
      rerankctl status --watch                    a live view; q ends it
      rerankctl status --watch --interval 10s | tee status.log
      rerankctl status -o json | jq '.models[] | {name, ready}'

      With --watch and no terminal it prints a block an interval, or a JSON line with --output json.
      """)

  @Flag(name: .shortAndLong, help: "Show it again and again, with rates.")
  var watch = false

  @Option(help: "How often, with --watch.")
  var interval = TimeArgument(.seconds(1))

  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    if interval.duration < .milliseconds(100) {
      throw ValidationError("--interval must be at least 100ms")
    }
  }

  func run() async throws {
    try await connection.withQueues { queues in
      if watch {
        try await StatusWatch(
          queues: queues.all, interval: interval.duration, printer: connection.printer
        ).run()
      } else {
        try await printOnce(queues)
      }
    }
  }

  private func printOnce(_ queues: Queues) async throws {
    guard queues.all.count > 1 else {
      let queue = try queues.only
      let view = StatusView(try await queue.client.status())
      return try connection.printer.object(view) {
        report(QueueReading(endpoint: queue.endpoint, status: view)).text
      }
    }
    let readings = await StatusWatch.readAll(queues.all)
    let now = JobView.time(Int64(Date().timeIntervalSince1970 * 1_000))
    try connection.printer.object(StatusReadings(time: now, queues: readings)) {
      readings.map { report($0).text }.joined(separator: "\n")
    }
    // The others are shown; that one is away is still no success.
    let away = readings.count { $0.error != nil }
    if away == readings.count { throw CommandFailure.queueAway }
    if away > 0 { throw CommandFailure.unsuccessful }
  }

  private func report(_ reading: QueueReading) -> StatusReport {
    var queue = WatchedQueue(endpoint: reading.endpoint)
    _ = queue.take(reading, at: .now)
    return StatusReport(
      queue: queue, widthMax: Printer.terminalWidth, palette: connection.printer.palette)
  }
}
