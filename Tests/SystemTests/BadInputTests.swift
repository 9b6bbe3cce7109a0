import Foundation
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// What producers send that no worker should see: each with its error, and no harm to others.
  @Suite struct BadInputTests {
    private struct Case {
      var name: String
      var code: StatusCode
      var message: String
      var job: RerankJob
    }

    private func cases() throws -> [Case] {
      var noQuery = RerankRequest(query: "q", documents: ["a"])
      noQuery.clearQuery()
      var image = RerankRequest(query: "q", documents: ["a"])
      image.documents[0].parts[0].image.url = "https://images.example/bicycle.png"
      return [
        Case(
          name: "no query", code: .invalidArgument, message: "query",
          job: try RerankJob(noQuery, model: "builtin")),
        Case(
          name: "no documents", code: .invalidArgument, message: "documents",
          job: try .make(documents: [])),
        Case(
          name: "an empty document", code: .invalidArgument, message: "documents[1]",
          job: try .make(documents: ["a", ""])),
        Case(
          name: "a document beyond the limit", code: .invalidArgument, message: "documents[0]",
          job: try .make(documents: [String(repeating: "a", count: (1 << 20) + 1)])),
        Case(
          name: "too many documents", code: .invalidArgument, message: "100000",
          job: try .make(documents: Array(repeating: "a", count: 100_001))),
        Case(
          name: "invalid UTF-8", code: .invalidArgument, message: "UTF-8",
          job: try .make { $0.request = Self.withInvalidText($0.request) }),
        Case(
          name: "no protobuf", code: .invalidArgument, message: "request",
          job: try .make { $0.request = Data([0xFF, 0xFF, 0xFF, 0x01]) }),
        Case(
          name: "an unknown model", code: .notFound, message: "ListModels",
          job: try .make(model: "none")),
        Case(
          name: "an image on a text model", code: .invalidArgument, message: "documents[0]",
          job: try RerankJob(image, model: "builtin")),
        Case(
          name: "a priority out of range", code: .invalidArgument, message: "priority",
          job: try .make { $0.spec.priority = 101 }),
      ]
    }

    /// The first letter of the first document becomes a byte that no UTF-8 text has.
    private static func withInvalidText(_ data: Data) -> Data {
      var data = data
      if let range = data.range(of: Data("Paris".utf8)) { data[range.lowerBound] = 0xFF }
      return data
    }

    @Test func eachIsRefusedByNameAndHarmsNobody() async throws {
      try await RunningSystem.run { system in
        try await system.withClient { client in
          #expect(try await client.rerank(.make()).ranking == [0, 1])
          let cases = try cases()
          for bad in cases {
            let outcome = try await client.submit([bad.job])[0]
            try #require(outcome.hasError, "\(bad.name) was accepted")
            #expect(outcome.error.code == bad.code.rawValue, "\(bad.name): \(outcome.error)")
            #expect(outcome.error.message.contains(bad.message), "\(bad.name): \(outcome.error)")
            #expect(outcome.error.message.count < 1_000)
          }
          // In one call the good are taken between the bad.
          let mixed = try await client.submit([
            .make(documents: []), .make(key: "good"), .make(model: "none"),
          ])
          #expect(mixed.map(\.hasError) == [true, false, true])
          #expect(mixed[0].error.message.contains("jobs[0]"))
          try await eventually("the good job") {
            try await client.job(mixed[1].id).state == .succeeded
          }
          #expect(try await client.rerank(.make()).ranking == [0, 1])
          let counters = try await client.status().counters
          #expect(counters.refused == UInt64(cases.count + 2))
          #expect(counters.dead == 0)
        }
      }
    }

    @Test func aDocumentOfAMegabyteIsOverTheBudgetOrTruncated() async throws {
      try await RunningSystem.run { system in
        try await system.withClient { client in
          let document = String(repeating: "glacier ", count: (1 << 20) / 8)
          let refused = try await client.rerank(.make(documents: [document]))
          #expect(refused.state == .dead)
          #expect(refused.error.code == StatusCode.invalidArgument.rawValue)
          #expect(refused.error.message.contains("document 0 makes a pair of"))
          var request = RerankRequest(query: "glacier", documents: ["bread", document])
          request.overBudget = .truncate
          let result = try await client.rerank(request, model: "builtin")
          #expect(result.truncatedDocuments == [1])
          #expect(result.results.first?.index == 1)
        }
      }
    }

    /// The remote engine stands in for the scoring, so that the size is what is tested.
    @Test func aJobOfThirtyMegabytesIsRanked() async throws {
      let hub = try FakeHub()
      let configuration = """
        models:
          - { name: remote, backend: hub, served_name: fake-reranker }
        backends:
          - { name: hub, base_url: "\(hub.baseURL)", token_env: HUB_TOKEN, documents_max: 10000,
              response_timeout: 100s }
        queue:
          workers: { heartbeat: 1s, lease: 60s }
        """
      try await RunningSystem.run(configuration: configuration, workers: 0) { system in
        try system.start(
          "w0",
          [
            "worker", "--config", system.folder.path("rerankd.yaml"), "--queue",
            system.workersEndpoint, "--id", "w0",
          ], environment: ["HUB_TOKEN": FakeHub.token])
        try await system.waitForWorkers(1)
        let filler = String(repeating: "the ice moves on. ", count: 830)
        let documents = (0..<2_000).map { "\($0) \(filler)" } + ["glaciers deform"]
        let job = try RerankJob.make(
          query: "glaciers deform", documents: documents, model: "remote")
        try #require(job.request.count > 30_000_000 - 200_000)
        try await system.withClient { client in
          let outcome = try await client.rerank(job, timeout: .seconds(120))
          #expect(outcome.state == .succeeded, "\(outcome.error.message)")
          let result = try outcome.rankedResult()
          #expect(result.results.count == documents.count)
          #expect(result.results.first?.index == 2_000)
        }
      }
    }
  }
}
