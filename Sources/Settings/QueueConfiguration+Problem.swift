import QueueRole

extension QueueConfiguration {
  /// The first value that cannot work, by the file's keys below `queue`. The queue itself names its
  /// own fields, which nobody who writes a file knows.
  package var problem: (key: String, message: String)? {
    guard let (key, message) = firstProblem else { return nil }
    if ["deliveryBytesMax", "shell.outbox.bytesPerPeerMax"].contains(key) {
      let least = max(
        deliveryBytesMax + shell.intake.resultBytesMax, shell.intake.workerCreditBytesMax)
      return (
        "sockets.outbox_per_peer",
        "must be at least \(least) bytes, which one worker or consumer may be sent at once"
      )
    }
    return (Self.fileTerms(key), Self.fileTerms(message))
  }

  static func fileTerms(_ text: String) -> String {
    text.replacing(/[A-Za-z][A-Za-z.]*[A-Z][A-Za-z]*/) { match in
      let name = match.output
      return keys[String(name)] ?? keys[String(name.split(separator: ".").last ?? "")]
        ?? String(name)
    }
  }

  /// The queue's own names of what the file may say, and the file's.
  private static let keys: [String: String] = [
    "liveJobsMax": "admission.live_jobs_max",
    "tenantLiveJobsMax": "admission.tenant_live_jobs_max",
    "liveBytesMax": "admission.live_bytes_max",
    "tenantLiveBytesMax": "admission.tenant_live_bytes_max",
    "tenantJobsPerMinuteMax": "admission.tenant_jobs_per_minute_max",
    "refusalRetryAfterMs": "admission.refusal_retry_after",
    "channelUnacknowledgedMax": "replies.channel_unacknowledged_max",
    "unacknowledgedMax": "replies.unacknowledged_max",
    "deliveryLeaseMs": "replies.lease",
    "deliveryAttemptsMax": "replies.attempts_max",
    "deliveryAgeMaxMs": "replies.age_max",
    "bodyChunkBytes": "jobs.body_chunk",
    "deadlineDefaultMs": "jobs.deadline_default",
    "attemptsDefault": "jobs.attempts_default",
    "ageingMsPerPriority": "jobs.ageing_per_priority",
    "workersMax": "workers.workers_max",
    "workerHeartbeatMs": "workers.heartbeat",
    "leaseMs": "workers.lease",
    "reattachGraceMs": "workers.reattach_grace",
    "workersLostMax": "workers.lost_max",
    "releaseRestMs": "workers.release_rest",
    "retryBaseMs": "retries.base",
    "retryCapMs": "retries.cap",
    "failuresInARowMax": "backends.failures_in_a_row_max",
    "failureShareMax": "backends.failure_percent_max",
    "requestsMin": "backends.requests_min",
    "requestsWindow": "backends.requests_window",
    "restMs": "backends.rest",
    "restCapMs": "backends.rest_cap",
    "credentialsRestMs": "backends.credentials_rest",
    "backendRestMaxMs": "backends.rest_max",
    "rateWindowMs": "backends.rate_window",
    "permitValidMs": "backends.permit_valid",
    "permitTransitMs": "backends.permit_transit",
    "permitHeldMaxMs": "backends.permit_held_max",
    "permitsWaitingMax": "backends.permits_waiting_max",
    "producersEndpoint": "sockets.producers",
    "workersEndpoint": "sockets.workers",
    "bareEndpoint": "sockets.intake",
    "authorizedKeysPath": "sockets.authorized_keys_file",
    "authorizedKeysMax": "sockets.authorized_keys_max",
    "authorizedKeysInterval": "sockets.authorized_keys_interval",
    "handshakeTimeout": "sockets.handshake_timeout",
    "peersMax": "sockets.peers_max",
    "bytesPerPeerMax": "sockets.outbox_per_peer",
    "documentsMax": "intake.documents_max",
    "documentTextBytesMax": "intake.document_text_max",
    "requestBytesMax": "intake.request_max",
    "submitJobsMax": "intake.submit_jobs_max",
    "partialScoresBytesMax": "intake.partial_scores_max",
  ]
}
