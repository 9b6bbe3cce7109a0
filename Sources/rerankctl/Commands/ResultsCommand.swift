import ArgumentParser
import RerankdClient
import RerankdProtocol
import Synchronization

struct ResultsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "results",
    abstract: "Takes the outcomes of a reply channel, and acknowledges each that it printed.",
    discussion: """
      rerankctl results --reply-channel mine                  until Ctrl-C
      rerankctl results --reply-channel mine --count 100 -o jsonl
      rerankctl results --reply-channel mine --idle 5s

      Consumers of one channel compete. An outcome that was not acknowledged is delivered again. One
      job's outcome alone: rerankctl jobs show ID.
      """)

  @Option(help: "The channel that the jobs named.")
  var replyChannel: String

  @Option(help: "The tenant that the channel belongs to.")
  var tenant = ""

  @Option(help: "End after so many.")
  var count: Int?

  @Option(help: "End when nothing has come for so long.")
  var idle: TimeArgument?

  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    if let count, count < 1 { throw ValidationError("--count must be at least 1") }
  }

  func run() async throws {
    try await connection.withClient { client in
      let reader = OutcomeReader(
        channel: replyChannel, tenant: tenant, count: count, format: connection.output)
      let idle = idle?.duration
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await reader.read(from: client) }
        if let idle { group.addTask { try await reader.waitUntilIdle(for: idle) } }
        // Whichever ends first: enough was taken, or nothing came for long enough.
        try await group.next()
        group.cancelAll()
      }
    }
  }
}

/// Takes, prints and acknowledges outcomes, and knows when the last one came.
private final class OutcomeReader: Sendable {
  private let channel: String
  private let tenant: String
  private let count: Int?
  private let format: OutputFormat
  private let lastArrival = Mutex(ContinuousClock.now)

  init(channel: String, tenant: String, count: Int?, format: OutputFormat) {
    self.channel = channel
    self.tenant = tenant
    self.count = count
    self.format = format
  }

  /// Returns when enough were taken, or the task is cancelled.
  func read(from client: QueueClient) async throws {
    var taken = 0
    do {
      for try await delivery in client.receive(channel: channel, tenant: tenant) {
        lastArrival.withLock { $0 = .now }
        try show(OutcomeView(delivery.outcome, documents: []))
        await delivery.acknowledge()
        taken += 1
        if taken == count { return }
      }
    } catch let error as CallError where error.code == .cancelled && Task.isCancelled {
      return
    }
  }

  func waitUntilIdle(for idle: Duration) async throws {
    while true {
      let end = lastArrival.withLock { $0 } + idle
      guard end > .now else { return }
      try await Task.sleep(until: end)
    }
  }

  /// A stream of outcomes has no end that a table or an array could wait for: a line each.
  private func show(_ view: OutcomeView) throws {
    let printer = Printer(format: format)
    guard format == .table else {
      printer.write(try Printer.json(view, pretty: false) + "\n")
      return
    }
    let ranking = (view.results ?? []).prefix(5)
      .map { "\($0.index):\(OutcomeView.fixed($0.relevanceScore))" }.joined(separator: " ")
    let more = (view.results?.count ?? 0) > 5 ? " …" : ""
    let noted = view.singled.map { "  (\($0))" } ?? ""
    let key = view.idempotencyKey.map { "  \($0)" } ?? ""
    let what = view.error.map { "\($0.code): \($0.message)" } ?? ranking + more + noted
    printer.write("\(view.jobId)\(key)  \(view.state)  \(what)\n")
  }
}
