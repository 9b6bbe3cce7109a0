import Foundation

/// How far one model's logits are from another's.
struct Drift: CustomStringConvertible {
  var count: Int
  var largest: Double
  var mean: Double
  /// Of the reference's logits.
  var deviation: Double
  /// Pearson's.
  var correlation: Double

  init(of logits: [Float], from reference: [Float]) {
    precondition(logits.count == reference.count && !logits.isEmpty, "logits of the same pairs")
    let x = logits.map(Double.init)
    let y = reference.map(Double.init)
    let distances = zip(x, y).map { abs($0 - $1) }
    count = x.count
    largest = distances.max() ?? 0
    mean = distances.reduce(0, +) / Double(count)
    deviation = Self.covariance(y, y).squareRoot()
    correlation = Self.covariance(x, y) / (Self.covariance(x, x).squareRoot() * deviation)
  }

  private static func covariance(_ x: [Double], _ y: [Double]) -> Double {
    let meanX = x.reduce(0, +) / Double(x.count)
    let meanY = y.reduce(0, +) / Double(y.count)
    return zip(x, y).reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanY) } / Double(x.count)
  }

  var description: String {
    func short(_ value: Double) -> String { String(format: "%.4f", value) }
    return "largest |Δ| \(short(largest)), mean |Δ| \(short(mean)), standard deviation of the "
      + "reference \(short(deviation)), correlation \(String(format: "%.6f", correlation))"
  }
}
