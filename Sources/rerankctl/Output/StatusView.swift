import RerankdProtocol

/// A queue's state, as programs read it; for people see ``StatusReport``.
struct StatusView: Encodable {
  var version: String
  var shard: UInt32
  var epoch: UInt64
  var uptimeMs: UInt64
  var paused: Bool
  var draining: Bool
  var workers: UInt32
  var liveBytes: UInt64
  var models: [ModelView]
  var latencies: [LatencyView]
  var backends: [BackendView]
  var supervisors: [SupervisorView]
  var counters: [String: UInt64]
  var ledger: LedgerView

  struct ModelView: Encodable {
    var name: String
    var workers: UInt32
    var delayed: UInt64
    var ready: UInt64
    var leased: UInt64
    var oldestReadyMs: UInt64?
    var pausedMs: UInt64?
    var pauseReason: String?
    var priorities: [PriorityView]
  }

  struct PriorityView: Encodable {
    var priority: Int32
    var delayed: UInt64
    var ready: UInt64
    var leased: UInt64
  }

  /// Of jobs that ended lately.
  struct LatencyView: Encodable {
    var model: String
    var waiting: QuantilesView
    var scoring: QuantilesView
    var total: QuantilesView
  }

  struct QuantilesView: Encodable {
    var count: UInt64
    var p50Us: UInt64
    var p90Us: UInt64
    var p99Us: UInt64
    var maxUs: UInt64

    init(_ quantiles: LatencyQuantiles) {
      count = quantiles.count
      p50Us = quantiles.p50Us
      p90Us = quantiles.p90Us
      p99Us = quantiles.p99Us
      maxUs = quantiles.maxUs
    }
  }

  init(_ status: StatusResponse) {
    version = status.version
    shard = status.shard
    epoch = status.epoch
    uptimeMs = status.uptimeMs
    paused = status.paused
    draining = status.draining
    workers = status.workers
    liveBytes = status.liveBytes
    models = status.models.map { row in
      ModelView(
        name: row.model.name, workers: row.model.workers, delayed: row.delayed, ready: row.ready,
        leased: row.leased, oldestReadyMs: row.oldestReadyMs.nonZero,
        pausedMs: row.pausedMs.nonZero, pauseReason: row.pauseReason.nonEmpty,
        priorities: row.priorities.map { depth in
          PriorityView(
            priority: depth.priority, delayed: depth.delayed, ready: depth.ready,
            leased: depth.leased)
        })
    }
    latencies = status.latencies.map { summary in
      LatencyView(
        model: summary.model, waiting: QuantilesView(summary.waiting),
        scoring: QuantilesView(summary.scoring), total: QuantilesView(summary.total))
    }
    backends = status.backends.map(BackendView.init)
    supervisors = status.supervisors.map(SupervisorView.init)
    counters = Self.counters(status.counters)
    ledger = LedgerView(status.ledger)
  }

  private static func counters(_ counted: Counters) -> [String: UInt64] {
    [
      "submitted": counted.submitted, "refused": counted.refused,
      "duplicates": counted.duplicates, "assigned": counted.assigned,
      "succeeded": counted.succeeded, "dead": counted.dead, "cancelled": counted.cancelled,
      "expired": counted.expired, "retried": counted.retried, "leases_lost": counted.leasesLost,
      "leases_expired": counted.leasesExpired, "released": counted.released,
      "attempts_succeeded": counted.attemptsSucceeded, "attempts_failed": counted.attemptsFailed,
      "deliveries": counted.deliveries, "redeliveries": counted.redeliveries,
      "deliveries_parked": counted.deliveriesParked,
      "superseded_outcomes": counted.supersededOutcomes, "bare_accepted": counted.bareAccepted,
      "bare_rejected": counted.bareRejected, "push_replies_sent": counted.pushRepliesSent,
      "push_replies_dropped": counted.pushRepliesDropped,
      "malformed_messages": counted.malformedMessages, "fallbacks": counted.fallbacks,
      "partial_scores_kept": counted.partialScoresKept,
      "partial_scores_dropped": counted.partialScoresDropped,
      "permission_denied": counted.permissionDenied,
    ]
  }
}

/// What a queue says of its ledger, as it is printed.
struct LedgerView: Encodable {
  var fileBytes: UInt64
  var walBytes: UInt64
  var commits: UInt64
  var commitP50Us: UInt64
  var commitP99Us: UInt64
  var freeBytes: UInt64
  var acceptsSubmits: Bool
  var backup: BackupView?
  /// Why the latest backup failed.
  var backupError: String?

  /// The last backup that was written.
  struct BackupView: Encodable {
    var ended: String
    var endedUnixMs: Int64
    var durationMs: UInt64
    var bytes: UInt64
  }

  init(_ ledger: LedgerStatus) {
    fileBytes = ledger.fileBytes
    walBytes = ledger.walBytes
    commits = ledger.commits
    commitP50Us = ledger.commitP50Us
    commitP99Us = ledger.commitP99Us
    freeBytes = ledger.freeBytes
    acceptsSubmits = ledger.acceptsSubmits
    if ledger.backupUnixMs != 0 {
      backup = BackupView(
        ended: JobView.time(ledger.backupUnixMs), endedUnixMs: ledger.backupUnixMs,
        durationMs: ledger.backupMs, bytes: ledger.backupBytes)
    }
    backupError = ledger.backupError.nonEmpty
  }
}

/// A `rerankd up`, as it is printed.
struct SupervisorView: Encodable {
  var supervisorId: String
  var host: String
  var processId: UInt32
  var workersRunning: UInt32
  var workersWanted: UInt32
  var workersMax: UInt32

  init(_ supervisor: SupervisorStatus) {
    supervisorId = supervisor.supervisorID
    host = supervisor.host
    processId = supervisor.processID
    workersRunning = supervisor.workersRunning
    workersWanted = supervisor.workersWanted
    workersMax = supervisor.workersMax
  }

  static func table(_ supervisors: [SupervisorView]) -> TextTable {
    var table = TextTable([
      ("SUPERVISOR", .left), ("HOST", .left), ("PID", .right), ("RUNNING", .right),
      ("WANTED", .right), ("MOST", .right),
    ])
    for row in supervisors {
      let isShort = row.workersRunning != row.workersWanted
      table.append([
        .init(row.supervisorId), .init(row.host), "\(row.processId)",
        .init("\(row.workersRunning)", isShort ? .waiting : nil), "\(row.workersWanted)",
        "\(row.workersMax)",
      ])
    }
    return table
  }
}
