extension MetricCatalogue {
  public static let queue: [MetricDescription] =
    jobs + attempts + deliveries + backends + ledger + loop

  private static let jobs: [MetricDescription] = [
    .gauge(
      "rerankd_queue_jobs", "Live jobs by model and state: delayed, ready or leased.",
      labels: ["model", "state"]),
    .gauge(
      "rerankd_queue_priority_jobs",
      "Live jobs by model, priority and state; of a model's priorities the highest 64.",
      labels: ["model", "priority", "state"]),
    .gauge(
      "rerankd_queue_oldest_ready_age_seconds",
      "How long a model's oldest ready job has been ready; 0 where none is.", labels: ["model"]),
    .gauge("rerankd_queue_live_bytes", "Bytes of the live jobs' bodies."),
    .counter(
      "rerankd_queue_submits_total",
      "Jobs that were submitted, by outcome: accepted, duplicate (of a job that exists) or refused.",
      labels: ["outcome"]),
    .counter(
      "rerankd_queue_jobs_ended_total",
      "Jobs that ended: succeeded, dead, cancelled or expired.", labels: ["state"]),
    .gauge(
      "rerankd_queue_job_latency_seconds",
      "Of a model's latest jobs that ended, at most 1024, a percentile (50, 90, 99) of a phase: "
        + "waiting (ready to assigned), scoring (assigned to ended) or total.",
      labels: ["model", "percentile", "phase"]),
    .counter(
      "rerankd_queue_bare_jobs_total", "Jobs of the bare intake: accepted or rejected.",
      labels: ["outcome"]),
    .counter("rerankd_queue_malformed_messages_total", "Messages that could not be read."),
    .counter(
      "rerankd_queue_permission_denied_total", "Messages that their sender's role does not allow."),
  ]

  private static let attempts: [MetricDescription] = [
    .counter(
      "rerankd_queue_attempts_total",
      "Attempts that ended: succeeded, failed, lost (with their worker or their lease) or released "
        + "(given back unspent).", labels: ["outcome"]),
    .counter("rerankd_queue_assignments_total", "Jobs given to workers, repeated ones counted."),
    .counter(
      "rerankd_queue_fallback_assignments_total", "Assignments to a fallback of the job's model."),
    .counter("rerankd_queue_retries_total", "Jobs that went back for another attempt."),
    .counter(
      "rerankd_queue_leases_lost_total", "Leases lost: their worker vanished, or they expired."),
    .counter(
      "rerankd_queue_leases_expired_total", "Leases that ran out because a job made no progress."),
    .counter(
      "rerankd_queue_superseded_outcomes_total", "Outcomes of attempts that were not current."),
    .counter(
      "rerankd_queue_partial_scores_total",
      "Scores of failed attempts: kept for the next one, or dropped.", labels: ["outcome"]),
    .gauge("rerankd_queue_workers", "Workers that are attached."),
    .gauge(
      "rerankd_queue_model_workers", "Attached workers that serve a model.", labels: ["model"]),
    .gauge("rerankd_queue_worker_credit_jobs", "Jobs that the attached workers take at most."),
    .gauge("rerankd_queue_worker_held_jobs", "Jobs that the attached workers hold."),
    .gauge("rerankd_queue_paused", "1 while no jobs are assigned because an operator said so."),
    .gauge("rerankd_queue_draining", "1 while new jobs are refused because an operator said so."),
  ]

  private static let deliveries: [MetricDescription] = [
    .counter(
      "rerankd_queue_deliveries_total", "Outcomes sent to consumers, repeated ones counted."),
    .counter("rerankd_queue_redeliveries_total", "Outcomes sent once more."),
    .counter("rerankd_queue_deliveries_parked_total", "Outcomes that are sent no more."),
    .counter(
      "rerankd_queue_push_replies_total", "Outcomes for reply_to sockets: sent or dropped.",
      labels: ["outcome"]),
  ]

  private static let backends: [MetricDescription] = [
    .gauge(
      "rerankd_queue_backend_state",
      "1 for the state that a backend is in: open, resting, probing, credentials_refused or paused.",
      labels: ["backend", "state"]),
    .counter(
      "rerankd_queue_backend_requests_total", "Requests that a backend was given.",
      labels: ["backend"]),
    .counter(
      "rerankd_queue_backend_tokens_total", "Tokens of the requests that a backend was given.",
      labels: ["backend"]),
    .counter(
      "rerankd_queue_backend_faults_total",
      "Requests that a backend failed: credentials_refused, rate_limited or unavailable.",
      labels: ["backend", "fault"]),
    .gauge(
      "rerankd_queue_backend_requests_under_way", "Permits that workers have for a backend.",
      labels: ["backend"]),
    .gauge(
      "rerankd_queue_backend_permits_waiting", "Permits that workers wait for.",
      labels: ["backend"]),
  ]

  private static let ledger: [MetricDescription] = [
    .histogram(
      "rerankd_queue_commit_duration_seconds",
      "From a batch's handing over to the ledger until it is on disk.",
      bounds: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5]),
    .histogram(
      "rerankd_queue_commit_writes", "Writes of one commit.",
      bounds: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000]),
    .counter("rerankd_queue_ledger_commits_total", "Commits of the ledger."),
    .gauge("rerankd_queue_ledger_file_bytes", "Size of the ledger's file."),
    .gauge("rerankd_queue_ledger_wal_bytes", "Size of its write-ahead log."),
    .gauge("rerankd_queue_ledger_free_bytes", "Free space where the ledger lies."),
    .gauge(
      "rerankd_queue_ledger_accepts_submits",
      "0 while new jobs are refused because free space is below the reserve."),
    .gauge(
      "rerankd_queue_backup_timestamp_seconds",
      "When the last backup ended, seconds since 1970; 0: none since the process started."),
    .gauge("rerankd_queue_backup_duration_seconds", "How long the last backup took."),
    .gauge("rerankd_queue_backup_size_bytes", "Size of the last backup."),
    .gauge("rerankd_queue_backup_failed", "1 when the latest attempt at a backup failed."),
  ]

  private static let loop: [MetricDescription] = [
    .gauge("rerankd_queue_epoch", "Counts the starts of this queue on its ledger."),
    .gauge("rerankd_queue_uptime_seconds", "Since the queue started."),
    .gauge(
      "rerankd_queue_responding",
      "1 when the queue's loop answered this scrape; else the other figures are old."),
    .counter("rerankd_queue_loop_turns_total", "Turns of the queue's loop."),
    .counter(
      "rerankd_queue_loop_busy_seconds_total",
      "Time that the loop did not wait: at most 1 a second."),
    .gauge(
      "rerankd_queue_loop_turn_max_seconds", "The longest turn since the scrape before."),
  ]
}
