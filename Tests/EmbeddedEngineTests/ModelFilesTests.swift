import Foundation
import Scoring
import TestSupport
import Testing

@testable import EmbeddedEngine

@Suite struct ModelFilesTests {
  private static let families = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Fixtures/families")

  private static let names = [
    "modernbert-cls", "modernbert-mean", "qwen3-causal", "qwen3-classifier", "xlm-roberta",
  ]

  @Test(arguments: names)
  func descriptionSaysWhatTheLoadedModelHas(name: String) throws {
    let files = ModelFiles.folder(Self.families.appending(path: name))
    let description = try files.description()
    let model = try files.load(name: name, precision: .fp32)
    #expect(description.contextTokens == model.contextTokens)
    #expect(description.reservedTokens == model.reservedTokens)
    #expect(description.scoreKind == model.scoreKind)
    #expect(description.title == "tiny \(name)")
    #expect(description.licence == "Apache-2.0")
    #expect(description.hasManifest)
    #expect(description.goldenPairCount == 4)
    #expect(try files.nonFiniteTensors() == [])
  }

  /// What the queue's catalogue says of a folder without opening weights or tokenizer.
  @Test(arguments: names)
  func windowAgreesWithTheLoadedModel(name: String) throws {
    let folder = Self.families.appending(path: name)
    let window = try ModelFiles.window(ofFolder: folder)
    let model = try EmbeddedModel.load(folder: folder, name: name)
    #expect(window.contextTokens == model.contextTokens)
    if name.hasPrefix("qwen3") {
      #expect(window.reservedTokens == nil)
    } else {
      #expect(window.reservedTokens == model.reservedTokens)
    }
  }

  @Test func windowNeedsConfigurationAndManifestAlone() throws {
    let folder = try TemporaryFolder("window")
    try FileManager.default.copyItem(
      at: Self.families.appending(path: "qwen3-causal/config.json"),
      to: folder.url.appending(path: "config.json"))
    try folder.write(#"{"contextTokens": 300, "reservedTokens": 90}"#, to: "rerankd-model.json")
    let window = try ModelFiles.window(ofFolder: folder.url)
    #expect(window.contextTokens == 300)
    #expect(window.reservedTokens == 90)
  }

  @Test func builtInModelIsDescribedAsItIs() throws {
    let description = try ModelFiles.builtIn.description()
    #expect(description.architecture == "SegmentedBertForSequenceClassification")
    #expect(description.tokenizer == "WordPiece")
    #expect(description.contextTokens == EmbeddedModel.builtInContextTokens)
    #expect(description.reservedTokens == EmbeddedModel.builtInReservedTokens)
    #expect(description.goldenPairCount > 0)
  }

  @Test(arguments: ["modernbert-cls", "qwen3-causal"])
  func writtenManifestIsReadBackAndHeldTo(name: String) throws {
    let temporary = try TemporaryFolder("manifest")
    let folder = temporary.url.appending(path: name)
    try FileManager.default.copyItem(at: Self.families.appending(path: name), to: folder)
    let path = folder.appending(path: ModelManifest.fileName)
    try FileManager.default.removeItem(at: path)
    let files = ModelFiles.folder(folder)
    let before = try files.description()
    #expect(!before.hasManifest)
    func write(_ logit: Float) throws {
      try before.manifest(name: "mine", golden: [("a question", "an answer", logit)])
        .write(to: path)
    }
    let model = try files.load(name: name, precision: .fp32)
    let query = model.encoder.query("a question", instruction: nil)
    var batch = TokenBatch()
    let pair = try model.encoder.pair(query, document: "an answer")
    batch.appendPair { $0.append(pair) }
    let scratch = FloatBuffer(count: model.network.scratchFloats(for: batch))
    let logit = model.network.logits(of: batch, scratch: scratch)[0]

    try write(logit)
    let after = try files.description()
    #expect(after.title == "mine")
    #expect(after.template == before.template)
    #expect(after.contextTokens == before.contextTokens)
    #expect(after.reservedTokens == before.reservedTokens)
    #expect(after.scoreKind == before.scoreKind)
    #expect(throws: Never.self) { try files.load(name: name, precision: .fp32) }
    try write(logit + 1)
    let error = #expect(throws: EmbeddedEngineError.self) {
      try files.load(name: name, precision: .fp32)
    }
    #expect(error?.code == .goldenMismatch)
  }
}
