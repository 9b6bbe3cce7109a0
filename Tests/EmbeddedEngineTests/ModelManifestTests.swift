import Foundation
import Scoring
import TestSupport
import Testing
import Tokenization

@testable import EmbeddedEngine

@Suite struct ModelManifestTests {
  private func load(
    _ family: FamilyModel, manifest: String?
  ) throws -> EmbeddedModel {
    let folder = try family.copy()
    if let manifest {
      try folder.write(manifest, to: ModelManifest.fileName)
    } else {
      try FileManager.default.removeItem(at: folder.url.appending(path: ModelManifest.fileName))
    }
    return try EmbeddedModel.load(folder: folder.url, name: "m")
  }

  @Test func withoutAManifestTheFamilysDefaultsHold() throws {
    let model = try load(.qwen3Tied, manifest: nil)
    #expect(model.title == nil)
    #expect(model.contextTokens == 512)
    #expect(model.scoreKind == .sigmoid)
    #expect(model.encoder.template == .prompt(.qwen3Reranker))
    #expect(try load(.modernBertMean, manifest: nil).encoder.template == .pair)
    #expect(try load(.xlmRoberta, manifest: nil).contextTokens == 128)
  }

  @Test func aManifestOverridesThem() throws {
    let model = try load(
      .qwen3Tied,
      manifest: """
        {"name": "Tiny", "licence": "MIT", "scoreKind": "raw", "contextTokens": 400,
         "reservedTokens": 30, "template": {"instruction": "Judge", "prompt": [
           {"control": "<|im_start|>"}, {"place": "query"}, {"text": " & "}, {"place": "document"},
           {"control": "<|im_end|>"}]}}
        """)
    #expect(model.title == "Tiny")
    #expect(model.licence == "MIT")
    #expect(model.scoreKind == .raw)
    #expect(model.contextTokens == 400)
    #expect(model.reservedTokens == 30)
    let ids = try model.encoder.pair(model.encoder.query("a", instruction: nil), document: "b").ids
    let tokenizer = model.tokenizer
    #expect(
      try ids == [#require(tokenizer.id(ofToken: "<|im_start|>"))] + tokenizer.encode("a & b")
        + [#require(tokenizer.id(ofToken: "<|im_end|>"))])
  }

  @Test(arguments: [
    (#"{"golden": [{"query": "a", "document": "b", "logit": 77}]}"#, "a golden pair whose logit"),
    (#"{"contextTokens": 513}"#, "contextTokens is 513; the weights allow 512"),
    (#"{"contextTokens": 0}"#, "contextTokens is 0"),
    (#"{"contextTokens": 9}"#, "of a context of 9"),
    (#"{"reservedTokens": 3}"#, "3 tokens are reserved for the template"),
    (#"{"scoreKind": "cosine"}"#, "scoreKind is cosine; sigmoid and raw work"),
    (#"{"goldens": []}"#, "goldens is no key of a manifest"),
    (#"{"template": "triple"}"#, "the template is triple"),
    (#"{"template": {"instruction": "", "prompt": [{"control": "<|x|>"}]}}"#, "<|x|>"),
    (#"{"template": {"instruction": "", "prompt": [{}]}}"#, "one of control, text and place"),
    (#"{"template": {"instruction": "", "prompt": [{"place": "title"}]}}"#, "title"),
    ("[]", "rerankd-model.json cannot be used"),
  ])
  func aManifestThatDoesNotFitIsAnError(manifest: String, expected: String) throws {
    let error = #expect(throws: EmbeddedEngineError.self) {
      try load(.qwen3Tied, manifest: manifest)
    }
    #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
  }

  @Test func aManifestsSizeIsBounded() throws {
    let error = #expect(throws: EmbeddedEngineError.self) {
      try load(.xlmRoberta, manifest: String(repeating: " ", count: ModelManifest.bytesMax + 1))
    }
    #expect(error?.message.contains("has more than") == true)
  }

  @Test func tensorsLeftAsideAreNoticed() throws {
    let notices = try load(.xlmRoberta, manifest: nil).notices
    #expect(notices.count == 1)
    #expect(notices.first?.contains("roberta.embeddings.position_ids") == true)
    #expect(try load(.modernBertMean, manifest: nil).notices.isEmpty)
  }
}
