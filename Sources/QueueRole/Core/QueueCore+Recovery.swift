import Ledger
import RerankdProtocol

/// Starting from what the ledger holds.
extension QueueCore {
  func addCatalogue() {
    for backend in configuration.backends {
      addBackend(backend.name, isDeclared: true, limits: backend.limits)
    }
    for model in configuration.models { addModel(model.name, catalogued: model) }
    for model in models {
      model.fallbacks = model.catalogued?.fallbacks.compactMap { modelsByName[$0] } ?? []
      for fallback in model.fallbacks { fallback.standsInFor.append(model) }
    }
  }

  private func addModel(_ name: String, catalogued: CatalogueModel?) {
    let backend =
      catalogued?.backend.flatMap { backendsByName[$0] } ?? addBackend(name, isDeclared: false)
    let model = Model(
      index: models.count, name: name, catalogued: catalogued, backend: backend,
      retryBudget: RetryBudget(
        tokensMax: configuration.retryBudgetTokens, ratio: configuration.retryBudgetRatio),
      latenciesMax: configuration.latenciesMax)
    models.append(model)
    backend.models.append(model)
    modelsByName[name] = model
  }

  func recover(_ recovered: RecoveredLedger) {
    for model in models { loseWorkers(of: model) }
    isPaused = recovered.settings[Self.pausedSetting] == "true"
    isDraining = recovered.settings[Self.drainingSetting] == "true"
    for backend in backends where backend.isDeclared {
      backend.isPaused = recovered.settings[Self.pausedSetting(of: backend.name)] == "true"
    }
    startBackups(lastMs: recovered.settings[Self.backedUpSetting].flatMap { Int64($0) })
    for record in recovered.liveJobs { recover(record) }
    for (id, attempt) in recovered.partialScores { jobs[id]?.partialScoresAttempt = attempt }
    for (row, record) in recovered.pendingDeliveries where jobs[record.id] == nil {
      let ageMs = clamp(wallMs - record.state.updatedMs, 0, configuration.deliveryAgeMaxMs)
      // The ledger's rows do not say how large the result is: it counts as the largest.
      let bytes = record.state.state == .succeeded ? configuration.shell.intake.resultBytesMax : 0
      enterDelivery(of: record, bytes: bytes, attempts: row.attempts, ageMs: ageMs)
    }
  }

  /// The wall clock may have jumped while nobody looked: what remains of a time is never more than
  /// all of it, and never less than nothing. From here on the monotonic clock counts.
  private func recover(_ record: JobRecord) {
    if modelsByName[record.model] == nil { addModel(record.model, catalogued: nil) }
    guard let model = modelsByName[record.model] else { return }
    let state = record.state
    let remainingMs = clamp(state.deadlineMs - wallMs, 0, record.deadlineAfterMs)
    let tenant = charge(tenant: record.tenant, bytes: Int(clamping: record.bodyBytes))
    let job = Job(
      record: record, model: model, tenant: tenant, phase: .ended, deadlineMs: nowMs + remainingMs,
      submittedMs: nowMs - clamp(wallMs - record.submittedMs, 0, .max))
    enter(job)
    switch state.state {
    case .delayed:
      let delayMs = clamp(state.readyAtMs - wallMs, 0, max(state.readyAtMs - state.updatedMs, 0))
      delay(job, untilMs: nowMs + delayMs)
    case .leased:
      job.readySinceMs = nowMs
      let workerID = state.workerID ?? ""
      let lease = JobLease(
        attempt: state.attempt, workerID: workerID, model: model, epoch: nil, assignedMs: nil,
        holder: .departed, expiresMs: nowMs + configuration.reattachGraceMs)
      self.lease(job, lease)
      departed[workerID, default: DepartedWorker(jobs: [])].jobs.insert(job.id)
    default:
      let waitedMs = clamp(wallMs - state.updatedMs, 0, record.deadlineAfterMs)
      makeReady(job, sinceMs: nowMs - waitedMs)
    }
  }

  private func clamp(_ value: Int64, _ least: Int64, _ most: Int64) -> Int64 {
    min(max(value, least), max(most, least))
  }
}
