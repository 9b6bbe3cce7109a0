public import RerankdProtocol

extension StatusResponse {
  /// Several queues as if they were one: jobs, counters and bytes are added up; quantiles of times,
  /// which cannot be, are those of the slowest; version, epoch and uptime are the first's. It is
  /// paused, or draining, when all are.
  public static func merged(_ statuses: [StatusResponse]) -> StatusResponse {
    guard var merged = statuses.first else { return StatusResponse() }
    for status in statuses.dropFirst() {
      merged.paused = merged.paused && status.paused
      merged.draining = merged.draining && status.draining
      merged.counters.add(status.counters)
      merged.ledger.add(status.ledger)
      merged.liveBytes += status.liveBytes
      // A worker attaches to every queue.
      merged.workers = max(merged.workers, status.workers)
      merge(status.models, into: &merged.models, by: \.model.name) { $0.add($1) }
      merge(status.backends, into: &merged.backends, by: \.name) { $0.add($1) }
      merge(status.latencies, into: &merged.latencies, by: \.model) { $0.add($1) }
      merge(status.supervisors, into: &merged.supervisors, by: \.supervisorID) { _, _ in }
    }
    return merged
  }

  private static func merge<Item, Name: Equatable>(
    _ items: [Item], into all: inout [Item], by name: (Item) -> Name,
    _ add: (inout Item, Item) -> Void
  ) {
    for item in items {
      if let place = all.firstIndex(where: { name($0) == name(item) }) {
        add(&all[place], item)
      } else {
        all.append(item)
      }
    }
  }
}

extension ModelStatus {
  fileprivate mutating func add(_ other: ModelStatus) {
    delayed += other.delayed
    ready += other.ready
    leased += other.leased
    model.workers = max(model.workers, other.model.workers)
    pausedMs = max(pausedMs, other.pausedMs)
    if pauseReason.isEmpty { pauseReason = other.pauseReason }
    oldestReadyMs = max(oldestReadyMs, other.oldestReadyMs)
    for depth in other.priorities {
      if let place = priorities.firstIndex(where: { $0.priority == depth.priority }) {
        priorities[place].delayed += depth.delayed
        priorities[place].ready += depth.ready
        priorities[place].leased += depth.leased
      } else {
        priorities.append(depth)
      }
    }
    priorities.sort { $0.priority > $1.priority }
  }
}

extension BackendStatus {
  fileprivate mutating func add(_ other: BackendStatus) {
    if state == .open {
      state = other.state
      reason = other.reason
      restingMs = other.restingMs
    }
    requestsUnderWay += other.requestsUnderWay
    requestsWaiting += other.requestsWaiting
    requests += other.requests
    tokens += other.tokens
    credentialsRefused += other.credentialsRefused
    rateLimited += other.rateLimited
    unavailable += other.unavailable
  }
}

extension LatencySummary {
  fileprivate mutating func add(_ other: LatencySummary) {
    waiting.add(other.waiting)
    scoring.add(other.scoring)
    total.add(other.total)
  }
}

extension LatencyQuantiles {
  fileprivate mutating func add(_ other: LatencyQuantiles) {
    count += other.count
    p50Us = max(p50Us, other.p50Us)
    p90Us = max(p90Us, other.p90Us)
    p99Us = max(p99Us, other.p99Us)
    maxUs = max(maxUs, other.maxUs)
  }
}

extension LedgerStatus {
  fileprivate mutating func add(_ other: LedgerStatus) {
    fileBytes += other.fileBytes
    walBytes += other.walBytes
    commits += other.commits
    commitP50Us = max(commitP50Us, other.commitP50Us)
    commitP99Us = max(commitP99Us, other.commitP99Us)
    freeBytes = min(freeBytes, other.freeBytes)
    acceptsSubmits = acceptsSubmits && other.acceptsSubmits
    // The backup that is the oldest, or missing, is the one to know of.
    if other.backupUnixMs < backupUnixMs {
      backupUnixMs = other.backupUnixMs
      backupMs = other.backupMs
    }
    backupBytes += other.backupBytes
    if backupError.isEmpty { backupError = other.backupError }
  }
}

extension Counters {
  fileprivate mutating func add(_ other: Counters) {
    for field in Self.fields { self[keyPath: field] += other[keyPath: field] }
  }

  private static var fields: [WritableKeyPath<Counters, UInt64>] {
    [
      \.submitted, \.refused, \.duplicates, \.assigned, \.succeeded, \.dead, \.cancelled,
      \.expired, \.retried, \.leasesLost, \.released, \.deliveries, \.redeliveries,
      \.deliveriesParked, \.supersededOutcomes, \.bareAccepted, \.bareRejected,
      \.pushRepliesSent, \.pushRepliesDropped, \.malformedMessages, \.fallbacks,
      \.partialScoresKept, \.partialScoresDropped, \.leasesExpired, \.attemptsSucceeded,
      \.attemptsFailed, \.permissionDenied,
    ]
  }
}
