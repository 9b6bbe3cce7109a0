import Foundation
import Scoring
import TestSupport
import Testing

@testable import EmbeddedEngine

/// The model inside the binary.
@Suite struct BuiltInModelTests {
  static let paths = KernelPath.allCases.filter(\.isSupported)

  @Test(arguments: paths, [PrecisionSetting.fp32, .bf16, .int8])
  func goldenPairsGetTheManifestsLogits(path: KernelPath, precision: PrecisionSetting) throws {
    // Loading scores them, within `goldenTolerance`.
    let model = try EmbeddedModel.builtIn(precision: precision, kernelPath: path)
    #expect(model.name == "builtin")
    #expect(model.contextTokens == 512)
    #expect(model.network.precision.rawValue == precision.rawValue)
    #expect(try BuiltInModelFile.embedded().manifest.golden.count == 4)
  }

  @Test func theAnswerRanksFirst() async throws {
    let engine = try EmbeddedEngine(models: [.builtIn()])
    let documents = [
      "Berlin is the capital of Germany.", "The Eiffel Tower was built in 1889.",
      "Paris is the capital of France.", "Cheese is made from milk.",
    ]
    let result = try await engine.score(
      ScoringRequest(
        model: "builtin", query: RerankContent(text: "What is the capital of France?"),
        documents: documents.map { RerankContent(text: $0) }), progress: {})
    let best = result.scores.indices.max {
      result.scores[$0].rankingKey < result.scores[$1].rankingKey
    }
    #expect(best == 2)
    #expect(result.scores[2].relevanceScore > 0.9)
    #expect(result.scores[3].relevanceScore < 0.1)
    #expect(result.scoreKind == .sigmoid)
    #expect(result.precision == (KernelPath.best == .portable ? "fp32" : "int8"))
  }

  @Test func aWrongLogitFailsToLoad() throws {
    let bytes = try damaged { bytes in
      let manifest = try #require(
        bytes.prefix(10_000).firstRange(of: Array("\"logit\": 5.".utf8)))
      bytes[manifest.upperBound - 2] = UInt8(ascii: "6")
    }
    let error = try #require(try loadingError(bytes))
    #expect(error.code == .goldenMismatch)
    #expect(error.message.contains("What is the capital of France?"))
  }

  @Test func aDamagedWeightFailsToLoad() throws {
    let tensor = try #require(
      try BuiltInModelFile.embedded().tensors["bert.encoder.layer.2.output.dense.weight"])
    let bytes = try damaged { bytes in
      for offset in 0..<tensor.byteCount / 2 { bytes[tensor.offset + offset] = 3 }
    }
    #expect(try loadingError(bytes)?.code == .goldenMismatch)
  }

  @Test func aFileThatContradictsItselfIsAnError() throws {
    let start = Array(BuiltInModelFile.embeddedBytes.prefix(40_000))
    for (bytes, expected) in [
      ([], "does not begin with RRKMODEL"),
      (Array(start.prefix(12)), "does not begin with RRKMODEL"),
      (Array("RRKMODEX".utf8) + start[8...], "does not begin with RRKMODEL"),
      (start.prefix(8) + [9, 0, 0, 0] + start[12...], "has version 9"),
      (Array(start.prefix(100)), "is cut short in its manifest"),
      (start, "is not wholly in it"),
      (
        start.prefix(16) + Array(repeating: UInt8(ascii: "x"), count: 39_984),
        "has a manifest that cannot be understood"
      ),
    ] as [([UInt8], String)] {
      let error = bytes.withUnsafeBytes { memory in
        #expect(throws: EmbeddedEngineError.self) {
          try BuiltInModelFile(permanent: memory, label: "the file")
        }
      }
      #expect(error?.message.contains(expected) == true, "\(error?.message ?? "")")
    }
  }

  /// 8-bit weights against the same model in half precision, over pairs of a real collection.
  @Test(
    .needsSharedModel("minilm-l6-cross-encoder/config.json"),
    .needsSharedData("dev/cranfield/queries.jsonl"))
  func quantisingMovesNoLogitFar() async throws {
    struct Row: Decodable {
      var text: String
    }
    func rows(_ name: String, _ count: Int) throws -> [String] {
      let url = SharedData.data.appending(path: "dev/cranfield/\(name).jsonl")
      return try String(contentsOf: url, encoding: .utf8).split(separator: "\n").prefix(count)
        .map { try JSONDecoder().decode(Row.self, from: Data($0.utf8)).text }
    }
    let folder = SharedData.models.appending(path: "minilm-l6-cross-encoder")
    let engine = try EmbeddedEngine(models: [
      .builtIn(precision: .fp32), .load(folder: folder, name: "reference", precision: .fp32),
    ])
    let documents = try rows("corpus", 25).map {
      RerankContent(text: engine.tokenCounter(forModel: "builtin").truncate($0, toTokens: 60))
    }
    var logits: [String: [Float]] = [:]
    for query in try rows("queries", 4) {
      for model in ["builtin", "reference"] {
        let request = ScoringRequest(
          model: model, query: RerankContent(text: query), documents: documents)
        logits[model, default: []] += try await engine.score(request, progress: {}).scores.map(
          \.rankingKey)
      }
    }
    let drift = Drift(of: logits["builtin"] ?? [], from: logits["reference"] ?? [])
    print("8-bit weights over \(drift.count) pairs: \(drift)")
    #expect(drift.count == 100)
    #expect(drift.correlation > 0.995)
    #expect(drift.largest < 0.5)
  }

  private func damaged(_ change: (inout [UInt8]) throws -> Void) throws -> [UInt8] {
    var bytes = Array(BuiltInModelFile.embeddedBytes)
    try change(&bytes)
    return bytes
  }

  private func loadingError(_ bytes: [UInt8]) throws -> EmbeddedEngineError? {
    bytes.withUnsafeBytes { memory in
      #expect(throws: EmbeddedEngineError.self) {
        try EmbeddedModel.load(
          BuiltInModelFile(permanent: memory, label: "the file"), name: "m",
          precision: .auto, kernelPath: nil)
      }
    }
  }
}
