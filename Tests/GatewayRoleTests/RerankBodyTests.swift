import Foundation
import HTTPTypes
import RerankdProtocol
import SwiftProtobuf
import Testing

@testable import GatewayRole

/// What the rerank APIs' bodies become.
@Suite struct RerankBodyTests {
  private func open(_ json: String) throws -> RerankBody {
    try JSONDecoder().decode(OpenRerankBody.self, from: Data(json.utf8)).body
  }

  private func document(_ json: String) throws -> Content {
    let body = try open(#"{"model":"m","query":"q","documents":[\#(json)]}"#)
    return try #require(body.documents.first).content
  }

  /// The error that a client would get.
  private func problem(_ json: String) -> APIError? {
    do {
      _ = try open(json)
      return nil
    } catch let error as DecodingError {
      return APIError(error)
    } catch {
      return nil
    }
  }

  @Test(arguments: [#""hi""#, #"{"text":"hi"}"#, #"{"content":"hi"}"#])
  func aTextIsOneTextPart(json: String) throws {
    let content = try document(json)
    #expect(content.parts.count == 1)
    #expect(content.joinedText == "hi")
  }

  @Test(arguments: [
    #"{"image":"data:image/png;base64,iVBORw0K"}"#, #"{"image":"iVBORw0K"}"#,
    #"{"content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0K"}}]}"#,
    #"{"content":[{"type":"image_url","image_url":"data:image/png;base64,iVBORw0K"}]}"#,
  ])
  func anInlineImageBecomesItsBytes(json: String) throws {
    let part = try #require(try document(json).parts.first)
    #expect(Array(part.image.data) == [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A])
  }

  @Test(arguments: [
    #"{"image":"https://example.org/a.png"}"#,
    #"{"content":[{"type":"image_url","image_url":{"url":"https://example.org/a.png"}}]}"#,
  ])
  func anImageOnTheWebStaysItsAddress(json: String) throws {
    let part = try #require(try document(json).parts.first)
    #expect(part.image.url == "https://example.org/a.png")
  }

  @Test func contentPartsKeepTheirOrder() throws {
    let content = try document(
      #"""
      {"content":[{"type":"text","text":"a"},
        {"type":"image_url","image_url":{"url":"http://h/i.png"}},{"type":"text","text":"b"}]}
      """#)
    #expect(content.parts.map(\.image.url) == ["", "http://h/i.png", ""])
    #expect(content.joinedText == "a\nb")
  }

  @Test func everyOptionReachesTheJob() throws {
    let body = try open(
      #"""
      {"model":"m","query":"q","documents":["a","b"],"top_n":1,"instruction":"i",
       "return_documents":false,"max_tokens_per_doc":7,"over_budget":"windows",
       "document_failure":"per_document","allow_fallback":true,"priority":-3,"max_attempts":4}
      """#)
    let job = try body.job(documentsMax: 2)
    let request = try RerankRequest(serializedBytes: job.request)
    #expect(!body.returnsDocuments)
    #expect(job.spec.model == "m")
    #expect(job.spec.allowFallback)
    #expect(job.spec.priority == -3)
    #expect(job.spec.maxAttempts == 4)
    #expect(request.topN == 1)
    #expect(request.instruction == "i")
    #expect(request.maxTokensPerDoc == 7)
    #expect(request.overBudget == .windows)
    #expect(request.documentFailure == .perDocument)
    #expect(request.documents.map(\.joinedText) == ["a", "b"])
  }

  @Test func absentAndNullOptionsAreTheDefaults() throws {
    let absent = try open(#"{"model":"m","query":"q","documents":["a"]}"#)
    let null = try open(
      #"{"model":"m","query":"q","documents":["a"],"top_n":null,"return_documents":null}"#)
    for body in [absent, null] {
      #expect(body.topN == nil)
      #expect(body.returnsDocuments)
      #expect(body.overBudget == .reject)
      #expect(body.documentFailure == .failJob)
    }
    #expect(
      try open(#"{"model":"m","query":"q","documents":["a"],"truncate":true}"#).overBudget
        == .truncate)
  }

  @Test(arguments: [
    (#"{"query":"q","documents":["a"]}"#, "model"),
    (#"{"model":"","query":"q","documents":["a"]}"#, "model"),
    (#"{"model":"m","documents":["a"]}"#, "query"),
    (#"{"model":"m","query":1,"documents":["a"]}"#, "query"),
    (#"{"model":"m","query":"q"}"#, "documents"),
    (#"{"model":"m","query":"q","documents":[]}"#, "documents"),
    (#"{"model":"m","query":"q","documents":"a"}"#, "documents"),
    (#"{"model":"m","query":"q","documents":["a",null]}"#, "documents[1]"),
    (#"{"model":"m","query":"q","documents":["a",{}]}"#, "documents[1]"),
    (#"{"model":"m","query":"q","documents":[{"text":1}]}"#, "documents[0].text"),
    (#"{"model":"m","query":"q","documents":[{"image":"%%"}]}"#, "documents[0].image"),
    (
      #"{"model":"m","query":"q","documents":[{"content":[{"type":"audio"}]}]}"#,
      "documents[0].content[0].type"
    ),
    (
      #"""
      {"model":"m","query":"q",
       "documents":[{"content":[{"type":"image_url","image_url":{"url":"file:///etc/passwd"}}]}]}
      """#, "documents[0].content[0].image_url"
    ),
    (#"{"model":"m","query":"q","documents":["a"],"top_n":0}"#, "top_n"),
    (#"{"model":"m","query":"q","documents":["a"],"top_n":1.5}"#, "top_n"),
    (#"{"model":"m","query":"q","documents":["a"],"over_budget":"cut"}"#, "over_budget"),
    (#"{"model":"m","query":"q","documents":["a"],"priority":101}"#, "priority"),
  ])
  func whatIsWrongIsNamedByItsPath(json: String, param: String) throws {
    let error = try #require(problem(json))
    #expect(error.status == .badRequest)
    #expect(error.param == param)
    #expect(error.message.contains(param))
  }

  @Test func moreDocumentsThanAllowedAreTooLarge() throws {
    let body = try open(#"{"model":"m","query":"q","documents":["a","b","c"]}"#)
    #expect {
      try body.job(documentsMax: 2)
    } throws: { error in
      (error as? APIError)?.status == .contentTooLarge
    }
  }

  @Test func coheresLongDocumentsAreShortened() throws {
    let json = #"{"model":"m","query":"q","documents":["a"],"top_n":3}"#
    let body = try JSONDecoder().decode(CohereRerankBody.self, from: Data(json.utf8)).body
    #expect(body.overBudget == .truncate)
    #expect(body.maxTokensPerDocument == 4_096)
    #expect(body.topN == 3)
  }

  @Test func textsAndDocumentsTellTheDialectsApart() throws {
    func plain(_ json: String) throws -> PlainRerankBody {
      try JSONDecoder().decode(PlainRerankBody.self, from: Data(json.utf8))
    }
    guard case .tei(let tei) = try plain(#"{"query":"q","texts":["a"],"return_text":true}"#) else {
      Issue.record("not taken for TEI's")
      return
    }
    #expect(tei.model.isEmpty)
    #expect(tei.returnsDocuments)
    guard case .open(let jina) = try plain(#"{"model":"m","query":"q","documents":["a"]}"#) else {
      Issue.record("not taken for Jina's")
      return
    }
    #expect(jina.model == "m")
    #expect(throws: DecodingError.self) {
      try plain(#"{"query":"q","texts":["a"],"raw_scores":true}"#)
    }
  }
}
