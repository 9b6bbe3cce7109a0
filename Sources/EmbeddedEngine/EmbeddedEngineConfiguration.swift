import Foundation

/// How the embedded engine computes, and its limits.
public struct EmbeddedEngineConfiguration: Sendable, Equatable {
  /// What models are loaded in; ``EmbeddedModel/load(folder:name:precision:kernelPath:)`` takes it.
  public var precision: PrecisionSetting
  /// Threads that score, each busy with one batch of pairs at a time.
  public var laneCount: Int
  /// Tokens that a lane works on at a time, of one job or several: 512 of them use the caches as
  /// well as more would. A batch's time is what progress, cancellation and deadlines wait for, and
  /// its scratch is the lane's memory (about 14 kB a token with MiniLM-L6). A pair above it goes
  /// alone.
  public var chunkTokensMax: Int
  /// Calls to `score` that are waiting or under way; more are refused.
  public var jobsMax: Int
  /// Memory for what the pairs of jobs begin with, where a model computes it once for a job. A
  /// token takes 224 kB with a Qwen3 of 0.6 billion weights, 3 kB with the built-in model. 0
  /// computes each pair whole.
  public var prefixBytesMax: Int

  public init(
    precision: PrecisionSetting = .auto, laneCount: Int = Self.defaultLaneCount,
    chunkTokensMax: Int = 512, jobsMax: Int = 256, prefixBytesMax: Int = 256 << 20
  ) {
    self.precision = precision
    self.laneCount = laneCount
    self.chunkTokensMax = chunkTokensMax
    self.jobsMax = jobsMax
    self.prefixBytesMax = prefixBytesMax
  }

  /// A core is left to the rest of the process, and to the ledger where it runs on the same
  /// machine.
  public static var defaultLaneCount: Int {
    max(1, ProcessInfo.processInfo.activeProcessorCount - 1)
  }

  func validate() throws {
    func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws {
      guard range.contains(value) else {
        throw EmbeddedEngineError(
          code: .invalidConfiguration,
          message: "embedded engine: \(name) is \(value); \(range.lowerBound) to "
            + "\(range.upperBound) works")
      }
    }
    try check("laneCount", laneCount, 1...1024)
    try check("chunkTokensMax", chunkTokensMax, 1...65_536)
    try check("jobsMax", jobsMax, 1...100_000)
    try check("prefixBytesMax", prefixBytesMax, 0...(1 << 40))
  }
}
