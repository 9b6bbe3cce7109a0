import RerankdProtocol

/// What stands behind some of the models: whether it takes work, how much, and who waits for it.
///
/// A remote API is one for all workers, so its limits and its health are here; workers ask for a
/// permit before each request. A model of the embedded engine has a backend of its own that nobody
/// lists (`isDeclared` is false): no permits are asked for it, and it rests only when an attempt
/// says that it takes nothing from anybody.
final class Backend {
  let index: Int
  let name: String
  let isDeclared: Bool
  private(set) var limits: BackendLimits
  var models: [Model] = []

  var health = BackendHealth.open
  /// By an operator, whatever its health.
  var isPaused = false
  /// Counts the changes of `health`. What a request says of the backend holds for the one in which
  /// it was granted.
  var generation: UInt64 = 0
  var breaker: CircuitBreaker

  var requestRate: RateLimiter?
  var tokenRate: RateLimiter?
  /// Permits that are given out.
  var granted = 0
  var waiting = PermitLine()
  /// When the first in line may go.
  var grantDueMs: Int64?
  var isWaitingForGrants = false

  var counters = BackendCounters()

  init(
    index: Int, name: String, isDeclared: Bool, limits: BackendLimits,
    configuration: QueueConfiguration, nowMs: Int64
  ) {
    self.index = index
    self.name = name
    self.isDeclared = isDeclared
    self.limits = limits
    breaker = CircuitBreaker(settings: configuration.breaker)
    requestRate = Self.rate(limits.requestsPerMinuteMax, configuration, nowMs: nowMs)
    tokenRate = Self.rate(limits.tokensPerMinuteMax, configuration, nowMs: nowMs)
  }

  private static func rate(
    _ limit: Int?, _ configuration: QueueConfiguration, nowMs: Int64
  ) -> RateLimiter? {
    limit.map {
      RateLimiter(
        limit: $0, windowMs: configuration.rateWindowMs,
        spreadMs: configuration.permitValidMs + configuration.permitTransitMs, nowMs: nowMs)
    }
  }

  /// Takes new limits, and when it is to rest. A rate that changed begins with an empty bucket, as
  /// after a restart, so that what was granted under the former one counts as well.
  ///
  /// - Parameter new: nil for one that has none.
  func configure(limits new: BackendLimits?, _ configuration: QueueConfiguration, nowMs: Int64) {
    // Counted against other bounds, what came before says nothing.
    if breaker.settings != configuration.breaker {
      breaker = CircuitBreaker(settings: configuration.breaker)
    }
    guard let new, new != limits else { return }
    if new.requestsPerMinuteMax != limits.requestsPerMinuteMax {
      requestRate = Self.rate(new.requestsPerMinuteMax, configuration, nowMs: nowMs)
    }
    if new.tokensPerMinuteMax != limits.tokensPerMinuteMax {
      tokenRate = Self.rate(new.tokensPerMinuteMax, configuration, nowMs: nowMs)
    }
    limits = new
  }

  /// Whether its models' jobs are handed out without reserve.
  var isOpen: Bool {
    if case .open = health { !isPaused } else { false }
  }

  /// Whether it takes nothing at all, and its models' jobs wait, or go to fallbacks.
  var isClosed: Bool {
    if isPaused { return true }
    switch health {
    case .open, .probing: return false
    case .resting, .credentialsRefused: return true
    }
  }

  /// Until when it rests, where that is known.
  var restEndsMs: Int64? {
    switch health {
    case .resting(let untilMs, _), .credentialsRefused(let untilMs, _): isPaused ? nil : untilMs
    case .open, .probing: nil
    }
  }
}

/// How a backend fares, as far as its answers tell.
enum BackendHealth {
  /// → resting (its breaker tripped, or it asked to be left alone), credentialsRefused.
  case open
  /// → probing (the time is over), credentialsRefused (a late answer), open (an operator resumes).
  case resting(untilMs: Int64, reason: String)
  /// It refuses the credentials.
  /// → probing (they were renewed, or a long time is over), open (an operator resumes).
  case credentialsRefused(untilMs: Int64, reason: String)
  /// One job and one request at a time, to see whether it is back.
  /// → open (a request was answered), resting, credentialsRefused.
  case probing(Probe, reason: String)

  struct Probe {
    /// The job that was handed out for it.
    var job: JobID?
    /// The worker session through which to look: the one whose credentials changed. nil: any.
    var session: UInt64?
    /// The permit that was given out for it.
    var permit: UInt64?
  }
}

struct BackendCounters {
  var requests: UInt64 = 0
  var tokens: UInt64 = 0
  var credentialsRefused: UInt64 = 0
  var rateLimited: UInt64 = 0
  var unavailable: UInt64 = 0
}

/// Leave for one request, asked for by a worker.
final class Permit {
  /// Of all permits of this process.
  let number: UInt64
  /// The worker's name for it.
  let id: UInt64
  let session: WorkerSession
  let backend: Backend
  let tokens: Int
  let job: JobID
  /// Given out: in which of the backend's generations, and when it is taken for lost.
  var grant: (generation: UInt64, lostAtMs: Int64)?

  init(
    number: UInt64, id: UInt64, session: WorkerSession, backend: Backend, tokens: Int, job: JobID
  ) {
    self.number = number
    self.id = id
    self.session = session
    self.backend = backend
    self.tokens = tokens
    self.job = job
  }
}

/// Who waits for permits of one backend: workers in turn, each in the order in which it asked.
struct PermitLine {
  private var lines: [UInt64: [Permit]] = [:]
  /// Numbers of sessions that have a line, the next first.
  private var turns: [UInt64] = []
  private(set) var count = 0

  mutating func append(_ permit: Permit) {
    let session = permit.session.number
    if lines[session] == nil { turns.append(session) }
    lines[session, default: []].append(permit)
    count += 1
  }

  /// The first of the session, or of the one whose turn it is.
  func first(ofSession session: UInt64? = nil) -> Permit? {
    (session ?? turns.first).flatMap { lines[$0]?.first }
  }

  /// Takes out one that `first` gave: its worker's turn is over.
  mutating func removeFirst(_ permit: Permit) {
    remove(permit)
    let session = permit.session.number
    if let turn = turns.firstIndex(of: session) {
      turns.remove(at: turn)
      turns.append(session)
    }
  }

  mutating func remove(_ permit: Permit) {
    let session = permit.session.number
    guard let place = lines[session]?.firstIndex(where: { $0 === permit }) else { return }
    lines[session]?.remove(at: place)
    count -= 1
    if lines[session]?.isEmpty == true {
      lines[session] = nil
      turns.removeAll { $0 == session }
    }
  }

  var all: [Permit] { turns.flatMap { lines[$0] ?? [] } }
}
