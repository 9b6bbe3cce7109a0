import RerankdProtocol
import SwiftProtobuf

/// What became of the jobs of a measurement.
struct BenchTally {
  private(set) var succeeded = 0
  private(set) var failed = 0
  private(set) var pairs = 0
  private var latenciesUs: [UInt64] = []
  private var errors: [String: BenchErrorView] = [:]

  var count: Int { succeeded + failed }

  mutating func add(_ ended: Result<Int, CallError>, after latency: Duration) {
    switch ended {
    case .success(let documents):
      succeeded += 1
      pairs += documents
      latenciesUs.append(Quantity.microseconds(latency))
    case .failure(let error):
      failed += 1
      let code = error.code.description
      errors[code, default: BenchErrorView(code: code, message: error.message, count: 0)].count += 1
    }
  }

  /// Of those that succeeded; nil for none.
  var latency: LatencyQuantiles? {
    let sorted = latenciesUs.sorted()
    guard let longest = sorted.last else { return nil }
    // The smallest that so many of a hundred do not exceed.
    func quantile(_ percent: Int) -> UInt64 {
      sorted[max(0, (sorted.count * percent + 99) / 100 - 1)]
    }
    return LatencyQuantiles.with {
      $0.count = UInt64(sorted.count)
      ($0.p50Us, $0.p90Us, $0.p99Us) = (quantile(50), quantile(90), quantile(99))
      $0.maxUs = longest
    }
  }

  /// The most frequent first.
  var errorViews: [BenchErrorView] {
    errors.values.sorted { ($1.count, $0.code) < ($0.count, $1.code) }
  }
}
