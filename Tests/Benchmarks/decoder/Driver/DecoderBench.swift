import EmbeddedEngine
import Foundation
import Scoring

/// Measures what sharing a job's beginning gains with a decoder: CPU-seconds for a job of 20
/// documents without and with it, on one lane, as one line of JSON for compare.py. Arguments: a
/// folder of make_model.py, and a precision.
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

  private struct Report: Encodable {
    /// CPU-seconds a job.
    var whole: Double
    var shared: Double
    var peakMegabytes: Int
  }

  private struct DifferentScores: Error, CustomStringConvertible {
    let description = "sharing the beginning changed scores; it must not change a bit of them"
  }

  private static func measure(_ folder: String, _ precision: PrecisionSetting) async throws {
    let model = try EmbeddedModel.load(
      folder: URL(filePath: folder, directoryHint: .isDirectory), name: "model",
      precision: precision)
    let (whole, wholeScores) = try await score(by: model, prefixBytesMax: 0)
    let (shared, sharedScores) = try await score(by: model, prefixBytesMax: 256 << 20)
    guard wholeScores == sharedScores else { throw DifferentScores() }
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    let report = Report(whole: whole, shared: shared, peakMegabytes: peakMemoryMegabytes())
    print(String(decoding: try encoder.encode(report), as: UTF8.self))
  }

  private static func score(
    by model: EmbeddedModel, prefixBytesMax: Int
  ) async throws -> (cpuSeconds: Double, scores: [DocumentScore]) {
    let engine = try EmbeddedEngine(
      models: [model],
      configuration: EmbeddedEngineConfiguration(
        laneCount: 1, chunkTokensMax: 512, prefixBytesMax: prefixBytesMax))
    let before = cpuSeconds()
    let result = try await engine.score(request, progress: {})
    return (cpuSeconds() - before, result.scores)
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
