public import Ledger

/// Everything that one queue process may be told: its catalogue and its limits, with their
/// defaults.
///
/// The fields here are those of the state machine, `QueueCore`, times in milliseconds; those of the
/// shell around it and of the ledger lie in structs of their own.
public struct QueueConfiguration: Sendable {
  /// Sockets, connections, checks of what comes in.
  public var shell = ShellConfiguration()
  public var ledger = LedgerConfiguration(path: "rerankd-ledger.sqlite")
  /// Which of a deployment's queues this is; job ids carry it, and the ledger remembers it.
  public var shard: UInt16 = 0

  /// What status answers as the version of the process.
  public var version = "development"
  /// The models that jobs may name. Outside it a job is refused with NOT_FOUND; inside it a job
  /// waits for a worker until its deadline.
  public var models: [CatalogueModel]
  /// The backends of those that no embedded engine scores.
  public var backends: [CatalogueBackend] = []

  // Admission: beyond these a submit is refused with RESOURCE_EXHAUSTED.

  /// Jobs that are not terminal, of all tenants and of one.
  public var liveJobsMax = 500_000
  public var tenantLiveJobsMax = 250_000
  /// Bytes of their bodies.
  public var liveBytesMax: Int64 = 16 << 30
  public var tenantLiveBytesMax: Int64 = 8 << 30
  /// Jobs that one tenant may submit in a minute; a minute's worth may come at once.
  public var tenantJobsPerMinuteMax: Int64 = 3_000_000
  /// Outcomes that no consumer has acknowledged yet, of one reply channel and of all.
  public var channelUnacknowledgedMax = 100_000
  public var unacknowledgedMax = 500_000
  /// When a refused submit may be tried again.
  public var refusalRetryAfterMs: Int64 = 1_000
  /// A larger body is written in chunks of this size, in bytes.
  public var bodyChunkBytes = 1 << 20

  // What a job gets that does not say.

  public var deadlineDefaultMs: Int64 = 3_600_000
  public var attemptsDefault: UInt32 = 5

  // Order.

  /// One step of priority is worth this much waiting.
  public var ageingMsPerPriority: Int64 = 1_000

  // Workers and leases.

  public var workersMax = 4_096
  /// How often workers are told to say something, so that silence means that they are gone.
  public var workerHeartbeatMs: Int64 = 5_000
  /// A job whose worker reports no progress for so long is lost.
  public var leaseMs: Int64 = 30_000
  /// How long the jobs of a worker that went away, or of the process before a restart, wait for it
  /// to come back and list them.
  public var reattachGraceMs: Int64 = 10_000
  /// A job during which so many workers were lost is poison, and dead.
  public var workersLostMax: UInt32 = 3
  /// A worker that gave a job back is given none for so long.
  public var releaseRestMs: Int64 = 1_000

  // Operators.

  /// Supervisors that may report how many workers they run, and how long one is known that does
  /// not.
  public var supervisorsMax = 64
  public var supervisorSilenceMs: Int64 = 10_000
  /// Status gives quantiles of the latencies of so many jobs of each model, the newest, ...
  public var latenciesMax = 1_024
  /// ... and counts the jobs of so many priorities of each, the highest.
  public var prioritiesListedMax = 64

  // Retries.

  public var retryBaseMs: Int64 = 1_000
  public var retryCapMs: Int64 = 60_000
  /// The retry budget of each model (gRPC A6): a retryable failure takes one token, a success gives
  /// back the ratio. With half of the tokens gone, retries wait out of the longest window.
  public var retryBudgetTokens = 10.0
  public var retryBudgetRatio = 0.1

  // Backends.

  /// When one rests, and for how long.
  public var breaker = BreakerSettings()
  /// How long one rests that refuses the credentials, if nobody says that they were renewed, and
  /// its worker names no time.
  public var credentialsRestMs: Int64 = 300_000
  /// The longest rest that a backend may ask for.
  public var backendRestMaxMs: Int64 = 24 * 3_600_000
  /// The window that limits a minute hold for.
  public var rateWindowMs: Int64 = 60_000
  /// How long a worker may keep a permit before it sends its request.
  public var permitValidMs: Int64 = 2_000
  /// The time that is allowed for between the grant of a permit and the backend's sight of the
  /// request, beside its validity: a commit, and three ways over a network.
  public var permitTransitMs: Int64 = 2_000
  /// A permit that nobody reports for so long is taken for lost.
  public var permitHeldMaxMs: Int64 = 900_000
  /// Requests that wait for permits of one backend; more are refused, and their jobs given back.
  public var permitsWaitingMax = 100_000

  // Replies.

  /// A consumer is given no more outcomes while it holds results of so many bytes unacknowledged,
  /// whatever its credit: what lies in its outbox is at most this and one result, well below
  /// `shell.outbox.bytesPerPeerMax`, at which it would lose its stream.
  public var deliveryBytesMax = 16 << 20
  /// A consumer that does not acknowledge an outcome for so long loses it to the next.
  public var deliveryLeaseMs: Int64 = 30_000
  /// An outcome sent so often without an acknowledgement is parked.
  public var deliveryAttemptsMax: UInt32 = 10
  /// An outcome that nobody acknowledged for so long is parked: 7 days. The ledger's retention must
  /// keep undelivered outcomes for longer than this.
  public var deliveryAgeMaxMs: Int64 = 7 * 24 * 3_600_000

  /// Timers that one tick works off; the rest wait for the next, which is due at once.
  public var timersPerTickMax = 10_000

  public init(models: [CatalogueModel]) {
    self.models = models
  }
}

/// A model that jobs may name, and what producers want to know of it.
public struct CatalogueModel: Sendable, Equatable {
  public var name: String
  /// Tokens of one (query, document) pair, the prompt included, and those held back for the prompt.
  public var contextTokens: UInt32
  public var reservedTokens: UInt32
  public var images: Bool
  /// Which of the backends serves it; nil: the embedded engine.
  public var backend: String?
  /// Models that may score its jobs while its backend takes nothing, where a job allows it.
  public var fallbacks: [String]

  public init(
    name: String, contextTokens: UInt32, reservedTokens: UInt32, images: Bool,
    backend: String? = nil, fallbacks: [String] = []
  ) {
    self.name = name
    self.contextTokens = contextTokens
    self.reservedTokens = reservedTokens
    self.images = images
    self.backend = backend
    self.fallbacks = fallbacks
  }
}

extension QueueConfiguration {
  /// The first value that cannot work: its key and what is wanted there; nil when all is well.
  public var firstProblem: (key: String, message: String)? {
    if models.isEmpty { return ("models", "the catalogue names no model") }
    var names: Set<String> = []
    for (index, model) in models.enumerated() where !names.insert(model.name).inserted {
      return ("models[\(index)].name", "\"\(model.name)\" is in the catalogue twice")
    }
    for (index, model) in models.enumerated() where model.reservedTokens >= model.contextTokens {
      return ("models[\(index)].reservedTokens", "must be less than contextTokens")
    }
    if let problem = backendProblem { return problem }
    for (key, value) in positiveValues where value < 1 {
      return (key, "must be at least 1, not \(value)")
    }
    if retryCapMs < retryBaseMs { return ("retryCapMs", "must not be below retryBaseMs") }
    if ageingMsPerPriority < 0 { return ("ageingMsPerPriority", "must not be negative") }
    if releaseRestMs < 0 { return ("releaseRestMs", "must not be negative") }
    if retryBudgetTokens < 0 || retryBudgetRatio < 0 {
      return ("retryBudgetTokens", "the retry budget must not be negative")
    }
    if deliveryBytesMax + shell.intake.resultBytesMax > shell.outbox.bytesPerPeerMax {
      return (
        "deliveryBytesMax",
        "must leave room for one more result, shell.intake.resultBytesMax, in "
          + "shell.outbox.bytesPerPeerMax, \(shell.outbox.bytesPerPeerMax)"
      )
    }
    return shell.firstProblem
  }

  private var backendProblem: (key: String, message: String)? {
    var names: Set<String> = []
    for (index, backend) in backends.enumerated() {
      if !names.insert(backend.name).inserted {
        return ("backends[\(index)].name", "\"\(backend.name)\" is named twice")
      }
      if let key = backend.limits.firstProblem {
        return ("backends[\(index)].limits.\(key)", "must be at least 1")
      }
    }
    let catalogue = Set(models.map(\.name))
    for (index, model) in models.enumerated() {
      if let backend = model.backend, !names.contains(backend) {
        return ("models[\(index)].backend", "no backend is named \"\(backend)\"")
      }
      for (place, fallback) in model.fallbacks.enumerated() {
        let key = "models[\(index)].fallbacks[\(place)]"
        if !catalogue.contains(fallback) {
          return (key, "\"\(fallback)\" is not in the catalogue")
        }
        if fallback == model.name || model.fallbacks[..<place].contains(fallback) {
          return (key, "\"\(fallback)\" is the model itself, or is named twice")
        }
      }
    }
    return breaker.firstProblem.map { ("breaker.\($0.key)", $0.message) }
  }

  private var positiveValues: [(String, Int64)] {
    [
      ("liveJobsMax", Int64(liveJobsMax)), ("tenantLiveJobsMax", Int64(tenantLiveJobsMax)),
      ("liveBytesMax", liveBytesMax), ("tenantLiveBytesMax", tenantLiveBytesMax),
      ("tenantJobsPerMinuteMax", tenantJobsPerMinuteMax),
      ("channelUnacknowledgedMax", Int64(channelUnacknowledgedMax)),
      ("unacknowledgedMax", Int64(unacknowledgedMax)),
      ("refusalRetryAfterMs", refusalRetryAfterMs), ("bodyChunkBytes", Int64(bodyChunkBytes)),
      ("deadlineDefaultMs", deadlineDefaultMs), ("attemptsDefault", Int64(attemptsDefault)),
      ("workersMax", Int64(workersMax)), ("workerHeartbeatMs", workerHeartbeatMs),
      ("leaseMs", leaseMs), ("reattachGraceMs", reattachGraceMs),
      ("workersLostMax", Int64(workersLostMax)), ("retryBaseMs", retryBaseMs),
      ("supervisorsMax", Int64(supervisorsMax)), ("supervisorSilenceMs", supervisorSilenceMs),
      ("latenciesMax", Int64(latenciesMax)), ("prioritiesListedMax", Int64(prioritiesListedMax)),
      ("credentialsRestMs", credentialsRestMs), ("backendRestMaxMs", backendRestMaxMs),
      ("rateWindowMs", rateWindowMs), ("permitValidMs", permitValidMs),
      ("permitTransitMs", permitTransitMs), ("permitHeldMaxMs", permitHeldMaxMs),
      ("permitsWaitingMax", Int64(permitsWaitingMax)),
      ("deliveryBytesMax", Int64(deliveryBytesMax)),
      ("deliveryLeaseMs", deliveryLeaseMs),
      ("deliveryAttemptsMax", Int64(deliveryAttemptsMax)), ("deliveryAgeMaxMs", deliveryAgeMaxMs),
      ("timersPerTickMax", Int64(timersPerTickMax)),
    ]
  }
}
