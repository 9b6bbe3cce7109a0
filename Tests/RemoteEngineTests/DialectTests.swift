import Foundation
import Scoring
import Testing

@testable import RemoteEngine

struct DialectTests {
  typealias DialectName = RemoteEngineConfiguration.DialectName

  private static let gif = Array("GIF89a".utf8) + [1, 2, 3]

  @Test(arguments: [
    (DialectName.openai, #"{"documents":["a","b"],"model":"served","query":"q/1"}"#),
    (
      .cohere,
      #"{"documents":["a","b"],"max_tokens_per_doc":32768,"model":"served","query":"q/1"}"#
    ),
    (.jina, #"{"documents":["a","b"],"model":"served","query":"q/1","return_documents":false}"#),
    (
      .tei,
      #"{"query":"q/1","raw_scores":true,"return_text":false,"texts":["a","b"],"truncate":false}"#
    ),
    (.llama, #"{"documents":["a","b"],"model":"served","query":"q/1"}"#),
  ])
  func textsTravelInEachApisWords(name: DialectName, body: String) throws {
    let request = Self.request([.init(text: "a"), .init(text: "b")])
    let sent = try #require(
      JSONSerialization.jsonObject(with: Data(try encode(request, name))) as? [String: Any])
    let sorted = try JSONSerialization.data(
      withJSONObject: sent, options: [.sortedKeys, .withoutEscapingSlashes])
    #expect(String(decoding: sorted, as: UTF8.self) == body)
  }

  @Test(arguments: [
    (DialectName.openai, "/v1/rerank", "/v1/models"), (.cohere, "/v2/rerank", "/v1/models"),
    (.jina, "/v1/rerank", "/v1/models"), (.tei, "/rerank", "/info"),
    (.llama, "/v1/rerank", "/v1/models"),
  ])
  func eachApiHasItsPaths(name: DialectName, rerank: String, listing: String) {
    #expect(name.dialect.rerankPath == rerank)
    #expect(name.dialect.listingPath == listing)
  }

  @Test func aPartOfAJobHasItsDocumentsAlone() throws {
    var request = Self.request(["a", "b", "c"].map { .init(text: $0) })
    request.documents = request.documents[1...]
    #expect(try object(request, .openai)["documents"] as? [String] == ["b", "c"])
  }

  @Test(arguments: DialectName.allCases)
  func anInstructionIsPassedOnOrRefusedAndNeverLost(name: DialectName) throws {
    var request = Self.request([.init(text: "a")])
    request.instruction = "judge"
    if name == .openai {
      #expect(try object(request, name)["instruction"] as? String == "judge")
    } else {
      let error = failure(request, name)
      #expect(error?.code == .invalidArgument)
      #expect(error?.message.hasPrefix("instruction: the \(name.rawValue) API") == true)
    }
  }

  @Test func rawAnswersAreAskedForWhereTheApiCan() throws {
    var request = Self.request([.init(text: "a")])
    #expect(try object(request, .openai)["use_activation"] == nil)
    request.answeredScoreKind = .raw
    #expect(try object(request, .openai)["use_activation"] as? Bool == false)
    request.answeredScoreKind = .sigmoid
    #expect(try object(request, .tei)["raw_scores"] as? Bool == false)
  }

  @Test func imagesTravelAsContentPartsToOpenAIServers() throws {
    let body = try object(
      Self.request([
        .init(parts: [
          .text("caption"), .imageData(Self.gif), .imageURL("https://example.org/i.png"),
        ]),
        .init(text: "plain"),
      ]), .openai)
    let documents = try #require(body["documents"] as? [Any])
    let parts = try #require((documents[0] as? [String: Any])?["content"] as? [[String: Any]])
    #expect(parts.map { $0["type"] as? String } == ["text", "image_url", "image_url"])
    #expect(parts[0]["text"] as? String == "caption")
    let urls = parts.map { ($0["image_url"] as? [String: String])?["url"] }
    #expect(urls[1] == "data:image/gif;base64,\(Data(Self.gif).base64EncodedString())")
    #expect(urls[2] == "https://example.org/i.png")
    #expect(documents[1] as? String == "plain")
  }

  @Test func anImageHasADocumentToItselfWithJina() throws {
    let body = try object(
      Self.request([
        .init(parts: [.imageData(Self.gif)]), .init(parts: [.imageURL("https://example.org/i")]),
        .init(parts: [.imageURL("data:image/gif;base64,AAAA")]), .init(text: "plain"),
      ]), .jina)
    let documents = try #require(body["documents"] as? [Any])
    let images = documents.map { ($0 as? [String: String])?["image"] }
    let encoded = Data(Self.gif).base64EncodedString()
    #expect(images == [encoded, "https://example.org/i", "AAAA", nil])
    #expect(documents[3] as? String == "plain")
    let mixed = Self.request([.init(parts: [.text("t"), .imageData(Self.gif)])])
    #expect(failure(mixed, .jina)?.message.contains("not both") == true)
    var query = Self.request([.init(text: "a")])
    query.query = .init(parts: [.imageData(Self.gif)])
    #expect(failure(query, .jina)?.message.hasPrefix("query:") == true)
  }

  @Test(arguments: [DialectName.cohere, .tei, .llama])
  func imagesAreRefusedWhereTheApiHasNoShapeForThem(name: DialectName) {
    let error = failure(
      Self.request([.init(text: "a"), .init(parts: [.imageData(Self.gif)])]), name)
    #expect(error?.code == .invalidArgument)
    #expect(error?.message.hasPrefix("documents[1]:") == true)
  }

  @Test(arguments: [DialectName.openai, .jina])
  func imageOfUnknownFormatIsInvalid(name: DialectName) {
    let error = failure(Self.request([.init(parts: [.imageData([1, 2, 3])])]), name)
    #expect(error?.code == .invalidArgument)
    #expect(error?.message.hasPrefix("documents[0].parts[0]:") == true)
  }

  @Test(arguments: DialectName.allCases)
  func imageOnATextModelIsInvalid(name: DialectName) {
    var request = Self.request([.init(parts: [.imageURL("https://example.org/i")])])
    request.model.acceptsImages = false
    let error = failure(request, name)
    #expect(error?.code == .invalidArgument)
    #expect(error?.isRetryable == false)
    #expect(error?.message.hasPrefix("documents[0]: the model \"m\" takes text only") == true)
  }

  @Test(arguments: [
    (DialectName.openai, #"{"object":"list","data":[{"id":"a"},{"id":"b"}]}"#),
    (.llama, #"{"models":[],"data":[{"id":"a","meta":{"n_ctx_train":512}},{"id":"b"}]}"#),
    (.cohere, #"{"models":[{"name":"a","endpoints":["rerank"]},{"name":"b"}]}"#),
  ])
  func modelsAreListedInEachApisShape(name: DialectName, body: String) throws {
    let listing = try name.dialect.decodeListing(Data(body.utf8))
    #expect(listing == ModelListing(names: ["a", "b"]))
    #expect(throws: DecodingError.self) { try name.dialect.decodeListing(Data("{}".utf8)) }
  }

  @Test func infoOfTeiNamesItsModelAndItsLimits() throws {
    let info =
      #"{"model_id":"a","max_client_batch_size":32,"max_input_length":512,"max_batch_tokens":1}"#
    let listing = try TEIDialect().decodeListing(Data(info.utf8))
    #expect(listing == ModelListing(names: ["a"], documentsMax: 32, contextTokens: 512))
  }

  @Test func theBareArrayOfTeiIsARanking() throws {
    let ranking = try TEIDialect().decodeRanking(
      Data(#"[{"index":1,"score":2.5,"text":"b"},{"index":0,"score":-3}]"#.utf8))
    #expect(ranking.results.map(\.index) == [1, 0])
    #expect(ranking.results.map(\.score) == [2.5, -3])
  }

  @Test(
    arguments: [
      ([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], "image/png"),
      ([0xFF, 0xD8, 0xFF, 0xE0], "image/jpeg"),
      (Array("GIF87a".utf8), "image/gif"),
      (Array("RIFF....WEBP".utf8), "image/webp"),
      (Array("RIFF....WAVE".utf8), nil), ([], nil),
    ] as [([UInt8], String?)])
  func formatIsReadFromTheFirstBytes(data: [UInt8], type: String?) {
    #expect(ImageFormat.mediaType(of: data) == type)
  }

  private static func request(_ documents: [RerankContent]) -> DialectRequest {
    var model = RemoteEngineConfiguration.Model(name: "m", servedName: "served")
    model.acceptsImages = true
    return DialectRequest(
      model: model, answeredScoreKind: .sigmoid, query: .init(text: "q/1"),
      documents: documents[...])
  }

  /// As the engine does: the dialect decides where the model does not.
  private func encode(_ request: DialectRequest, _ name: DialectName) throws -> [UInt8] {
    var configuration = RemoteEngineConfiguration(
      name: "hub", baseURL: "http://hub", models: [request.model])
    configuration.dialect = name
    var request = request
    request.answeredScoreKind = configuration.answeredScoreKind(of: request.model)
    return try name.dialect.encode(request)
  }

  private func object(
    _ request: DialectRequest, _ name: DialectName
  ) throws -> [String: Any] {
    let body = try name.dialect.encode(request)
    return try #require(JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
  }

  private func failure(_ request: DialectRequest, _ name: DialectName) -> EngineError? {
    #expect(throws: EngineError.self) { try encode(request, name) }
  }
}
