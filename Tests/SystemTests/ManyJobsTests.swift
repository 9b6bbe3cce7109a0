import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  @Suite struct ManyJobsTests {
    @Test func eachOfAThousandJobsOverFourWorkersEndsExactlyOnce() async throws {
      let count = 1_000
      try await RunningSystem.run(workers: 4) { system in
        try await system.withClient { client in
          let jobs = try (0..<count).map { number in
            try RerankJob.make(
              documents: ["document \(number)", "Paris is the capital of France."],
              key: "job-\(number)", channel: "many")
          }
          let history = JobHistory()
          let ids = Set(try await history.submit(jobs, to: client).map(\.rawValue))
          try #require(ids.count == count)

          for try await delivery in client.receive(channel: "many") {
            #expect(try delivery.outcome.ranking == [1, 0])
            try history.note(delivery.outcome)
            await delivery.acknowledge()
            if history.outstanding.isEmpty { break }
          }
          #expect(Set(history.record.delivered.keys) == ids)
          #expect(try await history.verify(against: client) == count)

          let counters = try await client.status().counters
          #expect(counters.succeeded == UInt64(count))
          #expect(counters.dead + counters.cancelled + counters.expired == 0)
          #expect(counters.assigned == UInt64(count))
          let workers = try await client.workers()
          #expect(workers.map(\.succeeded).reduce(0, +) == UInt64(count))
          #expect(workers.allSatisfy { $0.succeeded > 0 })
        }
      }
    }
  }
}
