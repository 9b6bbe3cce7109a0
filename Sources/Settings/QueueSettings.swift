import Ledger
package import QueueRole
import RemoteEngine

extension QueueConfiguration {
  /// The section `queue`: every key has the default of `QueueConfiguration`. Whether the values can
  /// work together is checked when the flags have been applied.
  init(
    _ section: ConfigurationSection, models: [ModelSettings],
    backends: [RemoteEngineConfiguration]
  ) throws {
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
    try section.count("shard", into: &shard, in: 0...UInt16.max >> 1)
    try ledger.read(section.section("ledger"))
    try shell.read(section.section("sockets"))
    try shell.readIntake(section.section("intake"))
    try readAdmission(section.section("admission"))
    try readJobs(section.section("jobs"))
    try readWorkers(section.section("workers"))
    try readRetries(section.section("retries"))
    try readBackends(section.section("backends"))
    try readReplies(section.section("replies"))
  }

  private mutating func readAdmission(_ section: ConfigurationSection) throws {
    try section.count("live_jobs_max", into: &liveJobsMax)
    try section.count("tenant_live_jobs_max", into: &tenantLiveJobsMax)
    try section.size("live_bytes_max", into: &liveBytesMax)
    try section.size("tenant_live_bytes_max", into: &tenantLiveBytesMax)
    try section.time("refusal_retry_after", intoMs: &refusalRetryAfterMs)
  }

  private mutating func readJobs(_ section: ConfigurationSection) throws {
    try section.time("deadline_default", intoMs: &deadlineDefaultMs)
    try section.count("attempts_default", into: &attemptsDefault)
    try section.time("ageing_per_priority", intoMs: &ageingMsPerPriority)
    try section.size("body_chunk", into: &bodyChunkBytes)
  }

  private mutating func readWorkers(_ section: ConfigurationSection) throws {
    try section.count("workers_max", into: &workersMax)
    try section.time("heartbeat", intoMs: &workerHeartbeatMs)
    try section.time("lease", intoMs: &leaseMs)
    try section.time("reattach_grace", intoMs: &reattachGraceMs)
    try section.count("lost_max", into: &workersLostMax)
    try section.time("release_rest", intoMs: &releaseRestMs)
  }

  private mutating func readRetries(_ section: ConfigurationSection) throws {
    try section.time("base", intoMs: &retryBaseMs)
    try section.time("cap", intoMs: &retryCapMs)
  }

  private mutating func readBackends(_ section: ConfigurationSection) throws {
    try section.count("failures_in_a_row_max", into: &breaker.failuresInARowMax)
    try section.count("requests_min", into: &breaker.requestsMin)
    try section.count("requests_window", into: &breaker.requestsWindow)
    var percent = Int((breaker.failureShareMax * 100).rounded())
    try section.count("failure_percent_max", into: &percent, in: 1...100)
    breaker.failureShareMax = Double(percent) / 100
    try section.time("rest", intoMs: &breaker.restMs)
    try section.time("rest_cap", intoMs: &breaker.restCapMs)
    try section.time("rest_max", intoMs: &backendRestMaxMs)
    try section.time("credentials_rest", intoMs: &credentialsRestMs)
    try section.time("rate_window", intoMs: &rateWindowMs)
    try section.time("permit_valid", intoMs: &permitValidMs)
    try section.time("permit_transit", intoMs: &permitTransitMs)
    try section.time("permit_held_max", intoMs: &permitHeldMaxMs)
    try section.count("permits_waiting_max", into: &permitsWaitingMax)
  }

  private mutating func readReplies(_ section: ConfigurationSection) throws {
    try section.time("lease", intoMs: &deliveryLeaseMs)
    try section.count("attempts_max", into: &deliveryAttemptsMax)
    try section.time("age_max", intoMs: &deliveryAgeMaxMs)
    try section.count("channel_unacknowledged_max", into: &channelUnacknowledgedMax)
    try section.count("unacknowledged_max", into: &unacknowledgedMax)
  }
}

extension LedgerConfiguration {
  fileprivate mutating func read(_ section: ConfigurationSection) throws {
    path = try section.string("path") ?? path
    try section.size("free_space_reserve", into: &freeBytesReserve)
    try section.size("wal_checkpoint", into: &walCheckpointBytes)
    try section.size("wal_truncate", into: &walTruncateBytes)
    try section.count("rejected_bare_jobs_max", into: &rejectRowsMax)
    let retained = try section.section("retention")
    try retained.time("age", intoMs: &retention.ageTerminalMs)
    try retained.count("count", into: &retention.countTerminalMax, in: 0...Int.max)
    try retained.time("undelivered_age", intoMs: &retention.undeliveredAgeMinMs)
    try retained.time("key_age", intoMs: &retention.keyAgeMinMs)
    try retained.time("interval", intoMs: &retention.intervalMs)
  }
}

extension ShellConfiguration {
  fileprivate mutating func read(_ section: ConfigurationSection) throws {
    producersEndpoint = try section.string("producers") ?? producersEndpoint
    workersEndpoint = try section.string("workers") ?? workersEndpoint
    if let intake = try section.string("intake") { setBareEndpoint(intake) }
    curveSecretKeyPath = try section.string("curve_secret_key_file")
    insecureListen = try section.boolean("insecure") ?? false
    try section.count("peers_max", into: &peers.peersMax)
    try section.time("peer_silence", into: &peers.silence)
    try section.size("outbox_per_peer", into: &outbox.bytesPerPeerMax)
    try section.size("body_cache", into: &bodyCacheBytesMax)
    try section.size("result_cache", into: &resultCacheBytesMax)
    try section.time("shutdown_grace", into: &shutdownGrace)
  }

  fileprivate mutating func readIntake(_ section: ConfigurationSection) throws {
    try section.count("documents_max", into: &intake.documentsMax)
    try section.size("document_text_max", into: &intake.documentTextBytesMax)
    try section.size("request_max", into: &intake.requestBytesMax)
    try section.count("submit_jobs_max", into: &intake.submitJobsMax)
    try section.size("partial_scores_max", into: &intake.partialScoresBytesMax)
    intake.replyToPrefixes = try section.strings("reply_to_prefixes") ?? intake.replyToPrefixes
  }

  /// "off" means that there is no bare intake.
  package mutating func setBareEndpoint(_ text: String) {
    bareEndpoint = text == "off" ? nil : text
  }
}
