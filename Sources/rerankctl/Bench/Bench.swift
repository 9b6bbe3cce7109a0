import RerankdClient
import RerankdProtocol

/// Sends jobs to a queue and waits for each: so many at a time, the next when one has ended.
struct Bench {
  var client: ShardedClient
  var jobs: Int
  var concurrency: Int
  /// The job of a number from 0.
  var job: @Sendable (Int) throws -> BenchJob

  func run() async throws -> BenchView {
    var tally = BenchTally()
    var progress = CountProgress(noun: "job")
    defer { progress.finish() }
    let start = ContinuousClock.now
    try await withThrowingTaskGroup(of: (Result<Int, CallError>, Duration).self) { group in
      var next = 0
      func addNext() throws {
        guard next < jobs else { return }
        let job = try job(next)
        next += 1
        group.addTask { await ended(job) }
      }
      for _ in 0..<concurrency { try addNext() }
      while let (result, latency) = try await group.next() {
        tally.add(result, after: latency)
        progress.add(1, share: Double(tally.count) / Double(jobs))
        try addNext()
      }
    }
    return BenchView(tally, concurrency: concurrency, took: start.duration(to: .now))
  }

  /// Of a job that succeeded: how many documents it had.
  private func ended(_ job: BenchJob) async -> (Result<Int, CallError>, Duration) {
    let start = ContinuousClock.now
    let result: Result<Int, CallError>
    do throws(CallError) {
      _ = try await client.rerank(job.job, cancelsJob: true).rankedResult()
      result = .success(job.documents)
    } catch {
      result = .failure(error)
    }
    return (result, start.duration(to: .now))
  }
}

struct BenchJob {
  var job: RerankJob
  var documents: Int

  /// Only what a job is: a key would find the job that was there before, and a channel or an
  /// address would bring its result to somebody who did not ask.
  init(_ line: JobLine) throws {
    var line = line
    line.spec.idempotencyKey = ""
    line.spec.replyChannel = ""
    line.spec.replyTo = ""
    line.spec.notBeforeMs = 0
    job = try line.job()
    documents = line.request.documents.count
  }
}
