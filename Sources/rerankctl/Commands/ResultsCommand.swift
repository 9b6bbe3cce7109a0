import ArgumentParser
import RerankdClient
import RerankdProtocol
import Synchronization

struct ResultsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "results",
    abstract: "Takes the outcomes of a reply channel, and acknowledges each that it wrote.",
    discussion: """
      rerankctl results --reply-channel mine                  what is there
      rerankctl results --reply-channel mine --follow         and what comes, until Ctrl-C
      rerankctl results --reply-channel mine --follow --file results.jsonl
      rerankctl results --reply-channel mine --count 100 -o jsonl

      Consumers of one channel compete. An outcome that was not acknowledged is delivered again; to a
      file it is written to the disk first, so that after a crash one may be there twice, and none is
      missing. A queue that restarts is waited for. One job's outcome alone: rerankctl jobs show ID.
      """)

  @Option(help: "The channel that the jobs named.")
  var replyChannel: String

  @Option(help: "The tenant that the channel belongs to.")
  var tenant = ""

  @Flag(name: .shortAndLong, help: "Go on until Ctrl-C.")
  var follow = false

  @Option(help: "End after so many.")
  var count: Int?

  @Option(help: "End when nothing has come for so long; 2s without --follow and --count.")
  var idle: TimeArgument?

  @Option(
    help: "Append JSON lines to this file instead of printing.",
    completion: .file(extensions: ["jsonl"]))
  var file: String?

  @OptionGroup var connection: ConnectionOptions

  func validate() throws {
    if let count, count < 1 { throw ValidationError("--count must be at least 1") }
    if follow, idle != nil { throw ValidationError("--follow has no end that --idle could be") }
  }

  func run() async throws {
    try await connection.withClient { client in
      // A queue that is not there at all is an error; one that goes away later is waited for.
      _ = try await client.models()
      let sink = try OutcomeSink(file: file, printer: connection.printer)
      let waits = follow || count != nil
      let idle = idle?.duration ?? (waits ? nil : .seconds(2))
      let (channel, tenant, count) = (replyChannel, tenant, count)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          do {
            for try await delivery in client.receive(channel: channel, tenant: tenant) {
              let taken = try sink.take(delivery.outcome)
              await delivery.acknowledge()
              if taken == count { return }
            }
          } catch let error as CallError where error.code == .cancelled && Task.isCancelled {
            return
          }
        }
        if let idle { group.addTask { try await sink.waitUntilIdle(for: idle) } }
        // Whichever ends first: enough was taken, or nothing came for long enough.
        try await group.next()
        group.cancelAll()
      }
      if let file {
        CommandFailure.say("\(Quantity.count(sink.taken, "outcome")) added to \(file)")
      }
    }
  }
}

extension ResultsCommand {
  /// Whether a line is an outcome, and no exported job that has one.
  static func isOutcome(_ line: JSONLinesFile.Line) -> Bool {
    guard case .string(let id)? = line["job_id"], case .string? = line["state"] else {
      return false
    }
    return JobID(id) != nil && line["submitted"] == nil
  }
}

/// Prints outcomes or writes them to a file, and knows how many there were and when the last came.
private final class OutcomeSink: Sendable {
  private struct State {
    var file: JSONLinesFile?
    var taken = 0
    var lastArrival = ContinuousClock.now
  }

  private let printer: Printer
  private let state: Mutex<State>

  init(file: String?, printer: Printer) throws {
    self.printer = printer
    let lines = try file.map {
      try JSONLinesFile(path: $0, resumes: true, isOwn: ResultsCommand.isOutcome)
    }
    state = Mutex(State(file: lines))
  }

  var taken: Int { state.withLock(\.taken) }

  /// - Returns: how many there were, this one included.
  func take(_ outcome: JobOutcome) throws -> Int {
    let view = OutcomeView(outcome, documents: [])
    return try state.withLock { state in
      state.lastArrival = .now
      state.taken += 1
      if let file = state.file {
        try file.append(Printer.json(view, pretty: false))
        try file.flush(toDisk: true)
      } else {
        try show(view)
      }
      return state.taken
    }
  }

  func waitUntilIdle(for idle: Duration) async throws {
    while true {
      let end = state.withLock(\.lastArrival) + idle
      guard end > .now else { return }
      try await Task.sleep(until: end)
    }
  }

  /// A stream of outcomes has no end that a table or an array could wait for: a line each.
  private func show(_ view: OutcomeView) throws {
    guard printer.format == .table else {
      printer.write(try Printer.json(view, pretty: false) + "\n")
      return
    }
    let ranking = (view.results ?? []).prefix(5)
      .map { "\($0.index):\(OutcomeView.fixed($0.relevanceScore))" }.joined(separator: " ")
    let more = (view.results?.count ?? 0) > 5 ? " …" : ""
    let noted = view.singled.map { "  (\($0))" } ?? ""
    let key = view.idempotencyKey.map { "  \($0)" } ?? ""
    let what = view.error?.description ?? ranking + more + noted
    let state = printer.palette.paint(view.state, JobState(argument: view.state)?.style)
    printer.write("\((view.jobId + key).printable)  \(state)  \(what.printable)\n")
  }
}
