internal import CoreMetrics
internal import RerankdProtocol
internal import Synchronization

/// What the queue tells through swift-metrics. Nearly all of it is made of what the loop says of
/// itself when somebody asks (`QueueObservation`); commits alone are recorded as they happen, by the
/// ledger's thread.
final class QueueMetrics: Sendable {
  private let book: Mutex<SeriesBook>
  private let responding: Gauge
  private let commitDuration: CoreMetrics.Timer
  private let commitWrites: Recorder

  init(_ factory: any MetricsFactory) {
    book = Mutex(SeriesBook(factory))
    responding = Gauge(label: "rerankd_queue_responding", factory: factory)
    commitDuration = CoreMetrics.Timer(
      label: "rerankd_queue_commit_duration_seconds", factory: factory)
    commitWrites = Recorder(label: "rerankd_queue_commit_writes", factory: factory)
  }

  func committed(writes: Int, sinceNanoseconds start: UInt64) {
    commitDuration.recordNanoseconds(Int64(clamping: LoopClock.monotonicNanoseconds - start))
    commitWrites.record(writes)
  }

  /// The loop did not answer: what was recorded before is old.
  func recordSilence() { responding.record(0) }

  func record(_ observation: QueueObservation) {
    responding.record(1)
    book.withLock { book in
      book.record(process: observation)
      book.record(counters: observation.status.counters)
      for model in observation.status.models { book.record(model) }
      for latency in observation.status.latencies { book.record(latency) }
      for backend in observation.status.backends { book.record(backend) }
      book.record(observation.status.ledger)
      book.giveBackTheRest()
    }
  }
}

extension SeriesBook {
  fileprivate mutating func record(process observation: QueueObservation) {
    let (status, turns) = (observation.status, observation.turns)
    gauge("rerankd_queue_epoch", Double(status.epoch))
    gauge("rerankd_queue_uptime_seconds", Double(status.uptimeMs) / 1e3)
    gauge("rerankd_queue_paused", status.paused ? 1 : 0)
    gauge("rerankd_queue_draining", status.draining ? 1 : 0)
    gauge("rerankd_queue_live_bytes", Double(status.liveBytes))
    gauge("rerankd_queue_workers", Double(status.workers))
    gauge("rerankd_queue_worker_credit_jobs", Double(observation.creditJobs))
    gauge("rerankd_queue_worker_held_jobs", Double(observation.heldJobs))
    counter("rerankd_queue_loop_turns_total", Double(turns.count))
    counter("rerankd_queue_loop_busy_seconds_total", Double(turns.busyNanoseconds) / 1e9)
    gauge("rerankd_queue_loop_turn_max_seconds", Double(turns.longestNanoseconds) / 1e9)
  }

  fileprivate mutating func record(counters: Counters) {
    let families: [(String, String, [(String, UInt64)])] = [
      (
        "rerankd_queue_submits_total", "outcome",
        [
          ("accepted", counters.submitted), ("refused", counters.refused),
          ("duplicate", counters.duplicates),
        ]
      ),
      (
        "rerankd_queue_jobs_ended_total", "state",
        [
          ("succeeded", counters.succeeded), ("dead", counters.dead),
          ("cancelled", counters.cancelled), ("expired", counters.expired),
        ]
      ),
      (
        "rerankd_queue_attempts_total", "outcome",
        [
          ("succeeded", counters.attemptsSucceeded), ("failed", counters.attemptsFailed),
          ("lost", counters.leasesLost), ("released", counters.released),
        ]
      ),
      (
        "rerankd_queue_bare_jobs_total", "outcome",
        [("accepted", counters.bareAccepted), ("rejected", counters.bareRejected)]
      ),
      (
        "rerankd_queue_push_replies_total", "outcome",
        [("sent", counters.pushRepliesSent), ("dropped", counters.pushRepliesDropped)]
      ),
      (
        "rerankd_queue_partial_scores_total", "outcome",
        [("kept", counters.partialScoresKept), ("dropped", counters.partialScoresDropped)]
      ),
    ]
    for (name, label, values) in families {
      for (value, total) in values { counter(name, [label: value], Double(total)) }
    }
    let single: [(String, UInt64)] = [
      ("assignments", counters.assigned), ("fallback_assignments", counters.fallbacks),
      ("retries", counters.retried), ("leases_lost", counters.leasesLost),
      ("leases_expired", counters.leasesExpired),
      ("superseded_outcomes", counters.supersededOutcomes), ("deliveries", counters.deliveries),
      ("redeliveries", counters.redeliveries), ("deliveries_parked", counters.deliveriesParked),
      ("malformed_messages", counters.malformedMessages),
      ("permission_denied", counters.permissionDenied),
    ]
    for (name, total) in single { counter("rerankd_queue_\(name)_total", Double(total)) }
  }

  fileprivate mutating func record(_ status: ModelStatus) {
    let model = status.model.name
    let depths = [
      ("delayed", status.delayed), ("ready", status.ready), ("leased", status.leased),
    ]
    for (state, jobs) in depths {
      gauge("rerankd_queue_jobs", ["model": model, "state": state], Double(jobs))
    }
    for depth in status.priorities {
      let priority = "\(depth.priority)"
      for (state, jobs) in [
        ("delayed", depth.delayed), ("ready", depth.ready), ("leased", depth.leased),
      ] {
        gauge(
          "rerankd_queue_priority_jobs", ["model": model, "priority": priority, "state": state],
          Double(jobs))
      }
    }
    gauge(
      "rerankd_queue_oldest_ready_age_seconds", ["model": model], Double(status.oldestReadyMs) / 1e3
    )
    gauge("rerankd_queue_model_workers", ["model": model], Double(status.model.workers))
  }

  fileprivate mutating func record(_ summary: LatencySummary) {
    for (phase, quantiles) in [
      ("waiting", summary.waiting), ("scoring", summary.scoring), ("total", summary.total),
    ] {
      for (percentile, microseconds) in [
        ("50", quantiles.p50Us), ("90", quantiles.p90Us), ("99", quantiles.p99Us),
      ] {
        gauge(
          "rerankd_queue_job_latency_seconds",
          ["model": summary.model, "percentile": percentile, "phase": phase],
          Double(microseconds) / 1e6)
      }
    }
  }

  fileprivate mutating func record(_ status: BackendStatus) {
    let backend = status.name
    let states: [(String, BackendState)] = [
      ("open", .open), ("resting", .resting), ("probing", .probing),
      ("credentials_refused", .credentialsRefused), ("paused", .paused),
    ]
    for (name, state) in states {
      gauge(
        "rerankd_queue_backend_state", ["backend": backend, "state": name],
        status.state == state ? 1 : 0)
    }
    counter("rerankd_queue_backend_requests_total", ["backend": backend], Double(status.requests))
    counter("rerankd_queue_backend_tokens_total", ["backend": backend], Double(status.tokens))
    for (fault, total) in [
      ("credentials_refused", status.credentialsRefused), ("rate_limited", status.rateLimited),
      ("unavailable", status.unavailable),
    ] {
      counter(
        "rerankd_queue_backend_faults_total", ["backend": backend, "fault": fault], Double(total))
    }
    gauge(
      "rerankd_queue_backend_requests_under_way", ["backend": backend],
      Double(status.requestsUnderWay))
    gauge(
      "rerankd_queue_backend_permits_waiting", ["backend": backend], Double(status.requestsWaiting))
  }

  fileprivate mutating func record(_ ledger: LedgerStatus) {
    counter("rerankd_queue_ledger_commits_total", Double(ledger.commits))
    gauge("rerankd_queue_ledger_file_bytes", Double(ledger.fileBytes))
    gauge("rerankd_queue_ledger_wal_bytes", Double(ledger.walBytes))
    gauge("rerankd_queue_ledger_free_bytes", Double(ledger.freeBytes))
    gauge("rerankd_queue_ledger_accepts_submits", ledger.acceptsSubmits ? 1 : 0)
    gauge("rerankd_queue_backup_timestamp_seconds", Double(ledger.backupUnixMs) / 1e3)
    gauge("rerankd_queue_backup_duration_seconds", Double(ledger.backupMs) / 1e3)
    gauge("rerankd_queue_backup_size_bytes", Double(ledger.backupBytes))
    gauge("rerankd_queue_backup_failed", ledger.backupError.isEmpty ? 0 : 1)
  }
}
