import Foundation
import Scoring
import Synchronization
import TestSupport
import Testing

@testable import EmbeddedEngine

/// The rounded precisions against fp32, over real pairs. In bf16 no logit is farther away than 5%
/// of the logits' standard deviation, and the correlation is 0.999 or more; int8 does not hold
/// that, and with some weights w8a16 does not, which is why `auto` takes neither for a BERT.
///
/// `RERANKD_TEST_DRIFT_PAIRS` says over how many pairs, and has every path measured; without it
/// there are few, on the machine's best path. All paths come to the same 8-bit integers.
@Suite struct DriftTests {
  static let pairsAsked = ProcessInfo.processInfo.environment["RERANKD_TEST_DRIFT_PAIRS"]
    .flatMap(Int.init)
  static let cases = KernelPath.allCases.filter { pairsAsked == nil ? $0 == .best : $0.isSupported }
    .flatMap { path in
      [PrecisionSetting.bf16, .w8a16, .int8].map { (path, $0) }
    }

  @Test(
    .needsSharedModel("minilm-l6-cross-encoder/config.json"),
    .needsSharedData("dev/trec-dl21/candidates.jsonl"), arguments: cases)
  func logitsOfTheDevelopmentModelStayClose(
    path: KernelPath, precision: PrecisionSetting
  ) async throws {
    let folder = SharedData.models.appending(path: "minilm-l6-cross-encoder")
    try await expectCloseness(
      of: .load(folder: folder, name: "development", precision: precision, kernelPath: path)
    ) { try .load(folder: folder, name: "development", precision: .fp32) }
  }

  @Test(.needsSharedData("dev/trec-dl21/candidates.jsonl"), arguments: cases)
  func logitsOfTheBuiltInModelStayClose(
    path: KernelPath, precision: PrecisionSetting
  ) async throws {
    try await expectCloseness(of: .builtIn(precision: precision, kernelPath: path)) {
      try .builtIn(precision: .fp32)
    }
  }

  private func expectCloseness(
    of model: EmbeddedModel, to reference: @escaping @Sendable () throws -> EmbeddedModel
  ) async throws {
    let pairs = Self.pairsAsked ?? 60
    let data = try RankingData.read(
      "trec-dl21", queries: min(pairs, 50), documents: pairs / 50 + 1)
    // Of all cases with the same model the first one computes what the others are held against.
    let references = Self.references.withLock { references in
      let task =
        references[model.name]
        ?? Task { try await Self.logits(of: data, model: try reference()) }
      references[model.name] = task
      return task
    }
    let drift = Drift(
      of: try await Self.logits(of: data, model: model), from: try await references.value)
    let precision = model.network.precision
    print("\(model.name), \(precision) on \(model.network.path), \(drift.count) pairs: \(drift)")
    #expect(drift.count >= pairs)
    let (largest, correlation) = Self.limits(precision)
    #expect(drift.largest <= largest * drift.deviation)
    #expect(drift.correlation >= correlation)
  }

  /// The largest |Δ| as a part of the standard deviation, and the least correlation.
  private static func limits(_ precision: Precision) -> (largest: Double, correlation: Double) {
    switch precision {
    case .fp32, .bf16: (0.05, 0.999)
    case .w8a16: (0.1, 0.999)
    case .int8: (0.4, 0.995)
    }
  }

  private static let references = Mutex<[String: Task<[Float], any Error>]>([:])

  private static func logits(of data: RankingData, model: EmbeddedModel) async throws -> [Float] {
    let engine = try EmbeddedEngine(
      models: [model], configuration: EmbeddedEngineConfiguration(laneCount: 1))
    var logits: [Float] = []
    for job in data.jobs {
      let request = ScoringRequest(
        model: model.name, query: RerankContent(text: job.query),
        documents: job.documents.map { RerankContent(text: $0) }, remaining: .seconds(3600))
      logits += try await engine.score(request, progress: {}).scores.map(\.rankingKey)
    }
    return logits
  }
}

/// Queries of a shared collection with documents to rank.
struct RankingData {
  var jobs: [(query: String, documents: [String])]

  private struct Row: Decodable {
    var id: String
    var text: String

    enum CodingKeys: String, CodingKey {
      case id = "_id"
      case text
    }
  }

  private struct Candidates: Decodable {
    var query: String
    var documents: [String]

    enum CodingKeys: String, CodingKey {
      case query = "query-id"
      case documents = "doc-ids"
    }
  }

  /// The first queries, each with the first of its candidates.
  static func read(_ name: String, queries: Int, documents: Int) throws -> RankingData {
    func rows<Row: Decodable>(_ file: String, _ type: Row.Type) throws -> [Row] {
      let url = SharedData.data.appending(path: "dev/\(name)/\(file).jsonl")
      return try String(contentsOf: url, encoding: .utf8).split(separator: "\n").map {
        try JSONDecoder().decode(type, from: Data($0.utf8))
      }
    }
    let candidates = try rows("candidates", Candidates.self).prefix(queries)
    let wanted = Set(candidates.flatMap { $0.documents.prefix(documents) })
    let queryTexts = Dictionary(
      uniqueKeysWithValues: try rows("queries", Row.self).map { ($0.id, $0.text) })
    var texts: [String: String] = [:]
    for row in try rows("corpus", Row.self) where wanted.contains(row.id) {
      texts[row.id] = row.text
    }
    return RankingData(
      jobs: candidates.map { entry in
        (
          queryTexts[entry.query] ?? "",
          entry.documents.prefix(documents).map { String((texts[$0] ?? "").prefix(600)) }
        )
      })
  }
}

@Suite struct PrecisionSettingTests {
  @Test func autoTakesBFloat16WhereTheMachineHasItAndNeverEightBitActivations() throws {
    for path in KernelPath.allCases {
      let rounds = path == .avx512BF16
      #expect(PrecisionSetting.auto.resolved(path: path) == (rounds ? .bf16 : .fp32))
      #expect(
        PrecisionSetting.auto.resolved(path: path, rounded: .w8a16) == (rounds ? .w8a16 : .fp32))
      for precision in Precision.allCases {
        let asked = PrecisionSetting(rawValue: precision.rawValue)
        #expect(asked?.resolved(path: path) == precision)
      }
    }
    let rounds = KernelPath.best == .avx512BF16
    #expect(
      try FamilyModel.qwen3Tied.network(.best, .auto).precision == (rounds ? .w8a16 : .fp32))
    #expect(
      try FamilyModel.modernBertFirst.network(.best, .auto).precision == (rounds ? .bf16 : .fp32))
  }
}
