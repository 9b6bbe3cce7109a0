import Foundation
import RerankdProtocol
import SwiftProtobuf
import Testing

@testable import rerankctl

@Suite struct JobLineTests {
  private func read(_ text: String, model: String = "builtin") throws -> JobLine {
    var defaults = JobLine(spec: JobSpec(), request: RerankRequest())
    defaults.spec.model = model
    defaults.request.maxTokensPerDoc = 400
    return try JobLine(text, at: "jobs.jsonl:7", defaults: defaults)
  }

  @Test func aPlainLineTakesTheFlagsDefaults() throws {
    let line = try read(#"{"query": "q", "documents": ["a", "b"]}"#)
    #expect(line.spec.model == "builtin")
    #expect(line.request.query.parts.map(\.text) == ["q"])
    #expect(line.request.documents.map { $0.parts[0].text } == ["a", "b"])
    #expect(line.request.maxTokensPerDoc == 400)
    #expect(!line.spec.allowFallback)
  }

  @Test func everyKeyReachesItsField() throws {
    let line = try read(
      #"""
      {"query": "q", "documents": ["a"], "model": "m", "top_n": 3, "instruction": "i",
       "tenant": "t", "priority": -5, "idempotency_key": "k", "reply_channel": "c",
       "reply_to": "tcp://127.0.0.1:9", "not_before_ms": 10, "deadline_ms": 20, "max_attempts": 2,
       "over_budget": "windows", "max_tokens_per_doc": 9, "allow_fallback": true,
       "document_failure": "per_document"}
      """#)
    #expect(line.spec.model == "m")
    #expect(line.spec.tenant == "t")
    #expect(line.spec.priority == -5)
    #expect(line.spec.idempotencyKey == "k")
    #expect(line.spec.replyChannel == "c")
    #expect(line.spec.replyTo == "tcp://127.0.0.1:9")
    #expect(line.spec.notBeforeMs == 10)
    #expect(line.spec.deadlineMs == 20)
    #expect(line.spec.maxAttempts == 2)
    #expect(line.request.topN == 3)
    #expect(line.request.instruction == "i")
    #expect(line.request.overBudget == .windows)
    #expect(line.request.maxTokensPerDoc == 9)
    #expect(line.spec.allowFallback)
    #expect(line.request.documentFailure == .perDocument)
    let job = try line.job()
    #expect(try RerankRequest(serializedBytes: job.request) == line.request)
  }

  @Test func documentsMayBeObjectsWithTextImagesAndParts() throws {
    let line = try read(
      #"""
      {"query": {"text": "q"}, "documents": [{"text": "a"},
        {"image_url": "data:image/png;base64,AQID"}, {"image_url": {"url": "https://x/y.png"}},
        {"content": [{"type": "text", "text": "b"},
          {"type": "image_url", "image_url": {"url": "data:image/gif;base64,BA=="}}]}]}
      """#)
    let documents = line.request.documents
    #expect(documents[1].parts[0].image.data == Data([1, 2, 3]))
    #expect(documents[2].parts[0].image.url == "https://x/y.png")
    #expect(documents[3].parts[0].text == "b")
    #expect(documents[3].parts[1].image.data == Data([4]))
  }

  @Test(arguments: [
    (#"{"query": "q"}"#, #""documents" is missing"#),
    (#"{"documents": ["a"]}"#, #""query" is missing"#),
    (#"{"query": "q", "documents": "a"}"#, "documents: expected a list"),
    (#"{"query": "q", "documents": ["a", 3]}"#, "documents: [1]: expected a text"),
    (#"{"query": "q", "documents": ["a"], "topn": 3}"#, #"no such key: "topn""#),
    (#"{"query": "q", "documents": ["a"], "top_n": -1}"#, "top_n: expected a whole number"),
    (#"{"query": "q", "documents": ["a"], "top_n": 1e300}"#, "top_n: expected a whole number"),
    (#"{"query": "q", "documents": ["a"], "priority": 101}"#, "from -100 to 100"),
    (
      #"{"query": "q", "documents": ["a"], "over_budget": "cut"}"#,
      #""reject" or "truncate" or "windows""#
    ),
    (#"{"query": "q", "documents": ["a"], "allow_fallback": 1}"#, "expected true or false"),
    (#"{"query": "q", "documents": ["a"], "max_tokens_per_doc": 0.5}"#, "a whole number"),
    (#"{"query": "q", "documents": [{"image_url": "data:image/png,xx"}]}"#, "base64"),
    (
      #"{"query": "q", "documents": [{"text": "a", "image_url": "b"}]}"#, "either text or image_url"
    ),
    (#"{"query": "q", "#, "not valid JSON"),
    ("[1]", "expected a JSON object"),
  ])
  func aWrongLineNamesPlaceAndKey(text: String, message: String) {
    let error = #expect(throws: InputError.self) { try read(text) }
    #expect(error?.description.hasPrefix("jobs.jsonl:7: ") == true)
    #expect(error?.description.contains(message) == true)
  }
}
