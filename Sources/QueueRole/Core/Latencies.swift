import RerankdProtocol
import SwiftProtobuf

/// How long the jobs of one model took that ended lately. The queue's clock counts milliseconds.
struct Latencies {
  private var waiting: LatencyRing
  private var scoring: LatencyRing
  private var total: LatencyRing

  /// - Parameter countMax: the newest so many of each are kept.
  init(countMax: Int) {
    waiting = LatencyRing(countMax: countMax)
    scoring = LatencyRing(countMax: countMax)
    total = LatencyRing(countMax: countMax)
  }

  /// A worker ended the job, or was the last to have it.
  mutating func record(waitingMs: Int64, scoringMs: Int64) {
    waiting.record(milliseconds: waitingMs)
    scoring.record(milliseconds: scoringMs)
  }

  mutating func record(totalMs: Int64) {
    total.record(milliseconds: totalMs)
  }

  /// nil: no job has ended yet.
  func summary(model: String) -> LatencySummary? {
    guard !total.isEmpty else { return nil }
    return LatencySummary.with {
      $0.model = model
      $0.waiting = waiting.quantiles
      $0.scoring = scoring.quantiles
      $0.total = total.quantiles
    }
  }
}

/// The newest of some durations.
struct LatencyRing {
  private let countMax: Int
  private var milliseconds: [UInt32] = []
  private var next = 0

  init(countMax: Int) {
    self.countMax = countMax
  }

  var isEmpty: Bool { milliseconds.isEmpty }

  mutating func record(milliseconds value: Int64) {
    let value = UInt32(clamping: value)
    if milliseconds.count < countMax {
      milliseconds.append(value)
    } else {
      milliseconds[next] = value
      next = (next + 1) % countMax
    }
  }

  /// By nearest rank: the smallest that so many of them do not exceed.
  var quantiles: LatencyQuantiles {
    let sorted = milliseconds.sorted()
    func microseconds(_ percent: Int) -> UInt64 {
      guard !sorted.isEmpty else { return 0 }
      let rank = (percent * sorted.count + 99) / 100
      return UInt64(sorted[max(rank, 1) - 1]) * 1_000
    }
    return LatencyQuantiles.with {
      $0.count = UInt64(sorted.count)
      $0.p50Us = microseconds(50)
      $0.p90Us = microseconds(90)
      $0.p99Us = microseconds(99)
      $0.maxUs = microseconds(100)
    }
  }
}
