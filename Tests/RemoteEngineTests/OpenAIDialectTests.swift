import Foundation
import Scoring
import Testing

@testable import RemoteEngine

struct OpenAIDialectTests {
  @Test func textsTravelAsStrings() throws {
    let body = try encode(
      ScoringRequest(
        model: "m", query: .init(text: "q/1"), documents: [.init(text: "a"), .init(text: "b")]))
    #expect(body["model"] as? String == "served")
    #expect(body["query"] as? String == "q/1")
    #expect(body["documents"] as? [String] == ["a", "b"])
    #expect(body["top_n"] as? Int == 2)
    #expect(body["instruction"] == nil)
  }

  @Test func instructionIsPassedOn() throws {
    let body = try encode(
      ScoringRequest(
        model: "m", query: .init(text: "q"), documents: [.init(text: "a")], instruction: "judge"))
    #expect(body["instruction"] as? String == "judge")
  }

  @Test func imagesTravelAsContentParts() throws {
    let gif = Array("GIF89a".utf8) + [1, 2, 3]
    let body = try encode(
      ScoringRequest(
        model: "m", query: .init(text: "q"),
        documents: [
          .init(parts: [.text("caption"), .imageData(gif), .imageURL("https://example.org/i.png")]),
          .init(text: "plain"),
        ]))
    let documents = try #require(body["documents"] as? [Any])
    let parts = try #require((documents[0] as? [String: Any])?["content"] as? [[String: Any]])
    #expect(parts.map { $0["type"] as? String } == ["text", "image_url", "image_url"])
    #expect(parts[0]["text"] as? String == "caption")
    let urls = parts.map { ($0["image_url"] as? [String: String])?["url"] }
    #expect(urls[1] == "data:image/gif;base64,\(Data(gif).base64EncodedString())")
    #expect(urls[2] == "https://example.org/i.png")
    #expect(documents[1] as? String == "plain")
  }

  @Test func imageOfUnknownFormatIsInvalid() {
    let error = failure(.init(parts: [.text("t"), .imageData([1, 2, 3])]), acceptsImages: true)
    #expect(error?.code == .invalidArgument)
    #expect(error?.message.hasPrefix("documents[0].parts[1]:") == true)
  }

  @Test func imageOnATextModelIsInvalid() {
    let error = failure(.init(parts: [.imageURL("https://example.org/i")]), acceptsImages: false)
    #expect(error?.code == .invalidArgument)
    #expect(error?.isRetryable == false)
    #expect(error?.message.hasPrefix("documents[0]:") == true)
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

  private func encode(_ request: ScoringRequest, acceptsImages: Bool = true) throws
    -> [String: Any]
  {
    var model = RemoteEngineConfiguration.Model(name: "m", servedName: "served")
    model.acceptsImages = acceptsImages
    let body = try OpenAIDialect.encode(request, for: model)
    return try #require(JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
  }

  private func failure(_ document: RerankContent, acceptsImages: Bool) -> EngineError? {
    #expect(throws: EngineError.self) {
      try encode(
        ScoringRequest(model: "m", query: .init(text: "q"), documents: [document]),
        acceptsImages: acceptsImages)
    }
  }
}
