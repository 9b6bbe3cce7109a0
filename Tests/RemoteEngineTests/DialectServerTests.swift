import Foundation
import RemoteEngine
import Scoring
import TestSupport
import Testing

/// Each API from end to end: what is sent is answered as its servers do.
struct DialectServerTests {
  typealias DialectName = RemoteEngineConfiguration.DialectName

  @Test(arguments: DialectName.allCases)
  func aJobIsScoredInEveryApi(name: DialectName) async throws {
    let hub = try FakeHub(fallback: .chosen { Self.answer($0, as: name) })
    hub.list(Self.listing[name] ?? "", at: name == .tei ? "/info" : "/v1/models")
    let texts = EngineFixture.texts(12)
    let expected = EngineFixture.scores(texts)
    try await EngineFixture.withEngine(
      hub,
      change: {
        $0.dialect = name
        $0.documentsMax = 5
        $0.models[0].checksGoldenPair = true
      }
    ) { engine in
      #expect(try await engine.models().map(\.name) == ["ranker"])
      let result = try await engine.score(EngineFixture.request(texts), progress: {})
      for (score, wanted) in zip(result.scores, expected) {
        #expect(abs(score.relevanceScore - wanted) < 1e-5)
      }
      #expect(result.scores.count == 12)
      #expect(result.scoreKind == .sigmoid)
      #expect(result.model == "fake-reranker")
      #expect((result.usage != nil) == [.openai, .jina, .llama].contains(name))
      // The order is that of what the server sent.
      let isRaw = name == .tei || name == .llama
      #expect(
        result.scores.allSatisfy { isRaw == ($0.rankingKey != $0.relevanceScore) })
    }
    #expect(hub.rerankCount == 1 + 3)
  }

  @Test(arguments: DialectName.allCases)
  func aModelThatIsNotListedIsNotServed(name: DialectName) async throws {
    let hub = try FakeHub()
    hub.list(
      (Self.listing[name] ?? "").replacing("fake-reranker", with: "another"),
      at: name == .tei ? "/info" : "/v1/models")
    try await EngineFixture.withEngine(hub, change: { $0.dialect = name }) { engine in
      let models = try await engine.models()
      #expect(models == [])
    }
  }

  private static let listing: [DialectName: String] = [
    .openai: #"{"object":"list","data":[{"id":"fake-reranker","object":"model"}]}"#,
    .jina: #"{"data":[{"id":"fake-reranker"}]}"#,
    .llama: #"{"models":[{"name":"x"}],"object":"list","data":[{"id":"fake-reranker"}]}"#,
    .cohere: #"{"models":[{"name":"fake-reranker","endpoints":["rerank"]}]}"#,
    .tei: #"{"model_id":"fake-reranker","max_client_batch_size":32,"max_input_length":512}"#,
  ]

  private static func answer(_ request: FakeHub.Request, as name: DialectName) -> FakeHub.Answer {
    let json = try? JSONSerialization.jsonObject(with: Data(request.body.utf8))
    guard let body = json as? [String: Any], let query = body["query"] as? String,
      let texts = body[name == .tei ? "texts" : "documents"] as? [String]
    else { return .failure(400, message: "no request of this API") }
    let isRaw = name == .llama || body["raw_scores"] as? Bool == true
    let results = texts.enumerated().map { index, text in
      let score = FakeHub.score(query: query, document: text)
      let sent = isRaw ? log(score / (1 - score)) : score
      let document =
        switch name {
        case .openai: #","document":{"text":"\#(text)"}"#
        case .cohere, .llama: ""
        case .jina: #","document":"\#(text)""#
        case .tei: #","text":null"#
        }
      let key = name == .tei ? "score" : "relevance_score"
      return #"{"index":\#(index),"\#(key)":\#(sent)\#(document)}"#
    }.reversed().joined(separator: ",")
    let usage = #""usage":{"prompt_tokens":7,"total_tokens":7}"#
    let whole =
      switch name {
      case .openai, .jina: #"{"model":"fake-reranker","results":[\#(results)],\#(usage)}"#
      case .llama: #"{"model":"fake-reranker","object":"list",\#(usage),"results":[\#(results)]}"#
      case .cohere:
        #"{"id":"1","results":[\#(results)],"meta":{"billed_units":{"search_units":1}}}"#
      case .tei: "[\(results)]"
      }
    return .response(status: 200, headers: [:], body: whole)
  }
}
