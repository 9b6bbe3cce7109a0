import RerankdProtocol
import SwiftProtobuf

/// A process that keeps workers running, as it last said; and what it was asked for since.
struct Supervisor {
  var report: SupervisorReport
  var heardMs: Int64
  var askedWorkers: UInt32?
}

/// How many worker processes run is a matter between operators and supervisors (`rerankd up`): the
/// queue carries word between them, in memory, and forgets a supervisor that falls silent.
extension QueueCore {
  func supervise(_ call: CallRef, _ report: SupervisorReport) {
    forgetSilentSupervisors()
    var asked = supervisors[report.supervisorID]?.askedWorkers
    guard
      supervisors[report.supervisorID] != nil
        || supervisors.count < configuration.supervisorsMax
    else {
      let error = overload(
        "\(supervisors.count) supervisors report here, the most that may", "SUPERVISORS")
      return effects.append(.fail(call, error))
    }
    if asked == report.workersWanted { asked = nil }
    supervisors[report.supervisorID] = Supervisor(
      report: report, heardMs: nowMs, askedWorkers: asked)
    let response = SuperviseResponse.with { response in
      if let asked { response.workersWanted = asked }
    }
    effects.append(.answer(call, response))
  }

  func scaleWorkers(_ call: CallRef, _ supervisorID: String?, to workers: UInt32) {
    forgetSilentSupervisors()
    do throws(CallError) {
      var supervisor = try supervisor(supervisorID)
      guard workers <= supervisor.report.workersMax else {
        throw CallError.invalidArgument(
          field: "workers",
          "is \(workers); supervisor \"\(supervisor.report.supervisorID)\" runs at most "
            + "\(supervisor.report.workersMax)")
      }
      // Also when the last report says the same: the supervisor may have been told another number
      // since, and only its next report says which it goes by.
      supervisor.askedWorkers = workers
      supervisors[supervisor.report.supervisorID] = supervisor
      effects.append(
        .answer(call, ScaleWorkersResponse.with { $0.supervisor = status(of: supervisor) }))
    } catch {
      effects.append(.fail(call, error))
    }
  }

  private func supervisor(_ supervisorID: String?) throws(CallError) -> Supervisor {
    if let supervisorID {
      if let supervisor = supervisors[supervisorID] { return supervisor }
      throw CallError(
        .notFound,
        "no supervisor \"\(supervisorID)\" has been heard of lately; Status says which have",
        reason: "SUPERVISOR_UNKNOWN", resource: supervisorID)
    }
    guard let only = supervisors.values.first else {
      throw CallError(
        .notFound,
        "no supervisor keeps workers running here: start them with rerankd up, or scale them where "
          + "they are run (systemd, Kubernetes)",
        reason: "SUPERVISOR_UNKNOWN")
    }
    guard supervisors.count == 1 else {
      let names = knownSupervisors.map { "\"\($0.report.supervisorID)\"" }.joined(separator: ", ")
      throw CallError(
        .failedPrecondition, "several supervisors run workers; name one of them: \(names)",
        reason: "SUPERVISOR_AMBIGUOUS")
    }
    return only
  }

  /// By name.
  var knownSupervisors: [Supervisor] {
    supervisors.values.sorted { $0.report.supervisorID < $1.report.supervisorID }
  }

  func forgetSilentSupervisors() {
    supervisors = supervisors.filter {
      nowMs - $0.value.heardMs < configuration.supervisorSilenceMs
    }
  }

  func status(of supervisor: Supervisor) -> SupervisorStatus {
    SupervisorStatus.with {
      $0.supervisorID = supervisor.report.supervisorID
      $0.host = supervisor.report.host
      $0.processID = supervisor.report.processID
      $0.workersRunning = supervisor.report.workersRunning
      $0.workersWanted = supervisor.askedWorkers ?? supervisor.report.workersWanted
      $0.workersMax = supervisor.report.workersMax
    }
  }
}
