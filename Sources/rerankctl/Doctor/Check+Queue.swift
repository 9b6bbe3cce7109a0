import RerankdProtocol

/// A queue, by what it says of itself.
extension Check {
  /// - Parameter version: of this program.
  static func queue(_ reading: QueueReading, version: String) -> [Check] {
    guard let status = reading.status else {
      return [
        Check(
          "queue", .warning,
          reading.error?.message ?? "none answers at \(reading.endpoint)",
          mend: "rerankd queue or rerankd up starts one; --endpoint names another")
      ]
    }
    let uptime = Quantity.time(milliseconds: status.uptimeMs)
    let checks =
      state(status, version: version) + ledger(status.ledger)
      + status.models.compactMap(model) + status.backends.compactMap(backend)
    let answer = Check(
      "queue", .ok,
      "rerankd \(status.version) answers at \(reading.endpoint), up \(uptime), with "
        + Quantity.count(status.workers, "worker"))
    return [answer] + checks
  }

  private static func state(_ status: StatusView, version: String) -> [Check] {
    var checks: [Check] = []
    if status.version != version {
      checks.append(
        Check(
          "queue", .warning, "it is of version \(status.version), and this program of \(version)",
          mend: "install one version of both"))
    }
    if status.paused {
      checks.append(
        Check(
          "queue", .warning, "it is paused: nothing is assigned to workers",
          mend: "rerankctl queue resume"))
    }
    if status.draining {
      checks.append(
        Check(
          "queue", .warning, "it is draining: new jobs are refused", mend: "rerankctl queue undrain"
        ))
    }
    if status.workers == 0 {
      checks.append(
        Check(
          "workers", .warning, "none is attached: jobs wait", mend: "rerankd worker starts one"))
    }
    return checks
  }

  private static func ledger(_ ledger: LedgerView) -> [Check] {
    var checks: [Check] = []
    if !ledger.acceptsSubmits {
      checks.append(
        Check(
          "queue", .failed,
          "\(Quantity.bytes(ledger.freeBytes)) free beside its ledger: it takes no new jobs in",
          mend: "free some, or shorten queue.ledger.retention"))
    }
    if let error = ledger.backupError {
      checks.append(
        Check(
          "backup", .warning, "the latest failed: \(error)",
          mend: "rerankctl ledger backup, once that is mended"))
    }
    return checks
  }

  private static func model(_ model: StatusView.ModelView) -> Check? {
    if let reason = model.pauseReason {
      return Check(
        "workers", .warning, "\(model.name) rests: \(reason)",
        mend: "rerankctl status says how long")
    }
    let waiting = model.ready + model.delayed
    guard model.workers == 0, waiting > 0 else { return nil }
    return Check(
      "workers", .warning,
      "none serves \(model.name), and \(Quantity.count(waiting, "job")) of it wait",
      mend: "start a worker whose configuration has the model")
  }

  private static func backend(_ backend: BackendView) -> Check? {
    guard backend.state != BackendState.open.word else { return nil }
    return Check(
      "backend", .warning,
      "\(backend.name) is \(backend.state)" + (backend.reason.map { ": \($0)" } ?? ""),
      mend: "rerankctl backends test \(backend.name)")
  }
}
