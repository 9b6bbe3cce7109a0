import EmbeddedEngine
import Foundation
import Scoring

/// Measures what sharing a job's beginning gains with a decoder: CPU-seconds for a job of 20
/// documents with and without, one lane, by turns. Arguments: a folder of make_model.py, and a
/// precision.
@main
struct DecoderBench {
  static let documents = 20
  static let documentTokens = 100

  static func main() async {
    let arguments = CommandLine.arguments.dropFirst()
    guard arguments.count == 2, let folder = arguments.first,
      let precision = arguments.last.flatMap(PrecisionSetting.init(rawValue:))
    else {
      let names = PrecisionSetting.allCases.map(\.rawValue).joined(separator: ", ")
      complain("takes a folder, and one of \(names)")
      exit(64)
    }
    do {
      try await measure(folder, precision)
    } catch {
      complain("\(error)")
      exit(1)
    }
  }

  private static func complain(_ what: String) {
    FileHandle.standardError.write(Data("decoder-bench: \(what)\n".utf8))
  }

  private static func measure(_ folder: String, _ precision: PrecisionSetting) async throws {
    let model = try EmbeddedModel.load(
      folder: URL(filePath: folder, directoryHint: .isDirectory), name: "model",
      precision: precision)
    func engine(prefixBytesMax: Int) throws -> EmbeddedEngine {
      try EmbeddedEngine(
        models: [model],
        configuration: EmbeddedEngineConfiguration(
          laneCount: 1, chunkTokensMax: 512, prefixBytesMax: prefixBytesMax))
    }
    let whole = try engine(prefixBytesMax: 0)
    var seconds: [String: Double] = [:]
    var scores: [String: [DocumentScore]] = [:]
    for _ in 0..<2 {
      // A new one each time, so that nothing is left from the last.
      for (name, engine) in [("whole", whole), ("shared", try engine(prefixBytesMax: 256 << 20))] {
        let before = cpuSeconds()
        let result = try await engine.score(request, progress: {})
        seconds[name] = min(cpuSeconds() - before, seconds[name] ?? .infinity)
        scores[name] = result.scores
      }
    }
    for name in ["whole", "shared"] {
      let time = (seconds[name] ?? 0).formatted(.number.precision(.fractionLength(2)))
      print("engine \(precision.rawValue) \(name): \(time) CPU-seconds a job")
    }
    let same = scores["whole"] == scores["shared"] ? "the same bits" : "DIFFERENT SCORES"
    print("  first logits \(scores["shared", default: []].prefix(3).map(\.rankingKey)), \(same)")
    print("  peak memory \(peakMemoryMegabytes()) MB")
  }

  private static var request: ScoringRequest {
    ScoringRequest(
      model: "model", query: RerankContent(text: "which city ?"),
      documents: (0..<documents).map { RerankContent(text: document($0)) },
      remaining: .seconds(3600))
  }

  private static func document(_ index: Int) -> String {
    let letters = (0..<documentTokens).map { place -> UInt8 in
      let letter = (index * 7 + place * 3 + index * place) % 26
      return UInt8(97 + letter)
    }
    return String(decoding: letters, as: UTF8.self)
  }

  private static func cpuSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  private static func peakMemoryMegabytes() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss / 1024
  }
}
