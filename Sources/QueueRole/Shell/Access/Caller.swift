internal import AccessKeys
internal import Ledger
internal import RerankdProtocol
internal import ZeroMQ

/// Who is behind a connection: what its calls may be, and whose jobs they may be about.
struct Caller: Sendable, Equatable {
  /// Nil where keys are not asked for: then everybody may do everything.
  var key: AuthorizedKey?

  static let anyone = Caller(key: nil)

  var tenants: TenantScope { key?.tenants ?? .all }

  func mayCall(_ method: RerankdProtocol.Method) -> Bool {
    guard let key else { return true }
    switch key.role {
    case .control: return true
    case .worker: return method == .attach
    case .producer:
      switch method {
      case .submit, .rerank, .get, .cancel, .listModels, .receive: return true
      default: return false
      }
    }
  }

  /// An input as this caller may have it.
  /// - Throws: PERMISSION_DENIED where it is about another tenant as a whole. A job of another
  ///   tenant is refused by itself.
  func scoped(_ input: QueueInput) throws(CallError) -> QueueInput {
    switch input {
    case .attach(let call, var request):
      if let key {
        // So that nobody can take the place of a worker with another key, or its jobs, even when it
        // is away and the queue was restarted: the ledger has the id. No key's name has a slash.
        request.workerID = "\(key.name)/\(request.workerID)"
        request.keyName = key.name
      }
      return .attach(call, request)
    case .submit(let call, let jobs): return .submit(call, jobs.map(scoped))
    case .rerank(let call, let job, let cancelWithCall):
      return .rerank(call, scoped(job), cancelWithCall: cancelWithCall)
    case .get(let call, let selector, let withRequest, let withAttempts, _):
      if case .key(let tenant, _) = selector { try check(tenant) }
      return .get(
        call, selector, withRequest: withRequest, withAttempts: withAttempts, of: tenants)
    case .cancel(let call, let id, _): return .cancel(call, id, of: tenants)
    case .receive(let call, let tenant, let channel):
      try check(tenant)
      return .receive(call, tenant: tenant, channel: channel)
    default: return input
    }
  }

  /// A bare job: nobody is there to be told, so a refusal is counted and kept.
  func scoped(bare input: QueueInput) -> QueueInput {
    guard case .bare(let job, let excerpt) = input else { return input }
    return .bare(scoped(job), excerpt: excerpt)
  }

  private func scoped(_ submission: Submission) -> Submission {
    guard case .valid(let job) = submission, !tenants.contains(job.tenant) else {
      return submission
    }
    return .refused(denial(of: job.tenant))
  }

  private func check(_ tenant: String) throws(CallError) {
    guard tenants.contains(tenant) else { throw denial(of: tenant) }
  }

  private func denial(of tenant: String) -> CallError {
    CallError(
      .permissionDenied, "the key \"\(key?.name ?? "")\" is not for tenant \"\(tenant)\"",
      reason: "TENANT_DENIED", resource: tenant)
  }
}
