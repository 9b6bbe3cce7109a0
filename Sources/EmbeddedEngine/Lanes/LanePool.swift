import Foundation
import Scoring

/// The engine's threads and the jobs that wait for them.
///
/// A free lane fills one batch with the next documents of the jobs in the `JobLine`, so several
/// jobs can share it. A job ends with its last document, its first error, its cancellation or its
/// deadline: nothing of that touches the others in its batches, and what lanes still compute for it
/// then is thrown away.
///
/// Sendable, since everything mutable is touched only while `condition` is locked.
final class LanePool: @unchecked Sendable {
  let configuration: EmbeddedEngineConfiguration
  private let onBatch: @Sendable (EmbeddedEngine.Batch) -> Void
  private let prefixes: PrefixCache
  private let condition = NSCondition()
  private var line = JobLine<Running>()
  private var jobCount = 0
  private var busyLaneCount = 0
  private var isStopped = false

  /// How far the lanes are with a job. Touched only under the pool's lock, `job` aside.
  private final class Running: @unchecked Sendable {
    let job: ScoringJob
    var output: ScoringJob.Output
    var documentsLeft: Int
    /// nil before the job is admitted and after it has ended.
    var continuation: CheckedContinuation<ScoringJob.Output, any Error>?
    var isCancelled = false

    init(_ job: ScoringJob) {
      self.job = job
      documentsLeft = job.documents.count
      output = ScoringJob.Output(
        logits: Array(repeating: 0, count: job.placeCount), tokenCount: 0)
    }
  }

  init(
    configuration: EmbeddedEngineConfiguration,
    onBatch: @escaping @Sendable (EmbeddedEngine.Batch) -> Void = { _ in }
  ) {
    self.configuration = configuration
    self.onBatch = onBatch
    prefixes = PrefixCache(bytesMax: configuration.prefixBytesMax)
    for lane in 0..<configuration.laneCount {
      Thread.detachNewThread {
        Thread.current.name = "engine-lane-\(lane)"
        self.runLane()
      }
    }
  }

  /// Ends the threads. The engine calls it when it goes, and so no job is left.
  func stop() {
    condition.withLock {
      isStopped = true
      condition.broadcast()
    }
  }

  var jobsUnderWay: Int { condition.withLock { jobCount } }

  func run(_ job: ScoringJob) async throws -> ScoringJob.Output {
    let running = Running(job)
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        admit(running, continuation)
      }
    } onCancel: {
      condition.withLock {
        running.isCancelled = true
        end(running, .failure(CancellationError()))
      }
    }
  }

  private func admit(
    _ running: Running, _ continuation: CheckedContinuation<ScoringJob.Output, any Error>
  ) {
    condition.withLock {
      guard !running.isCancelled else { return continuation.resume(throwing: CancellationError()) }
      guard jobCount < configuration.jobsMax else {
        return continuation.resume(
          throwing: EngineError(
            code: .resourceExhausted,
            message: "the embedded engine has \(jobCount) jobs already, as many as it takes",
            isRetryable: true))
      }
      jobCount += 1
      running.continuation = continuation
      line.append(
        running, model: ObjectIdentifier(running.job.model),
        tokenCounts: running.job.roughTokenCounts)
      condition.broadcast()
    }
  }

  /// Ends the job once; later calls do nothing. Called under the lock.
  private func end(_ running: Running, _ result: Result<ScoringJob.Output, any Error>) {
    guard let continuation = running.continuation else { return }
    running.continuation = nil
    jobCount -= 1
    line.remove(running)
    continuation.resume(with: result)
  }

  private func runLane() {
    var work = LaneWork(
      batchTokensMax: configuration.chunkTokensMax, prefixes: prefixes, onBatch: onBatch)
    while let batch = nextBatch() {
      work.score(
        batch.map { running, documents in
          LaneWork.Part(
            job: running.job, documents: running.job.order[documents],
            continuing: { try self.checkContinues(running) },
            found: { result in self.condition.withLock { self.finish(running, result) } })
        })
      condition.withLock { busyLaneCount -= 1 }
    }
  }

  /// Waits for documents; nil when the pool has stopped.
  private func nextBatch() -> [(job: Running, documents: Range<Int>)]? {
    condition.withLock {
      while line.isEmpty && !isStopped { condition.wait() }
      guard !isStopped else { return nil }
      let batch = line.takeBatch(
        tokensMax: configuration.chunkTokensMax,
        freeLanes: configuration.laneCount - busyLaneCount)
      busyLaneCount += 1
      return batch
    }
  }

  private func checkContinues(_ running: Running) throws {
    guard condition.withLock({ running.continuation != nil }) else { throw CancellationError() }
    guard running.job.deadline > .now else {
      throw EngineError(
        code: .deadlineExceeded, message: "the job's deadline passed before all was scored",
        isRetryable: false)
    }
  }

  /// Writes down what a lane found. Called under the lock.
  private func finish(_ running: Running, _ result: Result<[LaneWork.Scored], any Error>) {
    switch result {
    case .failure(let error):
      end(running, .failure(error))
    case .success(let scored):
      for one in scored {
        let places = running.job.documents[one.document].places
        for place in places { running.output.logits[place] = one.logit }
        running.output.tokenCount += one.tokenCount * places.count
      }
      running.documentsLeft -= scored.count
      if running.documentsLeft == 0 { end(running, .success(running.output)) }
    }
  }
}
