import Ledger
import RerankdProtocol
import Testing

@testable import QueueRole

extension CoreHarness {
  /// Models m1 and m3 behind the backend "hub", and m2, which is embedded.
  static func withHub(
    _ limits: BackendLimits = BackendLimits(),
    _ configure: (inout QueueConfiguration) -> Void = { _ in }
  ) -> CoreHarness {
    CoreHarness {
      $0.backends = [CatalogueBackend(name: "hub", limits: limits)]
      $0.models[0].backend = "hub"
      $0.models[0].fallbacks = ["m2"]
      $0.models.append(
        CatalogueModel(
          name: "m3", contextTokens: 512, reservedTokens: 0, images: false, backend: "hub"))
      configure(&$0)
    }
  }

  @discardableResult
  func ask(_ worker: CallRef, _ id: UInt64, for lease: Lease, tokens: Int = 10) -> [QueueEffect] {
    let asked = PermitAsk(id: id, backend: "hub", tokens: tokens, job: lease.job)
    return send(.work(worker, WorkReport(permitsAsked: [asked])))
  }

  @discardableResult
  func report(
    _ worker: CallRef, _ id: UInt64, _ fault: BackendFault = .none, unused: Bool = false,
    unfinished: Bool = false, retryAfterMs: Int64? = nil
  ) -> [QueueEffect] {
    let end = PermitEnd(
      id: id, isUnused: unused, isUnfinished: unfinished, fault: fault,
      retryAfterMs: retryAfterMs, message: "hub said \(fault)")
    return send(.work(worker, WorkReport(permitsEnded: [end])))
  }

  func hub() throws -> BackendStatus {
    try #require(try status().backends.first { $0.name == "hub" })
  }
}

/// A backend's health: what closes it, what its jobs do meanwhile, what opens it.
@Suite struct CoreBackendTests {
  private func job(_ queue: CoreHarness, _ model: String = "m1") throws -> Lease {
    Lease(job: try queue.submit(NewJob(model: model)), attempt: 1, epoch: 1)
  }

  @Test func refusedCredentialsCloseTheBackendForAllItsModelsAndBurnNoAttempt() throws {
    let queue = CoreHarness.withHub()
    let worker = queue.attach(models: ["m1", "m3", "m2"])
    let first = try job(queue)
    let second = try job(queue)
    #expect(queue.ask(worker.call, 1, for: first).granted(to: worker.call) == [1])
    queue.ask(worker.call, 2, for: second)
    queue.report(worker.call, 1, .credentialsRefused)
    #expect(try queue.hub().state == .credentialsRefused)
    #expect(try queue.hub().reason.contains("credentials"))
    queue.fail(
      worker.call, first, code: .unauthenticated, unspent: true, fault: .credentialsRefused)
    #expect(queue.state(first.job)?.state == .ready && queue.state(first.job)?.attemptsSpent == 0)
    let third = try queue.submit(NewJob(model: "m3"))
    #expect(queue.state(third)?.state == .ready)
    let embedded = try queue.submit(NewJob(model: "m2"))
    #expect(queue.state(embedded)?.state == .leased)
    #expect(try queue.hub().credentialsRefused == 1)
    // What asks now is refused at once, and told for how long.
    let refused = queue.ask(worker.call, 3, for: second)
    let refusal = refused.notices(to: worker.call).flatMap(\.refused).first
    #expect(refusal?.retryAfterMs == 300_000)
  }

  @Test func waitingRequestsAreRefusedWhenTheBackendCloses() throws {
    let queue = CoreHarness.withHub(BackendLimits(concurrentRequestsMax: 1))
    let worker = queue.attach()
    let jobs = try (0..<3).map { _ in try job(queue) }
    #expect(queue.ask(worker.call, 1, for: jobs[0]).granted(to: worker.call) == [1])
    #expect(queue.ask(worker.call, 2, for: jobs[1]).granted(to: worker.call) == [])
    queue.ask(worker.call, 3, for: jobs[2])
    #expect(try queue.hub().requestsWaiting == 2)
    let effects = queue.report(worker.call, 1, .rateLimited, retryAfterMs: 7_000)
    #expect(effects.refused(to: worker.call) == [2, 3])
    #expect(try queue.hub().requestsWaiting == 0)
    #expect(try queue.hub().restingMs == 7_000 && queue.hub().rateLimited == 1)
  }

  @Test func renewedCredentialsAreTriedThroughTheWorkerThatHasThem() throws {
    let queue = CoreHarness.withHub()
    let old = queue.attach("old", peer: 10)
    let fresh = queue.attach("fresh", peer: 11)
    let first = try job(queue)
    let holder = queue.state(first.job)?.workerID == "old" ? old : fresh
    queue.ask(holder.call, 1, for: first)
    queue.report(holder.call, 1, .credentialsRefused)
    queue.fail(
      holder.call, first, code: .unauthenticated, unspent: true, fault: .credentialsRefused)
    let second = try queue.submit(NewJob())
    #expect(queue.state(second)?.state == .ready)

    let effects = queue.send(
      .work(fresh.call, WorkReport(renewedCredentials: ["hub", "unknown"])))
    // One job, and to that worker.
    #expect(effects.assigned.count == 1)
    let probe = try #require(effects.assigned(to: fresh.call).first)
    #expect(try queue.hub().state == .probing)
    #expect(queue.ask(fresh.call, 1, for: probe).granted(to: fresh.call) == [1])
    #expect(queue.ask(fresh.call, 2, for: probe).granted(to: fresh.call) == [])
    let opened = queue.report(fresh.call, 1)
    #expect(try queue.hub().state == .open)
    #expect(opened.granted(to: fresh.call) == [2])
    #expect(opened.assigned.count == 1)
  }

  @Test func renewalWhileTheBackendIsOpenChangesNothing() throws {
    let queue = CoreHarness.withHub()
    let worker = queue.attach()
    queue.send(.work(worker.call, WorkReport(renewedCredentials: ["hub"])))
    #expect(try queue.hub().state == .open)
  }

  @Test func longRestEndsInAProbeWhenNobodyRenews() throws {
    let queue = CoreHarness.withHub { $0.deadlineDefaultMs = 10_000_000 }
    let worker = queue.attach()
    let lease = try job(queue)
    queue.ask(worker.call, 1, for: lease)
    queue.report(worker.call, 1, .credentialsRefused)
    queue.fail(
      worker.call, lease, code: .unauthenticated, unspent: true, fault: .credentialsRefused)
    #expect(queue.pass(ms: 299_999).assigned.isEmpty)
    let again = queue.pass(ms: 1).assigned
    try #require(again.count == 1)
    queue.ask(worker.call, 2, for: again[0])
    queue.report(worker.call, 2, .credentialsRefused)
    #expect(try queue.hub().state == .credentialsRefused)
  }

  @Test func breakerOpensAfterFailuresInARowAndClosesByAProbe() throws {
    let queue = CoreHarness.withHub { $0.deadlineDefaultMs = 10_000_000 }
    let worker = queue.attach(jobs: 20)
    let jobs = try (0..<6).map { _ in try job(queue) }
    for (number, lease) in jobs.prefix(5).enumerated() {
      #expect(try queue.hub().state == .open)
      queue.ask(worker.call, UInt64(number), for: lease)
      queue.report(worker.call, UInt64(number), .unavailable)
    }
    #expect(try queue.hub().state == .resting && queue.hub().unavailable == 5)
    queue.send(.work(worker.call, WorkReport(released: jobs)))
    queue.pass(ms: 5_000)
    #expect(try queue.hub().state == .probing)
    let probe = try #require(queue.core.jobs.values.first { $0.lease != nil })
    let lease = Lease(job: probe.id, attempt: probe.record.state.attempt, epoch: 1)
    queue.ask(worker.call, 50, for: lease)
    queue.report(worker.call, 50, .unavailable)
    // The second rest is a longer one.
    #expect(try queue.hub().restingMs > 5_000)
    queue.send(.work(worker.call, WorkReport(released: [lease])))
    queue.pass(ms: 10_000)
    let next = try #require(queue.core.jobs.values.first { $0.lease != nil })
    let nextLease = Lease(job: next.id, attempt: next.record.state.attempt, epoch: 1)
    queue.ask(worker.call, 51, for: nextLease)
    let opened = queue.report(worker.call, 51)
    #expect(try queue.hub().state == .open)
    #expect(opened.assigned.count == 5)
  }

  @Test func requestsFromBeforeARestSayNothingAboutTheProbe() throws {
    let queue = CoreHarness.withHub()
    let worker = queue.attach()
    let jobs = try (0..<2).map { _ in try job(queue) }
    queue.ask(worker.call, 1, for: jobs[0])
    queue.ask(worker.call, 2, for: jobs[1])
    queue.report(worker.call, 1, .rateLimited, retryAfterMs: 1_000)
    queue.pass(ms: 1_000)
    #expect(try queue.hub().state == .probing)
    queue.report(worker.call, 2, .unavailable)
    #expect(try queue.hub().state == .probing)
  }

  @Test func probeThatWasGivenUpIsFollowedByAnother() throws {
    let queue = CoreHarness.withHub()
    let worker = queue.attach()
    let lease = try job(queue)
    queue.ask(worker.call, 1, for: lease)
    queue.report(worker.call, 1, .rateLimited, retryAfterMs: 1_000)
    queue.fail(worker.call, lease, unspent: true, fault: .rateLimited)
    let probe = try #require(queue.pass(ms: 1_000).assigned.first)
    #expect(queue.ask(worker.call, 2, for: probe).granted(to: worker.call) == [2])
    #expect(queue.ask(worker.call, 3, for: probe).granted(to: worker.call) == [])
    let effects = queue.report(worker.call, 2, unfinished: true)
    #expect(effects.granted(to: worker.call) == [3])
    #expect(try queue.hub().state == .probing)
  }

  @Test func probeGoesToAnotherWhenItsWorkerLeaves() throws {
    let queue = CoreHarness.withHub()
    let fresh = queue.attach("fresh", peer: 11)
    let lease = try job(queue)
    queue.ask(fresh.call, 1, for: lease)
    queue.report(fresh.call, 1, .credentialsRefused)
    queue.fail(
      fresh.call, lease, code: .unauthenticated, unspent: true, fault: .credentialsRefused)
    queue.send(.work(fresh.call, WorkReport(renewedCredentials: ["hub"])))
    let other = queue.attach("other", peer: 12)
    let second = try queue.submit(NewJob())
    #expect(queue.state(second)?.state == .ready)
    let effects = queue.send(.callEnded(fresh.call))
    // The probe's own job waits for its worker; another is not held up by it for ever.
    queue.pass(ms: 20_000)
    #expect(queue.state(second)?.workerID == "other" || effects.assigned(to: other.call).count == 1)
  }

  @Test func pausedBackendTakesNothingUntilItIsResumedAcrossARestart() throws {
    let queue = CoreHarness.withHub()
    let call = queue.call()
    let paused = queue.send(.setBackendPaused(call, backend: "hub", true))
    _ = try paused.answer(to: call, SetBackendPausedResponse.self)
    queue.attach()
    let id = try queue.submit(NewJob())
    #expect(queue.state(id)?.state == .ready)
    #expect(try queue.hub().state == .paused && queue.hub().restingMs == 0)
    queue.restart()
    queue.attach()
    #expect(queue.state(id)?.state == .ready)
    #expect(try queue.hub().state == .paused)
    let effects = queue.send(.setBackendPaused(queue.call(), backend: "hub", false))
    #expect(effects.assigned.map(\.job) == [id])
    let unknown = queue.call()
    let refused = queue.send(.setBackendPaused(unknown, backend: "nobody", true))
    #expect(refused.failure(of: unknown)?.code == .notFound)
  }

  @Test func resumingEndsARest() throws {
    let queue = CoreHarness.withHub()
    let worker = queue.attach()
    let lease = try job(queue)
    queue.ask(worker.call, 1, for: lease)
    queue.report(worker.call, 1, .rateLimited, retryAfterMs: 60_000)
    queue.send(.setBackendPaused(queue.call(), backend: "hub", false))
    #expect(try queue.hub().state == .open)
  }

  @Test func resumingEndsTheWaitsOfTheJobsThatFailedOnIt() throws {
    let queue = CoreHarness.withHub()
    let worker = queue.attach(models: ["m1", "m2"])
    let lease = try job(queue)
    let elsewhere = try job(queue, "m2")
    let later = try queue.submit(NewJob(notBeforeMs: 60_000))
    queue.ask(worker.call, 1, for: lease)
    queue.report(worker.call, 1, .rateLimited, retryAfterMs: 600_000)
    for failed in [lease, elsewhere] {
      queue.fail(worker.call, failed, retryAfterMs: 600_000)
      #expect(queue.state(failed.job)?.state == .delayed)
    }
    queue.restart()
    queue.attach(models: ["m1", "m2"])
    let effects = queue.send(.setBackendPaused(queue.call(), backend: "hub", false))
    #expect(effects.assigned.map(\.job) == [lease.job])
    // One that was to wait before its first attempt, or for another backend, waits.
    #expect(queue.state(later)?.state == .delayed)
    #expect(queue.state(elsewhere.job)?.state == .delayed)
  }

  @Test func jobGivenBackByAnOpenBackendRestsForAMoment() throws {
    let queue = CoreHarness.withHub()
    let worker = queue.attach()
    let lease = try job(queue)
    #expect(queue.fail(worker.call, lease, unspent: true).assigned.isEmpty)
    #expect(queue.state(lease.job)?.state == .delayed)
    #expect(queue.state(lease.job)?.attemptsSpent == 0)
    #expect(queue.pass(ms: queue.configuration.releaseRestMs).assigned.map(\.job) == [lease.job])
  }

  @Test func workerThatMadeRoomForALargeJobWorksOnWhileItsBackendRests() throws {
    let queue = CoreHarness.withHub()
    let worker = queue.attach(models: ["m1", "m2"], jobs: 8, bytes: 100)
    let lease = try job(queue)
    let large = try queue.submit(NewJob(bytes: 95))
    #expect(queue.core.models[0].setAside?.id == large)
    queue.ask(worker.call, 1, for: lease)
    queue.report(worker.call, 1, .rateLimited, retryAfterMs: 60_000)
    let embedded = try queue.submit(NewJob(model: "m2"))
    #expect(queue.state(embedded)?.state == .leased)
    #expect(queue.core.models[0].setAside == nil)
  }

  @Test func configurationNamesWhatCannotBe() {
    var configuration = CoreHarness.withHub().configuration
    #expect(configuration.firstProblem == nil)
    configuration.models[0].fallbacks = ["m1"]
    #expect(configuration.firstProblem?.key == "models[0].fallbacks[0]")
    configuration.models[0].fallbacks = ["absent"]
    #expect(configuration.firstProblem?.key == "models[0].fallbacks[0]")
    configuration.models[0].fallbacks = []
    configuration.models[1].backend = "absent"
    #expect(configuration.firstProblem?.key == "models[1].backend")
    configuration.models[1].backend = nil
    configuration.backends[0].limits.tokensPerMinuteMax = 0
    #expect(configuration.firstProblem?.key == "backends[0].limits.tokensPerMinuteMax")
    configuration.backends[0].limits = BackendLimits()
    configuration.breaker.restCapMs = 1
    #expect(configuration.firstProblem?.key == "breaker.restCapMs")
  }

  @Test func modelsSayWhoScoresThem() throws {
    let queue = CoreHarness.withHub()
    let call = queue.call()
    let models = try queue.send(.listModels(call)).answer(to: call, ListModelsResponse.self).models
    #expect(models.map(\.engine) == ["hub", "embedded", "hub"])
    #expect(models[0].fallbacks == ["m2"])
  }
}
