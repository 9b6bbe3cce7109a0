import EmbeddedEngine
import Foundation
import Scoring

/// Measures the embedded engine: pairs a CPU-second at 128 tokens and at mixed lengths, the time from
/// the process's start to the first score, and the peak of its memory.
///
/// Arguments: a model's folder, or nothing for the model inside the binary; `--path avx2` and the
/// like force a kernel path. One lane, so that the numbers are a core's.
@main
struct EngineBench {
  static func main() async throws {
    let start = ContinuousClock.now
    var arguments = CommandLine.arguments.dropFirst()
    var path = KernelPath.best
    if let flag = arguments.firstIndex(of: "--path"), flag + 1 < arguments.endIndex {
      guard let named = KernelPath(rawValue: arguments[flag + 1]) else {
        throw EngineError(
          code: .invalidArgument, message: "--path takes avx512, avx2 or portable",
          isRetryable: false)
      }
      path = named
      arguments.removeSubrange(flag...flag + 1)
    }
    var precision = PrecisionSetting.auto
    if let flag = arguments.firstIndex(of: "--precision"), flag + 1 < arguments.endIndex {
      precision = PrecisionSetting(rawValue: arguments[flag + 1]) ?? .auto
      arguments.removeSubrange(flag...flag + 1)
    }
    let model =
      if let folder = arguments.first {
        try EmbeddedModel.load(
          folder: URL(filePath: folder, directoryHint: .isDirectory), name: "model",
          precision: precision, kernelPath: path)
      } else {
        try EmbeddedModel.builtIn(name: "model", precision: precision, kernelPath: path)
      }
    let engine = try EmbeddedEngine(
      models: [model], configuration: EmbeddedEngineConfiguration(laneCount: 1))
    _ = try await score(engine, documentWords: [7])
    let cold = ContinuousClock.now - start
    let readyMemory = peakMemoryMegabytes()
    print("kernel path \(path.rawValue)")
    print("from main to the first score: \(cold.formatted(.units(allowed: [.milliseconds])))")

    // A query of 8 tokens and the 3 of the template leave so many for the document.
    let uniform = Array(repeating: 128 - 11, count: 32)
    let mixed = (0..<32).map { 16 + $0 * 240 / 31 - 11 }
    for (name, words) in [("128 tokens", uniform), ("16 to 256 tokens", mixed)] {
      var best = Double.infinity
      var tokens = 0
      for _ in 0..<7 {
        let before = cpuSeconds()
        tokens = try await score(engine, documentWords: words)
        best = min(best, cpuSeconds() - before)
      }
      let rate = (Double(words.count) / best * 10).rounded() / 10
      print("\(name): \(rate) pairs a CPU-second (\(tokens / words.count) tokens a pair)")
    }
    print("peak memory: \(readyMemory) MB when ready, \(peakMemoryMegabytes()) MB at the end")
  }

  /// Every word is one token of bert-base-uncased's vocabulary. Returns the tokens scored.
  private static func score(_ engine: EmbeddedEngine, documentWords: [Int]) async throws -> Int {
    let words = "the city of paris is on a river and ice forms in the north".split(separator: " ")
    let result = try await engine.score(
      ScoringRequest(
        model: "model",
        query: RerankContent(text: "what is the capital city of france ?"),
        documents: documentWords.map { count in
          RerankContent(text: (0..<count).map { words[$0 % words.count] }.joined(separator: " "))
        }), progress: {})
    return result.usage?.totalTokens ?? 0
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
