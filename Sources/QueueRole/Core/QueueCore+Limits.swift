import Ledger
import RerankdProtocol

/// The limits on what is let in, and the words in which it is refused.
extension QueueCore {
  /// nil: there is room for the job.
  func refusal(of job: NewJob) -> CallError? {
    let limit = configuration.tenantJobsPerMinuteMax
    if let waitMs = tenantRates.waitMs(job.tenant, limit: limit, nowMs: nowMs) {
      return overload(
        "tenant \"\(job.tenant)\" has submitted \(limit) jobs within a minute, the most it may",
        "TENANT_RATE", after: .milliseconds(waitMs))
    }
    let channel = job.replyChannel.map { TenantName(tenant: job.tenant, name: $0) }
    return refusal(tenant: job.tenant, bytes: Int64(job.body.count), channel: channel)
  }

  func refusal(tenant name: String, bytes: Int64, channel: TenantName?) -> CallError? {
    guard acceptsSubmits else {
      return CallError(
        .unavailable, "the queue's disk is nearly full: it takes no new jobs until there is space",
        reason: "LEDGER_SPACE", retryAfter: retryAfter)
    }
    let limits = configuration
    if admittedJobs >= limits.liveJobsMax {
      return overload("the queue holds \(admittedJobs) jobs, the most it may", "LIVE_JOBS")
    }
    if admittedBytes + bytes > limits.liveBytesMax {
      return overload("the queue's jobs hold \(admittedBytes) bytes, near the most", "LIVE_BYTES")
    }
    if fullTenants.contains(name) {
      return overload(
        "the ledger keeps as many jobs of tenant \"\(name)\", or bytes of them, as it may: "
          + "acknowledge outcomes, or have ended jobs purged", "TENANT_STORED")
    }
    if let tenant = tenants[name] {
      if tenant.jobs >= limits.tenantLiveJobsMax {
        return overload(
          "tenant \"\(name)\" has \(tenant.jobs) jobs, the most it may", "TENANT_JOBS")
      }
      if tenant.bytes + bytes > limits.tenantLiveBytesMax {
        return overload(
          "tenant \"\(name)\" holds \(tenant.bytes) bytes, near the most", "TENANT_BYTES")
      }
    }
    if channel != nil, deliveries.count >= limits.unacknowledgedMax {
      return overload(
        "\(deliveries.count) outcomes wait to be acknowledged, the most that may",
        "UNACKNOWLEDGED")
    }
    if let channel, let waiting = channels[channel]?.unacknowledged,
      waiting >= limits.channelUnacknowledgedMax
    {
      return overload(
        "\(waiting) outcomes of reply channel \"\(channel.name)\" wait to be acknowledged",
        "CHANNEL_UNACKNOWLEDGED", resource: channel.name)
    }
    return nil
  }

  /// Counts a job in, from its admission to its end.
  func charge(tenant name: String, bytes: Int) -> Tenant {
    let tenant = tenants[name] ?? Tenant(name: name)
    if tenant.jobs == 0 { tenants[name] = tenant }
    tenant.jobs += 1
    tenant.bytes += Int64(bytes)
    admittedJobs += 1
    admittedBytes += Int64(bytes)
    return tenant
  }

  func discharge(_ tenant: Tenant, bytes: Int) {
    tenant.jobs -= 1
    tenant.bytes -= Int64(bytes)
    admittedJobs -= 1
    admittedBytes -= Int64(bytes)
    if tenant.jobs == 0 { tenants[tenant.name] = nil }
  }

  private var retryAfter: Duration { .milliseconds(configuration.refusalRetryAfterMs) }

  func overload(
    _ message: String, _ reason: String, resource: String = "", after: Duration? = nil
  ) -> CallError {
    CallError(
      .resourceExhausted, "\(message); try again later", reason: reason, resource: resource,
      retryAfter: after ?? retryAfter)
  }

  var draining: CallError {
    CallError(
      .unavailable,
      "the queue is draining: it works off the jobs that it has and takes no new ones; submit to "
        + "another queue, or wait until its operator ends this",
      reason: "DRAINING")
  }

  func unknownModel(_ name: String) -> CallError {
    CallError(
      .notFound, "model \"\(name)\" is not in the catalogue; ListModels says which are",
      reason: "MODEL_UNKNOWN", resource: name)
  }

  func otherPayload(_ id: JobID) -> CallError {
    CallError(
      .alreadyExists,
      "the idempotency key belongs to job \(id), which was submitted with another "
        + "payload; use another key",
      reason: "KEY_REUSED", resource: "\(id)")
  }

  func unknownJob(_ id: JobID) -> CallError {
    id.shard == shard
      ? CallError(
        .notFound, "there is no job \(id), or it was removed by retention", reason: "JOB_UNKNOWN",
        resource: "\(id)")
      : CallError(
        .notFound, "job \(id) belongs to shard \(id.shard); this is shard \(shard)",
        reason: "OTHER_SHARD", resource: "\(id)")
  }

  func unreadable(_ message: String) -> CallError {
    CallError(
      .unavailable, "the ledger could not be read: \(message); try again", reason: "LEDGER_READ",
      retryAfter: retryAfter)
  }
}
