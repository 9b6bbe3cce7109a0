import RerankdProtocol

/// What one queue said at one time, or why it said nothing.
struct QueueReading: Encodable {
  var endpoint: String
  var status: StatusView?
  var attachedWorkers: [WorkerView]?
  /// Against the reading before; absent with the first one, and after a restart.
  var rates: RateView?
  var error: ErrorView?
}

/// What several queues said, or one of them again and again: one line of `status --watch`.
struct StatusReadings: Encodable {
  var time: String
  var queues: [QueueReading]
}

/// What a queue did a second between two answers, by its own clock.
struct RateView: Encodable, Equatable {
  var seconds: Double
  var submitted: Double
  var succeeded: Double
  var dead: Double
  var retried: Double

  /// nil when the counters began anew between the two.
  init?(from earlier: StatusView, to later: StatusView) {
    guard earlier.epoch == later.epoch, later.uptimeMs > earlier.uptimeMs else { return nil }
    let seconds = Double(later.uptimeMs - earlier.uptimeMs) / 1_000
    func rate(_ counter: String) -> Double {
      let (before, after) = (earlier.counters[counter] ?? 0, later.counters[counter] ?? 0)
      return after > before ? Double(after - before) / seconds : 0
    }
    self.seconds = seconds
    submitted = rate("submitted")
    succeeded = rate("succeeded")
    dead = rate("dead")
    retried = rate("retried")
  }
}

/// One queue under watch: its readings become rates and a short history.
struct WatchedQueue {
  let endpoint: String
  /// The last answer, also when later ones failed.
  private(set) var status: StatusView?
  private(set) var workers: [WorkerView] = []
  private(set) var rates: RateView?
  /// Succeeded jobs a second, oldest first.
  private(set) var history: [Double] = []
  private(set) var error: ErrorView?
  private var answeredAt: ContinuousClock.Instant?

  static let historyMax = 60

  init(endpoint: String) {
    self.endpoint = endpoint
  }

  /// Takes a reading and gives it its rates.
  mutating func take(_ reading: QueueReading, at now: ContinuousClock.Instant) -> QueueReading {
    error = reading.error
    guard let status = reading.status else {
      rates = nil
      return reading
    }
    rates = self.status.flatMap { RateView(from: $0, to: status) }
    if let rates { history = (history + [rates.succeeded]).suffix(Self.historyMax) }
    self.status = status
    workers = reading.attachedWorkers ?? []
    answeredAt = now
    var reading = reading
    reading.rates = rates
    return reading
  }

  /// For how long it has not answered; nil before its first answer.
  func silence(at now: ContinuousClock.Instant) -> Duration? {
    answeredAt?.duration(to: now)
  }
}
