import ArgumentParser
import Foundation
import RerankdClient
import RerankdProtocol

struct SubmitCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "submit",
    abstract: "Submits jobs, one JSON object a line, and returns when all are on the queue's disk.",
    discussion: """
      rerankctl submit jobs.jsonl --reply-channel mine
      producer | rerankctl submit - --key-prefix nightly-2026-11-24
      jq -c '.request | del(.idempotency_key)' exported.jsonl | rerankctl submit -

      A line: {"query": "…", "documents": ["…", {"text": "…"}, {"image_url": "…"}]}, and where wanted
      model, top_n, instruction, tenant, priority, idempotency_key, reply_channel, reply_to,
      not_before_ms, deadline_ms, max_attempts, allow_fallback, max_tokens_per_doc, over_budget
      (reject, truncate, windows), document_failure (fail_job, per_document). What a line does not say,
      the flags do.

      With keys (idempotency_key, or --key-prefix), submitting the same file again after a failure
      makes no job twice. A queue that restarts or is full is waited for.
      """)

  @Argument(
    help: "A JSONL file; \"-\" for standard input.", completion: .file(extensions: ["jsonl"]))
  var file: String

  @Option(help: "Deliver the outcomes to this channel.")
  var replyChannel: String?

  @Option(help: "Lines without an idempotency key get one: this, a dash and their line's number.")
  var keyPrefix: String?

  @Option(help: "Wait so long for a queue that is away or full before giving up.")
  var patience = TimeArgument(.seconds(300))

  @OptionGroup var job: JobOptions
  @OptionGroup var connection: ConnectionOptions

  /// Jobs and bytes of one call: few enough that progress moves, enough that commits carry many.
  private static let batchJobs = 256
  private static let batchBytes = 4 << 20

  func run() async throws {
    try await connection.withClient { client in
      var submission = Submission(
        file: file, patience: patience.duration,
        progress: SubmitProgress(printer: connection.printer)
      ) { try await client.submit($0) }
      do {
        try await submitAll(&submission)
      } catch {
        submission.progress.stop()
        if submission.progress.taken > 0 {
          CommandFailure.say(
            keyPrefix == nil
              ? "lines with an idempotency_key can be submitted again; --key-prefix gives all one"
              : "the same command again submits the rest")
        }
        throw error
      }
      submission.progress.finish()
      if submission.progress.refused > 0 { throw CommandFailure.unsuccessful }
    }
  }

  private func submitAll(_ submission: inout Submission) async throws {
    var reader = try LineReader(path: file)
    // Every job has a key, so that one whose answer was lost can be submitted again.
    let keys = keyPrefix ?? "submit-" + String(UInt64.random(in: .min ... .max), radix: 36)
    var bytes = 0
    var broken: (any Error)?
    while let line = reader.next() {
      guard !line.allSatisfy(\.isWhitespace) else { continue }
      var defaults = job.defaults
      defaults.spec.replyChannel = replyChannel ?? ""
      defaults.spec.idempotencyKey = "\(keys)-\(reader.line)"
      let job: RerankJob
      do {
        job = try JobLine(line, at: reader.place, defaults: defaults).job()
      } catch {
        broken = error
        break
      }
      submission.batch.append((reader.line, job))
      bytes += job.request.count
      if submission.batch.count >= Self.batchJobs || bytes >= Self.batchBytes {
        try await submission.send(share: reader.share)
        bytes = 0
      }
    }
    // What was read before a broken line is submitted, and the error names the line to mend.
    try await submission.send(share: reader.share)
    if let error = broken ?? reader.error { throw error }
  }
}

/// Brings batches to the queue, across its restarts and its fullness.
private struct Submission {
  let file: String
  let patience: Duration
  var progress: SubmitProgress
  var batch: [(line: Int, job: RerankJob)] = []
  private let submit: ([RerankJob]) async throws -> [SubmitOutcome]
  private var hasBeenAnswered = false

  /// Between two tries, where the queue does not say.
  private static let pause = Duration.milliseconds(250)

  init(
    file: String, patience: Duration, progress: SubmitProgress,
    submit: @escaping ([RerankJob]) async throws -> [SubmitOutcome]
  ) {
    self.file = file
    self.patience = patience
    self.progress = progress
    self.submit = submit
  }

  /// Returns when every job of the batch was taken or refused for good.
  mutating func send(share: Double?) async throws {
    var end = ContinuousClock.now + patience
    while !batch.isEmpty {
      let setback: CallError
      do {
        let outcomes = try await submit(batch.map(\.job))
        hasBeenAnswered = true
        let before = batch.count
        guard let refusal = try settle(outcomes, mayWait: .now < end) else {
          progress.show(before, share: share)
          return
        }
        // Whoever takes some will take more.
        if batch.count < before { end = .now + patience }
        progress.show(before - batch.count, share: share, note: refusal.message)
        setback = refusal
      } catch let error as CallError
        where [.unavailable, .deadlineExceeded].contains(error.code) && hasBeenAnswered
        && !error.isOfDraining && .now < end
      {
        progress.show(0, share: share, note: error.message)
        setback = error
      }
      try await Task.sleep(for: setback.retryAfter ?? Self.pause)
    }
  }

  /// Notes what was decided; the others stay in the batch.
  ///
  /// - Returns: why they were not taken, where there are any.
  private mutating func settle(
    _ outcomes: [SubmitOutcome], mayWait: Bool
  ) throws -> CallError? {
    var rest: [(line: Int, job: RerankJob)] = []
    var refusal: CallError?
    for (entry, outcome) in zip(batch, outcomes) {
      if mayWait, outcome.hasError, let error = CallError(status: outcome.error),
        error.isRetryable, !error.isOfDraining
      {
        rest.append(entry)
        refusal = error
      } else {
        try progress.add(outcome, line: entry.line, file: file)
      }
    }
    batch = rest
    return refusal
  }
}
