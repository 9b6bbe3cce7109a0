import Synchronization

/// How many jobs are in flight, and how large they are.
struct LoadShape: Sendable {
  var producers: Int
  /// Jobs that each producer keeps in flight.
  var depth: Int
  var payloadBytes: Int

  private static let producersMax = 8

  /// - Parameter inFlight: at least 1; a multiple of 8 once it exceeds 8.
  init(inFlight: Int, payloadBytes: Int) throws {
    producers = min(inFlight, Self.producersMax)
    depth = inFlight / max(producers, 1)
    self.payloadBytes = payloadBytes
    guard inFlight >= 1, producers * depth == inFlight else {
      throw BenchmarkError(
        "\(inFlight) in flight: give 1 to \(Self.producersMax), or a multiple of that")
    }
  }
}

/// Says to a load that it shall start no more jobs.
final class StopFlag: Sendable {
  private let flag = Atomic(false)

  var isSet: Bool { flag.load(ordering: .relaxed) }
  func set() { flag.store(true, ordering: .relaxed) }
}
