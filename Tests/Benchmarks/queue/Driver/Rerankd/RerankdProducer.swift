import RerankdClient
import RerankdProtocol
import Scoring
import Synchronization

/// One producer with a connection and a reply channel of its own, which keeps `depth` jobs in
/// flight.
///
/// Places that are free at the same moment are filled by one Submit, which does not wait for the
/// one before: the library's way to pipeline.
final class RerankdProducer: Sendable {
  private struct State {
    /// When each job that the queue has accepted was submitted.
    var submittedAt: [UInt64: Int64] = [:]
    /// Replies that came before the answer to their Submit was looked at.
    var early: [UInt64: Int64] = [:]
    /// The job whose reply was acknowledged last.
    var lastReply: JobID?
  }

  private let depth: Int
  private let channel: String
  private let job: RerankJob
  private let client: QueueClient
  private let recorder: LifecycleRecorder
  private let stop: StopFlag
  private let state = Mutex(State())
  private let replies = Gathering<ReceivedDelivery>()

  private static let documents = 8
  private static let settleSeconds: Int64 = 10

  init(
    index: Int, shape: LoadShape, endpoint: String, recorder: LifecycleRecorder, stop: StopFlag
  ) throws {
    depth = shape.depth
    channel = "producer-\(index)"
    job = try Self.job(payloadBytes: shape.payloadBytes, channel: channel)
    var configuration = try ClientConfiguration(endpoint: endpoint)
    configuration.deliveriesHeldMax = 2 * shape.depth
    // A key is kept for a day, whatever retention says; Redis has none.
    configuration.makesIdempotencyKeys = false
    client = try QueueClient(configuration)
    self.recorder = recorder
    self.stop = stop
  }

  /// Returns once all that was submitted has ended and its acknowledgements are on disk.
  func run() async throws {
    try await withThrowingTaskGroup { group in
      group.addTask { [self] in
        defer { replies.finish() }
        for try await delivery in client.receive(channel: channel) { replies.add(delivery) }
      }
      group.addTask { [self] in
        try await keepInFlight()
        try await waitUntilRecorded()
      }
      // One that fails ends both; else the consumer goes on until nothing more is in flight.
      try await group.next()
      group.cancelAll()
    }
    await client.close()
  }

  private func keepInFlight() async throws {
    try await withThrowingTaskGroup { group in
      group.addTask { [self] in try await submit(depth) }
      var inFlight = depth
      while inFlight > 0 {
        let arrived = await replies.next()
        guard !arrived.isEmpty else { break }
        let now = monotonicNanoseconds()
        for delivery in arrived { try note(delivery, at: now) }
        inFlight -= arrived.count
        let free = stop.isSet ? 0 : arrived.count
        inFlight += free
        // Before the acknowledgements: nobody waits for those to be recorded.
        if free > 0 { group.addTask { [self] in try await submit(free) } }
        await acknowledge(arrived)
        recorder.completed(arrived.count)
      }
      try await group.waitForAll()
    }
  }

  private func submit(_ count: Int) async throws {
    let start = monotonicNanoseconds()
    let outcomes: [SubmitOutcome]
    do {
      outcomes = try await client.submit(Array(repeating: job, count: count))
    } catch {
      replies.finish()
      throw error
    }
    let latency = monotonicNanoseconds() - start
    for outcome in outcomes {
      if let error = CallError(status: outcome.error) {
        replies.finish()
        throw error
      }
      recorder.submitAcknowledged(after: latency)
      let repliedAt = state.withLock { state -> Int64? in
        if let repliedAt = state.early.removeValue(forKey: outcome.jobID) { return repliedAt }
        state.submittedAt[outcome.jobID] = start
        return nil
      }
      if let repliedAt { recorder.replied(after: repliedAt - start) }
    }
  }

  private func note(_ delivery: ReceivedDelivery, at now: Int64) throws {
    guard delivery.outcome.state == .succeeded else {
      throw BenchmarkError("job \(delivery.jobID) ended otherwise: \(delivery.outcome.error)")
    }
    let submittedAt = state.withLock { state -> Int64? in
      if let submittedAt = state.submittedAt.removeValue(forKey: delivery.jobID.rawValue) {
        return submittedAt
      }
      state.early[delivery.jobID.rawValue] = now
      return nil
    }
    if let submittedAt { recorder.replied(after: now - submittedAt) }
  }

  /// At once, so that they travel together.
  private func acknowledge(_ deliveries: [ReceivedDelivery]) async {
    await withDiscardingTaskGroup { group in
      for delivery in deliveries { group.addTask { await delivery.acknowledge() } }
    }
    if let last = deliveries.last { state.withLock { $0.lastReply = last.jobID } }
  }

  /// Acknowledgements are counted when they are sent, and recorded in the order in which they were:
  /// when the last is on disk, all are.
  private func waitUntilRecorded() async throws {
    guard let last = state.withLock(\.lastReply) else { return }
    let deadline = monotonicNanoseconds() + Self.settleSeconds * 1_000_000_000
    while try await client.job(last).delivery != .acknowledged {
      guard monotonicNanoseconds() < deadline else {
        throw BenchmarkError("the acknowledgement of job \(last) was never recorded")
      }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  /// A query and eight documents of one length, so many bytes when serialized.
  private static func job(payloadBytes: Int, channel: String) throws -> RerankJob {
    func job(documentBytes: Int) throws -> RerankJob {
      let document = String(repeating: "d", count: documentBytes)
      var job = try RerankJob(
        RerankRequest(
          query: "what is measured here?", documents: Array(repeating: document, count: documents)),
        model: NullEngine.model.name)
      job.spec.replyChannel = channel
      return job
    }
    let overhead = try job(documentBytes: 64).request.count - documents * 64
    return try job(documentBytes: max(1, (payloadBytes - overhead) / documents))
  }
}
