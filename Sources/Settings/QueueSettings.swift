import Ledger
import QueueRole
import RemoteEngine

extension QueueConfiguration {
  /// The section `queue`: every key has the default of `QueueConfiguration`. Whether the values can
  /// work together is checked when the flags have been applied.
  init(
    _ section: ConfigurationSection, models: [ModelSettings],
    backends: [RemoteEngineConfiguration]
  ) {
    self.init(
      models: models.map {
        CatalogueModel(
          name: $0.name, contextTokens: UInt32(clamping: $0.contextTokens),
          reservedTokens: UInt32(clamping: $0.reservedTokens), images: $0.acceptsImages,
          backend: $0.backend, fallbacks: $0.fallbacks)
      })
    self.backends = backends.map { backend in
      CatalogueBackend(
        name: backend.name,
        limits: BackendLimits(
          requestsPerMinuteMax: backend.requestsPerMinute,
          tokensPerMinuteMax: backend.tokensPerMinute,
          concurrentRequestsMax: backend.concurrentRequestsMax))
    }
    section.count("shard", into: &shard, in: 0...UInt16.max >> 1)
    ledger.read(section.section("ledger"))
    shell.read(section.section("sockets"))
    shell.readIntake(section.section("intake"))
    readAdmission(section.section("admission"))
    readJobs(section.section("jobs"))
    readWorkers(section.section("workers"))
    readRetries(section.section("retries"))
    readBackends(section.section("backends"))
    readReplies(section.section("replies"))
  }

  private mutating func readAdmission(_ section: ConfigurationSection) {
    section.count("live_jobs_max", into: &liveJobsMax)
    section.count("tenant_live_jobs_max", into: &tenantLiveJobsMax)
    section.size("live_bytes_max", into: &liveBytesMax)
    section.size("tenant_live_bytes_max", into: &tenantLiveBytesMax)
    section.count("tenant_jobs_per_minute_max", into: &tenantJobsPerMinuteMax)
    section.time("refusal_retry_after", intoMs: &refusalRetryAfterMs)
  }

  private mutating func readJobs(_ section: ConfigurationSection) {
    section.time("deadline_default", intoMs: &deadlineDefaultMs)
    section.count("attempts_default", into: &attemptsDefault)
    section.time("ageing_per_priority", intoMs: &ageingMsPerPriority)
    section.size("body_chunk", into: &bodyChunkBytes)
  }

  private mutating func readWorkers(_ section: ConfigurationSection) {
    section.count("workers_max", into: &workersMax)
    section.time("heartbeat", intoMs: &workerHeartbeatMs)
    section.time("lease", intoMs: &leaseMs)
    section.time("reattach_grace", intoMs: &reattachGraceMs)
    section.count("lost_max", into: &workersLostMax)
    section.time("release_rest", intoMs: &releaseRestMs)
  }

  private mutating func readRetries(_ section: ConfigurationSection) {
    section.time("base", intoMs: &retryBaseMs)
    section.time("cap", intoMs: &retryCapMs)
  }

  private mutating func readBackends(_ section: ConfigurationSection) {
    section.count("failures_in_a_row_max", into: &breaker.failuresInARowMax)
    section.count("requests_min", into: &breaker.requestsMin)
    section.count("requests_window", into: &breaker.requestsWindow)
    var percent = Int((breaker.failureShareMax * 100).rounded())
    section.count("failure_percent_max", into: &percent, in: 1...100)
    breaker.failureShareMax = Double(percent) / 100
    section.time("rest", intoMs: &breaker.restMs)
    section.time("rest_cap", intoMs: &breaker.restCapMs)
    section.time("rest_max", intoMs: &backendRestMaxMs)
    section.time("credentials_rest", intoMs: &credentialsRestMs)
    section.time("rate_window", intoMs: &rateWindowMs)
    section.time("permit_valid", intoMs: &permitValidMs)
    section.time("permit_transit", intoMs: &permitTransitMs)
    section.time("permit_held_max", intoMs: &permitHeldMaxMs)
    section.count("permits_waiting_max", into: &permitsWaitingMax)
  }

  private mutating func readReplies(_ section: ConfigurationSection) {
    section.time("lease", intoMs: &deliveryLeaseMs)
    section.count("attempts_max", into: &deliveryAttemptsMax)
    section.time("age_max", intoMs: &deliveryAgeMaxMs)
    section.count("channel_unacknowledged_max", into: &channelUnacknowledgedMax)
    section.count("unacknowledged_max", into: &unacknowledgedMax)
  }
}

extension LedgerConfiguration {
  fileprivate mutating func read(_ section: ConfigurationSection) {
    section.text("path", into: &path)
    section.size("free_space_reserve", into: &freeBytesReserve)
    section.size("wal_checkpoint", into: &walCheckpointBytes)
    section.size("wal_truncate", into: &walTruncateBytes)
    section.count("tenant_stored_jobs_max", into: &tenantStoredJobsMax)
    section.size("tenant_stored_bytes_max", into: &tenantStoredBytesMax)
    section.count("rejected_bare_jobs_max", into: &rejectRowsMax)
    let backups = section.section("backup")
    backups.text("folder", into: &backup.folder)
    var intervalMs = backup.intervalMs ?? 0
    backups.time("interval", intoMs: &intervalMs)
    backup.intervalMs = intervalMs == 0 ? nil : intervalMs
    backups.count("keep", into: &backup.keep)
    backups.size("wal_max", into: &backup.walBytesMax)
    let retained = section.section("retention")
    retained.time("age", intoMs: &retention.ageTerminalMs)
    retained.count("count", into: &retention.countTerminalMax, in: 0...Int.max)
    retained.size("bytes", into: &retention.bytesMax)
    retained.time("undelivered_age", intoMs: &retention.undeliveredAgeMinMs)
    retained.time("key_age", intoMs: &retention.keyAgeMinMs)
    retained.time("interval", intoMs: &retention.intervalMs)
  }
}

extension ShellConfiguration {
  fileprivate mutating func read(_ section: ConfigurationSection) {
    section.text("producers", into: &producersEndpoint)
    section.text("workers", into: &workersEndpoint)
    var intake = bareEndpoint ?? Self.noBareEndpoint
    section.text("intake", into: &intake)
    bareEndpoint = intake == Self.noBareEndpoint ? nil : intake
    section.text("curve_secret_key_file", into: &curveSecretKeyPath)
    section.text("authorized_keys_file", into: &authorizedKeysPath)
    section.count("authorized_keys_max", into: &authorizedKeysMax)
    section.time("authorized_keys_interval", into: &authorizedKeysInterval)
    section.time("handshake_timeout", into: &handshakeTimeout)
    section.flag("insecure", into: &insecureListen)
    section.count("peers_max", into: &peers.peersMax)
    section.time("peer_silence", into: &peers.silence)
    section.size("outbox_per_peer", into: &outbox.bytesPerPeerMax)
    section.size("body_cache", into: &bodyCacheBytesMax)
    section.size("result_cache", into: &resultCacheBytesMax)
    section.time("shutdown_grace", into: &shutdownGrace)
  }

  fileprivate mutating func readIntake(_ section: ConfigurationSection) {
    section.count("documents_max", into: &intake.documentsMax)
    section.size("document_text_max", into: &intake.documentTextBytesMax)
    section.size("request_max", into: &intake.requestBytesMax)
    section.count("submit_jobs_max", into: &intake.submitJobsMax)
    section.size("partial_scores_max", into: &intake.partialScoresBytesMax)
    section.texts("reply_to_prefixes", into: &intake.replyToPrefixes)
  }

  /// There is no bare intake.
  private static let noBareEndpoint = "off"
}
