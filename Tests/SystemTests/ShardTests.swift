import Foundation
import Glibc
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// Two queues (shards), one of which goes away and comes back.
  @Suite struct ShardTests {
    private func rerank(_ gateway: RunningGateway, key: String? = nil) async throws -> Int {
      try await gateway.curl(
        "/v1/rerank",
        json: #"{"model": "builtin", "query": "capital", "documents": ["Paris is one."]}"#,
        headers: key.map { ["Idempotency-Key: \($0)"] } ?? []
      ).status
    }

    @Test func whenOneIsDownTheOthersGoOn() async throws {
      try await RunningShards.run { shards in
        let client = try shards.client
        let jobs = try (0..<60).map { try RerankJob.make(documents: ["a", "b"], key: "k-\($0)") }
        let ids = try await client.submit(jobs).map(\.id)
        #expect(Set(ids.map(\.shard)) == [0, 1])
        try await eventually("the end of every job") {
          try await client.status().counters.succeeded == 60
        }

        try await shards.queues[1].kill("queue")
        // Without a key, and with one of the shard that is there; and no other.
        for _ in 0..<3 { #expect(try await rerank(shards.gateway) == 200) }
        let home = try #require(ids.firstIndex { $0.shard == 0 })
        let away = try #require(ids.firstIndex { $0.shard == 1 })
        let again = try await client.submit([jobs[home]])
        #expect(again[0].id == ids[home] && again[0].duplicate)
        let refused = try await client.submit(
          [jobs[away], jobs[home]], timeout: .seconds(4))
        #expect(refused[0].error.code == StatusCode.unavailable.rawValue)
        #expect(refused[1].id == ids[home])
        #expect(try await client.status().counters.succeeded < 60)

        try await shards.queues[1].startQueue()
        try await eventually("every job where it was") {
          guard let found = try? await client.job(ids[away]) else { return false }
          return found.state == .succeeded
        }
        try await eventually("a worker of the queue that is back") {
          try await rerank(shards.gateway, key: "k-\(away)") != 503
        }
        #expect(try await client.submit([jobs[away]])[0].id == ids[away])
        await client.close()
      }
    }
  }
}
