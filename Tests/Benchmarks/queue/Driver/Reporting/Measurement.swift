/// One row of the table.
struct Measurement: Codable, Sendable {
  var peer: String
  var inFlight: Int
  var seconds: Double
  var lifecycles: Int
  var lifecyclesPerSecond: Double
  /// Of the whole seconds.
  var medianPerSecond: Int
  /// The slowest of the whole seconds.
  var minimumPerSecond: Int
  var submitP50Milliseconds: Double
  var submitP99Milliseconds: Double
  var lifecycleP50Milliseconds: Double
  var lifecycleP99Milliseconds: Double
  /// By process.
  var cpuMicrosecondsPerLifecycle: [String: Double]
  /// By process, one sample a second.
  var residentMiB: [String: [Double]]

  init(peer: String, inFlight: Int, figures: PeerFigures) {
    let load = figures.load
    let sorted = load.perSecond.sorted()
    self.peer = peer
    self.inFlight = inFlight
    seconds = load.seconds
    lifecycles = load.lifecycles
    lifecyclesPerSecond = load.rate
    medianPerSecond = sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    minimumPerSecond = sorted.first ?? 0
    submitP50Milliseconds = load.submitLatency.milliseconds(atShare: 0.5) ?? 0
    submitP99Milliseconds = load.submitLatency.milliseconds(atShare: 0.99) ?? 0
    lifecycleP50Milliseconds = load.lifecycleLatency.milliseconds(atShare: 0.5) ?? 0
    lifecycleP99Milliseconds = load.lifecycleLatency.milliseconds(atShare: 0.99) ?? 0
    cpuMicrosecondsPerLifecycle = figures.cpuSeconds.mapValues {
      $0 * 1e6 / Double(max(load.lifecycles, 1))
    }
    residentMiB = figures.residentBytes.mapValues { $0.map(Self.mebibytes) }
  }

  static func mebibytes(_ bytes: Int) -> Double { Double(bytes) / 1_048_576 }
}
