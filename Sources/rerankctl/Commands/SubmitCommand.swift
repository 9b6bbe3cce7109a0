import ArgumentParser
import RerankdClient
import RerankdProtocol

struct SubmitCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "submit",
    abstract: "Submits jobs, one JSON object a line, and returns when all are on the queue's disk.",
    discussion: """
      rerankctl submit jobs.jsonl --reply-channel mine
      producer | rerankctl submit - --key-prefix nightly-2026-11-24

      A line: {"query": "…", "documents": ["…", {"text": "…"}, {"image_url": "…"}]}, and where wanted
      model, top_n, instruction, tenant, priority, idempotency_key, reply_channel, reply_to,
      not_before_ms, deadline_ms, max_attempts, allow_fallback, max_tokens_per_doc, over_budget
      (reject, truncate, windows), document_failure (fail_job, per_document). What a line does not say,
      the flags do.

      With keys, submitting the same file again after a failure makes no job twice.
      """)

  @Argument(help: "A JSONL file; \"-\" for standard input.")
  var file: String

  @Option(help: "Deliver the outcomes to this channel.")
  var replyChannel: String?

  @Option(help: "Lines without an idempotency key get one: this, a dash and their line's number.")
  var keyPrefix: String?

  @OptionGroup var job: JobOptions
  @OptionGroup var connection: ConnectionOptions

  /// Jobs and bytes of one call: few enough that progress moves, enough that commits carry many.
  private static let batchJobs = 256
  private static let batchBytes = 4 << 20

  func run() async throws {
    try await connection.withClient { client in
      var reader = try LineReader(path: file)
      var progress = SubmitProgress(printer: connection.printer)
      var batch: [(line: Int, job: RerankJob)] = []
      var bytes = 0
      while let line = reader.next() {
        guard !line.allSatisfy(\.isWhitespace) else { continue }
        let job = try job(of: line, at: reader)
        batch.append((reader.line, job))
        bytes += job.request.count
        if batch.count >= Self.batchJobs || bytes >= Self.batchBytes {
          try await submit(&batch, client, &progress)
          bytes = 0
        }
      }
      // What was read before a broken line is submitted, and the error names the line to mend.
      try await submit(&batch, client, &progress)
      if let error = reader.error { throw error }
      try progress.finish()
      if progress.refused > 0 { throw CommandFailure.unsuccessful }
    }
  }

  private func job(of line: String, at reader: LineReader) throws -> RerankJob {
    var defaults = job.defaults
    defaults.spec.replyChannel = replyChannel ?? ""
    if let keyPrefix { defaults.spec.idempotencyKey = "\(keyPrefix)-\(reader.line)" }
    return try JobLine(line, at: reader.place, defaults: defaults).job()
  }

  private func submit(
    _ batch: inout [(line: Int, job: RerankJob)], _ client: QueueClient,
    _ progress: inout SubmitProgress
  ) async throws {
    guard !batch.isEmpty else { return }
    let outcomes = try await client.submit(batch.map(\.job))
    for (entry, outcome) in zip(batch, outcomes) {
      try progress.add(outcome, line: entry.line, file: file)
    }
    batch.removeAll(keepingCapacity: true)
  }
}
