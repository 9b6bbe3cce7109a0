import CallTransport
import Foundation
import RerankdProtocol
import SwiftProtobuf
import Synchronization
import Testing
import WireTestSupport
import ZeroMQ

@testable import RerankdClient

@Suite(.timeLimit(.minutes(1))) struct ShardedClientTests {
  /// A port that nobody listens on.
  private static let nowhere = "tcp://127.0.0.1:9"

  private func client(_ endpoints: [String]) throws -> ShardedClient {
    var configuration = try ShardedConfiguration(endpoints: endpoints)
    configuration.awayInterval = .milliseconds(50)
    configuration.client.connection.connectTimeout = .milliseconds(300)
    configuration.client.connection.reopenBackoffMax = .milliseconds(50)
    configuration.client.retryBackoffMax = .milliseconds(50)
    return try ShardedClient(configuration)
  }

  /// Runs a body with a client of queues, which end with it.
  private func withClient(
    of queues: [ScriptedQueue], _ body: (ShardedClient) async throws -> Void
  ) async throws {
    let client = try client(queues.map(\.endpoint.text))
    try await body(client)
    await client.close()
    withExtendedLifetime(queues) {}
  }

  private func job(_ text: String, key: String = "") throws -> RerankJob {
    var job = try RerankJob(RerankRequest(query: text, documents: ["a", "b"]), model: "m")
    job.spec.idempotencyKey = key
    return job
  }

  /// A key that belongs to a shard of two.
  private func key(of shard: Int, _ name: String = "k") -> String {
    (0...).lazy.map { "\(name)\($0)" }
      .first { ShardHash.shard(tenant: "", key: $0, of: 2) == shard } ?? ""
  }

  @Test func keyedJobsGoToTheShardOfTheirKeyAndKeepTheirOrder() async throws {
    let fakes = [FakeJobs(shard: 0), FakeJobs(shard: 1)]
    try await withClient(of: fakes.map { try $0.queue() }) { client in
      let keys = (0..<40).map { "key-\($0)" }
      let outcomes = try await client.submit(keys.map { try job("x", key: $0) })
      #expect(
        outcomes.map { Int(JobID(rawValue: $0.jobID).shard) }
          == keys.map { ShardHash.shard(tenant: "", key: $0, of: 2) })
      #expect(fakes.allSatisfy { !$0.jobs.withLock(\.isEmpty) })
    }
  }

  @Test func keyedJobOfAShardThatIsAwayIsRefusedAndNeverGoesElsewhere() async throws {
    let fake = FakeJobs(shard: 0)
    let queue = try fake.queue()
    let client = try client([queue.endpoint.text, Self.nowhere])
    let outcomes = try await client.submit([
      job("x", key: key(of: 1)), job("y", key: key(of: 0)),
    ])
    #expect(CallError(status: outcomes[0].error)?.code == .unavailable)
    #expect(outcomes[1].jobID == 1)
    #expect(fake.jobs.withLock { $0.map(\.spec.idempotencyKey) } == [key(of: 0)])
    let error = await #expect(throws: CallError.self) {
      try await client.rerank(job("x", key: key(of: 1)))
    }
    #expect(error?.code == .unavailable)
    await client.close()
  }

  @Test func jobsWithoutAKeyGoToAQueueThatAnswers() async throws {
    let fake = FakeJobs(shard: 1)
    let queue = try fake.queue()
    let client = try client([Self.nowhere, queue.endpoint.text])
    for _ in 0..<4 {
      let outcomes = try await client.submit([job("x")])
      #expect(JobID(rawValue: outcomes[0].jobID).shard == 1)
    }
    #expect(try await client.rerank(job("y")).state == .succeeded)
    #expect(fake.jobs.withLock(\.count) == 5)
    await client.close()
  }

  @Test func jobsWithoutAKeyAreSharedOut() async throws {
    let fakes = [FakeJobs(shard: 0), FakeJobs(shard: 1)]
    try await withClient(of: fakes.map { try $0.queue() }) { client in
      for _ in 0..<6 { _ = try await client.submit([job("x")]) }
      #expect(fakes.map { $0.jobs.withLock(\.count) } == [3, 3])
    }
  }

  @Test func queueThatReturnsTakesItsPartAgain() async throws {
    let fakes = [FakeJobs(shard: 0), FakeJobs(shard: 1)]
    let first = try fakes[0].queue()
    let second = try fakes[1].queue()
    try await withClient(of: [first, second]) { client in
      for _ in 0..<2 { _ = try await client.submit([job("x")]) }
      await second.stop()
      for _ in 0..<4 {
        let outcome = try await client.submit([job("x")])[0]
        #expect(outcome.jobID < JobID(shard: 1, sequence: 0).rawValue)
      }
      let before = fakes[1].jobs.withLock(\.count)
      let back = try fakes[1].queue(at: second.endpoint.text)
      while client.health.isAway(1) { try await Task.sleep(for: .milliseconds(5)) }
      for _ in 0..<4 { _ = try await client.submit([job("x")]) }
      #expect(fakes[1].jobs.withLock(\.count) == before + 2)
      withExtendedLifetime(back) {}
    }
  }

  @Test func waitingRerankBeginsAnewElsewhereWhenItsQueueGoes() async throws {
    let hanging = FakeJobs(answers: false, shard: 0)
    let first = try hanging.queue()
    let second = try FakeJobs(shard: 1).queue()
    try await withClient(of: [first, second]) { client in
      async let outcome = client.rerank(job("x"))
      try await hanging.has(jobs: 1)
      await first.stop()
      let state = try await outcome.state
      #expect(state == .succeeded)
    }
  }

  @Test func queuesInTheWrongOrderAreRefused() async throws {
    try await withClient(of: [FakeJobs(shard: 1).queue(), FakeJobs(shard: 0).queue()]) { client in
      let error = await #expect(throws: CallError.self) {
        try await client.submit([job("x", key: "k")])
      }
      #expect(error?.details.reason == "SHARD_MISPLACED")
    }
  }

  @Test func idNamesItsShard() async throws {
    let queues = try [FakeJobs(shard: 0).queue(), FakeJobs(shard: 1).queue()]
    try await withClient(of: queues) { client in
      _ = try await client.job(JobID(shard: 1, sequence: 5))
      #expect(queues[0].arrivals.isEmpty && queues[1].arrivals.count == 1)
      let error = await #expect(throws: CallError.self) {
        try await client.cancel(JobID(shard: 2, sequence: 5))
      }
      #expect(error?.code == .notFound)
    }
  }

  @Test func singleQueueMayBeAnyShard() async throws {
    try await withClient(of: [FakeJobs(shard: 7).queue()]) { client in
      let outcomes = try await client.submit([job("x", key: "k")])
      #expect(outcomes[0].jobID == JobID(shard: 7, sequence: 1).rawValue)
      _ = try await client.job(JobID(shard: 7, sequence: 1))
    }
  }

  @Test func modelsAreThoseOfTheQueuesThatAnswer() async throws {
    let queue = try FakeJobs(shard: 0).queue()
    try await withClient(of: [queue, FakeJobs(shard: 1).queue()]) { client in
      let models = try await client.models()
      #expect(models.map(\.name) == ["m0", "m1"])
    }
    let half = try client([queue.endpoint.text, Self.nowhere])
    #expect(try await half.models().map(\.name) == ["m0"])
    await half.close()
    withExtendedLifetime(queue) {}
    let none = try client([Self.nowhere, "tcp://127.0.0.1:10"])
    await #expect(throws: CallError.self) { try await none.models() }
    await none.close()
  }

  @Test func listsOfQueuesAreChecked() {
    #expect(throws: ZeroMQError.self) { try ShardedConfiguration(endpoints: []) }
    #expect(throws: ZeroMQError.self) {
      try ShardedConfiguration(endpoints: ["tcp://a:1", "tcp://a:1"])
    }
    #expect(throws: ZeroMQError.self) { try ShardedConfiguration(endpoints: ["nonsense"]) }
    #expect(throws: ZeroMQError.self) {
      try ShardedConfiguration(
        endpoints: (0...ShardedConfiguration.shardsMax).map { "tcp://a:\($0 + 1)" })
    }
  }

  /// The values come from protocol/vectors/make, written in Python.
  @Test func hashIsTheProtocols() throws {
    struct Vector: Decodable {
      var tenant: String
      var key: String
      var shards: [Int]
    }
    let url = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../protocol/vectors/shards.json").standardized
    let vectors = try JSONDecoder().decode([Vector].self, from: Data(contentsOf: url))
    #expect(vectors.count >= 10)
    for vector in vectors {
      #expect(
        vector.shards
          == (1...vector.shards.count).map {
            ShardHash.shard(tenant: vector.tenant, key: vector.key, of: $0)
          })
    }
  }

  @Test func anotherShardTakesNoKeyFromTheRest() {
    let keys = (0..<1_000).map { "key-\($0)" }
    let moved = keys.filter {
      let before = ShardHash.shard(tenant: "t", key: $0, of: 4)
      let after = ShardHash.shard(tenant: "t", key: $0, of: 5)
      return after != before && after != 4
    }
    #expect(moved.isEmpty)
    let ofTheNew = keys.count { ShardHash.shard(tenant: "t", key: $0, of: 5) == 4 }
    #expect((140...260).contains(ofTheNew))
  }
}
