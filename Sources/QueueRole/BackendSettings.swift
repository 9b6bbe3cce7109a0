/// A backend that workers send requests to, and what it takes.
public struct CatalogueBackend: Sendable, Equatable {
  public var name: String
  public var limits: BackendLimits

  public init(name: String, limits: BackendLimits = BackendLimits()) {
    self.name = name
    self.limits = limits
  }
}

/// What a backend takes, over all workers; nil: as much as comes.
public struct BackendLimits: Sendable, Equatable {
  public var requestsPerMinuteMax: Int?
  public var tokensPerMinuteMax: Int?
  public var concurrentRequestsMax: Int?

  public init(
    requestsPerMinuteMax: Int? = nil, tokensPerMinuteMax: Int? = nil,
    concurrentRequestsMax: Int? = nil
  ) {
    self.requestsPerMinuteMax = requestsPerMinuteMax
    self.tokensPerMinuteMax = tokensPerMinuteMax
    self.concurrentRequestsMax = concurrentRequestsMax
  }

  /// The key of the first limit below 1.
  var firstProblem: String? {
    let values = [
      ("requestsPerMinuteMax", requestsPerMinuteMax), ("tokensPerMinuteMax", tokensPerMinuteMax),
      ("concurrentRequestsMax", concurrentRequestsMax),
    ]
    return values.first { $0.1.map { $0 < 1 } ?? false }?.0
  }
}

/// When a backend's circuit breaker opens, and for how long.
public struct BreakerSettings: Sendable, Equatable {
  /// Failures one after another.
  public var failuresInARowMax = 5
  /// The share of the latest requests, and of how many at the least and at the most.
  public var failureShareMax = 0.5
  public var requestsMin = 20
  public var requestsWindow = 100
  /// The first rest; each that follows without a success in between is twice as long, up to the
  /// cap.
  public var restMs: Int64 = 5_000
  public var restCapMs: Int64 = 120_000

  public init() {}

  /// The first value that cannot work.
  var firstProblem: (key: String, message: String)? {
    let counts = [
      ("failuresInARowMax", Int64(failuresInARowMax)), ("requestsMin", Int64(requestsMin)),
      ("restMs", restMs),
    ]
    for (key, value) in counts where value < 1 { return (key, "must be at least 1, not \(value)") }
    if requestsWindow < requestsMin {
      return ("requestsWindow", "must not be below requestsMin, \(requestsMin)")
    }
    if restCapMs < restMs { return ("restCapMs", "must not be below restMs") }
    if !(failureShareMax > 0 && failureShareMax <= 1) {
      return ("failureShareMax", "must be above 0 and at most 1")
    }
    return nil
  }
}
