import CallTransport
import RerankdClient
import RerankdProtocol
import SwiftProtobuf
import Synchronization
import Testing
import WireTestSupport
import ZeroMQ

@Suite(.timeLimit(.minutes(1))) struct QueueClientTests {
  private func client(
    of endpoint: Endpoint, _ adjust: (inout ClientConfiguration) -> Void = { _ in }
  ) throws -> QueueClient {
    var configuration = try ClientConfiguration(endpoint: endpoint.text)
    configuration.connection.connectTimeout = .milliseconds(500)
    configuration.connection.reopenBackoffMax = .milliseconds(50)
    configuration.retryBackoffMax = .milliseconds(50)
    adjust(&configuration)
    return try QueueClient(configuration)
  }

  private func job(_ text: String, key: String = "") throws -> RerankJob {
    var job = try RerankJob(RerankRequest(query: text, documents: ["a", "b"]), model: "m")
    job.spec.idempotencyKey = key
    return job
  }

  @Test func jobsAreAnsweredInTheirOrder() async throws {
    let queue = try FakeJobs().queue()
    let client = try client(of: queue.endpoint)
    let outcomes = try await client.submit([job("x"), job("refused"), job("y")])
    #expect(outcomes.map(\.jobID) == [1, 0, 2])
    #expect(CallError(status: outcomes[1].error)?.code == .notFound)
    await client.close()
  }

  @Test func largeBatchBecomesSeveralCalls() async throws {
    let queue = try FakeJobs().queue()
    let client = try client(of: queue.endpoint) {
      $0.connection.limits.submitJobsMax = 4
      $0.submitBytesMax = 100
    }
    let small = try (0..<9).map { try job("\($0)") }
    let large = try job(String(repeating: "x", count: 200))
    let outcomes = try await client.submit(small + [large, large])
    #expect(outcomes.map(\.jobID) == (1...11).map { UInt64($0) })
    // 4 + 4 + 1 by count, then the large ones alone.
    #expect(queue.arrivals.count == 5)
    await client.close()
  }

  @Test func jobsWithoutAKeyGetOneEach() async throws {
    let fake = FakeJobs()
    let queue = try fake.queue()
    let client = try client(of: queue.endpoint)
    _ = try await client.submit([job("x"), job("y", key: "mine"), job("z")])
    let keys = fake.jobs.withLock { $0.map(\.spec.idempotencyKey) }
    #expect(keys[1] == "mine")
    #expect(keys[0].hasPrefix("auto-") && keys[2].hasPrefix("auto-") && keys[0] != keys[2])
    await client.close()
  }

  @Test func rankedResultComesBack() async throws {
    let queue = try FakeJobs().queue()
    let client = try client(of: queue.endpoint)
    let result = try await client.rerank(
      RerankRequest(query: "x", documents: ["a", "b"]), model: "m")
    #expect(result.results.map(\.index) == [1, 0])
    let error = await #expect(throws: CallError.self) {
      try await client.rerank(RerankRequest(query: "refused", documents: ["a"]), model: "m")
    }
    #expect(error?.code == .notFound)
    await client.close()
  }

  @Test func rerankOutlivesARestartWithTheSameKey() async throws {
    let hanging = FakeJobs(answers: false)
    let first = try hanging.queue()
    let client = try client(of: first.endpoint)
    let job = try job("x")
    let waiting = Task { try await client.rerank(job, timeout: .seconds(30)) }
    _ = try await first.arrival { $0.payloadBytes > 0 }
    await first.stop()
    let fake = FakeJobs()
    let second = try fake.queue(at: first.endpoint.text)
    #expect(try await waiting.value.state == .succeeded)
    #expect(
      fake.jobs.withLock { $0.map(\.spec.idempotencyKey) }
        == hanging.jobs.withLock { $0.map(\.spec.idempotencyKey) })
    #expect(second.arrivals.count == 1)
    await client.close()
  }

  @Test func callerWhoLeavesAfterARestartTakesTheJobAlong() async throws {
    let before = FakeJobs(answers: false)
    let first = try before.queue()
    let client = try client(of: first.endpoint)
    // The owner of a key may come back for the job.
    let calls = try [job("x", key: "theirs"), job("y")].map { job in
      Task { try await client.rerank(job, timeout: .seconds(30), cancelsJob: true) }
    }
    try await before.has(jobs: calls.count)
    await first.stop()
    let after = FakeJobs(answers: false)
    let second = try after.queue(at: first.endpoint.text)
    try await after.has(jobs: calls.count)
    for call in calls {
      call.cancel()
      await #expect(throws: CallError.self) { try await call.value }
    }
    _ = try await second.arrival { $0.calls(.cancel) }
    #expect(second.arrivals.count { $0.envelope.calls(.get) } == 1)
    #expect(second.arrivals.count { $0.envelope.calls(.cancel) } == 1)
    await client.close()
  }

  @Test func unkeyedSubmitIsMadeOnce() async throws {
    let hanging = FakeJobs(answers: false)
    let first = try hanging.queue()
    let client = try client(of: first.endpoint) { $0.makesIdempotencyKeys = false }
    let job = try job("x")
    let waiting = Task { try await client.submit([job], timeout: .seconds(30)) }
    _ = try await first.arrival { $0.payloadBytes > 0 }
    await first.stop()
    let error = await #expect(throws: CallError.self) { try await waiting.value }
    #expect(error?.details.reason == "CONNECTION_LOST")
    await client.close()
  }

  @Test func queueThatNeverAnsweredIsAnErrorAtOnce() async throws {
    let client = try client(of: Endpoint("tcp://127.0.0.1:1"))
    let start = ContinuousClock.now
    let error = await #expect(throws: CallError.self) { try await client.status() }
    #expect(
      error?.message
        == "no queue answers at tcp://127.0.0.1:1: is `rerankd up` or `rerankd queue` running?")
    #expect(ContinuousClock.now - start < .seconds(10))
    await client.close()
  }

  /// Its keys would make the call repeatable; but the queue will not take the job a moment later.
  @Test func drainingQueueIsAnErrorAtOnce() async throws {
    let refusal = CallError(.unavailable, "the queue is draining", reason: "DRAINING")
    let queue = try ScriptedQueue {
      [Envelope(callID: $0.callID, .status(refusal.status, payload: nil))]
    }
    let client = try client(of: queue.endpoint)
    let error = await #expect(throws: CallError.self) { try await client.rerank(job("x")) }
    #expect(error?.details.reason == "DRAINING")
    #expect(queue.arrivals.count { $0.envelope.calls(.rerank) } == 1)
    await client.close()
  }

  @Test func timeThatRanOutOverAnAbsentQueueSaysSo() async throws {
    let queue = try FakeJobs().queue()
    let client = try client(of: queue.endpoint)
    _ = try await client.submit([job("x")])
    await queue.stop()
    let error = await #expect(throws: CallError.self) {
      try await client.submit([job("y")], timeout: .seconds(1))
    }
    #expect(error?.message.contains("no queue answers") == true)
    await client.close()
  }

  @Test func unreadableAnswerIsNamed() async throws {
    let queue = try ScriptedQueue {
      [Envelope(callID: $0.callID, .status(CallStatus(), payload: [0xFF, 0xFF]))]
    }
    let client = try client(of: queue.endpoint)
    let error = await #expect(throws: CallError.self) { try await client.models() }
    #expect(error?.code == .internal)
    #expect(error?.message.contains("ListModels") == true)
    await client.close()
  }

  @Test func operatorsCallsCarryTheirArguments() async throws {
    let queue = try ScriptedQueue {
      [Envelope(callID: $0.callID, .status(CallStatus(), payload: []))]
    }
    let client = try client(of: queue.endpoint)
    try await client.drainWorker("w1")
    try await client.setPaused(true)
    _ = try await client.retry([JobID(shard: 0, sequence: 7)])
    _ = try await client.cancel(JobID(shard: 0, sequence: 9))
    let sent = queue.arrivals.compactMap { arrival -> (String, [UInt8])? in
      guard case .open(let head, let payload?) = arrival.envelope.body else { return nil }
      return (head.method, payload)
    }
    try #require(sent.count == 4)
    #expect(sent[0].0 == Method.drainWorker.rawValue)
    #expect(try DrainWorkerRequest(serializedBytes: sent[0].1).workerID == "w1")
    #expect(try SetPausedRequest(serializedBytes: sent[1].1).paused)
    #expect(try RetryJobsRequest(serializedBytes: sent[2].1).jobIds == [7])
    #expect(try CancelRequest(serializedBytes: sent[3].1).jobID == 9)
    await client.close()
  }
}

extension Envelope {
  fileprivate func calls(_ method: RerankdProtocol.Method) -> Bool {
    if case .open(let head, _) = body { head.method == method.rawValue } else { false }
  }
}
