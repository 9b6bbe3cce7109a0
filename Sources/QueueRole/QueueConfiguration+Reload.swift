extension QueueConfiguration {
  /// This configuration with what of another one can hold while the queue runs: admission, what jobs
  /// get that do not say, leases, retries, replies, and the limits and rests of the backends that
  /// are there already. Sockets, the ledger and the catalogue are made once.
  func taking(_ new: QueueConfiguration) -> QueueConfiguration {
    var taken = self
    taken.liveJobsMax = new.liveJobsMax
    taken.tenantLiveJobsMax = new.tenantLiveJobsMax
    taken.liveBytesMax = new.liveBytesMax
    taken.tenantLiveBytesMax = new.tenantLiveBytesMax
    taken.refusalRetryAfterMs = new.refusalRetryAfterMs
    taken.deadlineDefaultMs = new.deadlineDefaultMs
    taken.attemptsDefault = new.attemptsDefault
    taken.workersMax = new.workersMax
    taken.leaseMs = new.leaseMs
    taken.workersLostMax = new.workersLostMax
    taken.releaseRestMs = new.releaseRestMs
    taken.retryBaseMs = new.retryBaseMs
    taken.retryCapMs = new.retryCapMs
    taken.deliveryLeaseMs = new.deliveryLeaseMs
    taken.deliveryAttemptsMax = new.deliveryAttemptsMax
    taken.deliveryAgeMaxMs = new.deliveryAgeMaxMs
    taken.channelUnacknowledgedMax = new.channelUnacknowledgedMax
    taken.unacknowledgedMax = new.unacknowledgedMax
    taken.breaker = new.breaker
    taken.credentialsRestMs = new.credentialsRestMs
    taken.backendRestMaxMs = new.backendRestMaxMs
    taken.permitHeldMaxMs = new.permitHeldMaxMs
    taken.permitsWaitingMax = new.permitsWaitingMax
    taken.backends = backends.map { backend in
      new.backends.first { $0.name == backend.name } ?? backend
    }
    return taken
  }
}
