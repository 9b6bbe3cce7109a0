import Ledger
import RerankdProtocol
import Testing

@testable import QueueRole

@Suite struct CoreOperatorTests {
  // MARK: Draining

  private func drain(_ draining: Bool, _ queue: CoreHarness) throws {
    let call = queue.call()
    _ = try queue.send(.setDraining(call, draining)).answer(to: call, SetDrainingResponse.self)
  }

  @Test func drainingQueueRefusesNewJobsAndWorksOffTheOthers() throws {
    let queue = CoreHarness()
    let id = try queue.submit(NewJob())
    try drain(true, queue)
    let refused = try queue.submitted([.valid(NewJob()), .valid(NewJob(key: "new"))])
    #expect(refused.map(\.error.code) == [14, 14])
    #expect(refused.map(\.error.details.reason) == ["DRAINING", "DRAINING"])
    let call = queue.call()
    let effects = queue.send(.rerank(call, .valid(NewJob()), cancelWithCall: false))
    #expect(effects.failure(of: call)?.details.reason == "DRAINING")
    queue.send(.bare(.valid(NewJob()), excerpt: [1]))
    #expect(queue.ledger.rejects.count == 1)
    #expect(queue.attach().effects.assigned.map(\.job) == [id])
    #expect(try queue.status().draining && queue.core.admittedJobs == 1)
  }

  @Test func drainingQueueStillKnowsItsKeys() throws {
    let queue = CoreHarness()
    let live = try queue.submit(NewJob(key: "live"))
    let ended = try queue.submit(NewJob(key: "ended"))
    queue.send(.cancel(queue.call(), ended))
    try drain(true, queue)
    let outcomes = try queue.submitted([.valid(NewJob(key: "live")), .valid(NewJob(key: "ended"))])
    #expect(outcomes.map(\.jobID) == [live.rawValue, ended.rawValue])
    #expect(outcomes.map(\.duplicate) == [true, true])
  }

  @Test func drainingOutlivesARestartAndEndsWhenTold() throws {
    let queue = CoreHarness()
    try drain(true, queue)
    queue.restart()
    #expect(try queue.status().draining)
    try drain(false, queue)
    queue.restart()
    #expect(try !queue.status().draining)
    _ = try queue.submit(NewJob())
  }

  // MARK: Paused workers

  private func pause(_ workerID: String, _ paused: Bool, _ queue: CoreHarness) throws
    -> [QueueEffect]
  {
    let call = queue.call()
    let effects = queue.send(.setWorkerPaused(call, workerID: workerID, paused))
    _ = try effects.answer(to: call, SetWorkerPausedResponse.self)
    return effects
  }

  private func worker(_ queue: CoreHarness) throws -> WorkerInfo {
    let call = queue.call()
    let response = try queue.send(.listWorkers(call)).answer(to: call, ListWorkersResponse.self)
    return try #require(response.workers.first)
  }

  @Test func pausedWorkerKeepsItsJobsAndIsGivenNoneUntilItIsResumed() throws {
    let queue = CoreHarness()
    let session = queue.attach()
    let held = try queue.submit(NewJob())
    _ = try pause("w1", true, queue)
    let waiting = try queue.submit(NewJob())
    let info = try worker(queue)
    #expect(info.paused && info.heldJobs == 1 && queue.state(waiting)?.state == .ready)
    queue.complete(session.call, Lease(job: held, attempt: 1, epoch: 1))
    #expect(queue.state(held)?.state == .succeeded && queue.state(waiting)?.state == .ready)
    #expect(try pause("w1", false, queue).assigned.map(\.job) == [waiting])
    #expect(try !worker(queue).paused)
  }

  @Test func pauseOfAWorkerSurvivesItsReattachment() throws {
    let queue = CoreHarness()
    let session = queue.attach()
    _ = try pause("w1", true, queue)
    queue.send(.callEnded(session.call))
    let id = try queue.submit(NewJob())
    #expect(queue.attach().effects.assigned.isEmpty)
    #expect(try worker(queue).paused)
    // Also for one that is away.
    let again = queue.call()
    queue.send(.setWorkerPaused(again, workerID: "w1", false))
    #expect(queue.state(id)?.state == .leased)
  }

  @Test func pausingAnUnknownWorkerIsRefused() {
    let queue = CoreHarness()
    let call = queue.call()
    let error = queue.send(.setWorkerPaused(call, workerID: "w9", true)).failure(of: call)
    #expect(error?.code == .notFound && error?.details.reason == "WORKER_UNKNOWN")
  }

  @Test func pausedIdsStayWithinTheLimitOfWorkers() throws {
    let queue = CoreHarness { $0.workersMax = 2 }
    for id in ["a", "b", "c"] {
      let session = queue.attach(id)
      _ = try pause(id, true, queue)
      queue.send(.callEnded(session.call))
    }
    #expect(queue.core.pausedWorkers.count <= 2 && queue.core.pausedWorkers.contains("c"))
  }

  // MARK: What status tells

  @Test func jobsAreCountedByPriority() throws {
    let queue = CoreHarness { $0.prioritiesListedMax = 2 }
    queue.attach(jobs: 1)
    for priority: Int32 in [5, 5, -1, 9] { _ = try queue.submit(NewJob(priority: priority)) }
    let delayed = try queue.submit(NewJob(priority: 9, notBeforeMs: 50))
    let model = try queue.status().models[0]
    #expect(model.priorities.map(\.priority) == [9, 5])
    #expect(model.priorities.map(\.ready) == [1, 1] && model.priorities.map(\.leased) == [0, 1])
    #expect(model.priorities.map(\.delayed) == [1, 0])
    queue.send(.cancel(queue.call(), delayed))
    #expect(try queue.status().models[0].priorities[0].delayed == 0)
  }

  @Test func prioritiesWithoutJobsAreForgotten() throws {
    let queue = CoreHarness()
    let id = try queue.submit(NewJob(priority: 3))
    #expect(queue.core.models[0].depths.count == 1)
    queue.send(.cancel(queue.call(), id))
    #expect(queue.core.models[0].depths.isEmpty)
  }

  @Test func ageOfTheOldestReadyJobIsTold() throws {
    let queue = CoreHarness()
    #expect(try queue.status().models[0].oldestReadyMs == 0)
    let oldest = try queue.submit(NewJob())
    queue.pass(ms: 400)
    _ = try queue.submit(NewJob())
    queue.pass(ms: 100)
    #expect(try queue.status().models[0].oldestReadyMs == 500)
    queue.send(.cancel(queue.call(), oldest))
    #expect(try queue.status().models[0].oldestReadyMs == 100)
    // A job that is given back unspent has been ready all the while.
    let worker = queue.attach()
    queue.pass(ms: 50)
    let id = JobID(shard: 0, sequence: 2)
    queue.send(.work(worker.call, WorkReport(released: [Lease(job: id, attempt: 1, epoch: 1)])))
    #expect(try queue.status().models[0].oldestReadyMs == 150)
  }

  @Test func latenciesOfEndedJobsAreTold() throws {
    let queue = CoreHarness()
    #expect(try queue.status().latencies.isEmpty)
    let id = try queue.submit(NewJob())
    queue.pass(ms: 30)
    let worker = queue.attach()
    queue.pass(ms: 70)
    queue.complete(worker.call, Lease(job: id, attempt: 1, epoch: 1))
    let latencies = try queue.status().latencies
    #expect(latencies.map(\.model) == ["m1"])
    #expect(latencies[0].waiting.p50Us == 30_000 && latencies[0].scoring.maxUs == 70_000)
    #expect(latencies[0].total.p99Us == 100_000 && latencies[0].total.count == 1)
  }

  @Test func latencyIsCountedFromTheLastReadiness() throws {
    let queue = CoreHarness { $0.retryBaseMs = 1 }
    let worker = queue.attach()
    let id = try queue.submit(NewJob(notBeforeMs: 1_000))
    queue.pass(ms: 1_000)
    queue.pass(ms: 200)
    queue.complete(worker.call, Lease(job: id, attempt: 1, epoch: 1))
    let summary = try #require(try queue.status().latencies.first)
    #expect(summary.waiting.maxUs == 0 && summary.scoring.maxUs == 200_000)
    #expect(summary.total.maxUs == 1_200_000)
  }

  @Test func newestLatenciesAreKeptAndRankedByNearestRank() {
    var ring = LatencyRing(countMax: 100)
    for value in 1...150 { ring.record(milliseconds: Int64(value)) }
    let quantiles = ring.quantiles
    #expect(quantiles.count == 100 && quantiles.maxUs == 150_000)
    #expect(quantiles.p50Us == 100_000 && quantiles.p90Us == 140_000)
    #expect(quantiles.p99Us == 149_000)
    var one = LatencyRing(countMax: 1_024)
    one.record(milliseconds: 7)
    #expect(one.quantiles.p50Us == 7_000 && one.quantiles.p99Us == 7_000)
    #expect(LatencyRing(countMax: 1).quantiles == LatencyQuantiles())
  }

  @Test func attemptsAreCountedByTheirEnds() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let ids = try (0..<3).map { _ in try queue.submit(NewJob()) }
    queue.complete(worker.call, Lease(job: ids[0], attempt: 1, epoch: 1))
    queue.fail(worker.call, Lease(job: ids[1], attempt: 1, epoch: 1))
    queue.pass(ms: queue.configuration.leaseMs)
    let counters = try queue.status().counters
    #expect(counters.attemptsSucceeded == 1 && counters.attemptsFailed == 1)
    #expect(counters.leasesExpired == counters.leasesLost && counters.leasesExpired >= 1)
    let other = CoreHarness()
    let gone = other.attach()
    _ = try other.submit(NewJob())
    other.send(.callEnded(gone.call))
    other.pass(ms: other.configuration.reattachGraceMs)
    let lost = try other.status().counters
    #expect(lost.leasesLost == 1 && lost.leasesExpired == 0)
  }

  @Test func listedJobsAreChosenByAgeAndError() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let old = try queue.submit(NewJob(maxAttempts: 1))
    queue.fail(worker.call, Lease(job: old, attempt: 1, epoch: 1), code: .internal)
    queue.pass(ms: 1_000)
    let new = try queue.submit(NewJob())
    func list(_ filter: JobFilter = JobFilter(), _ ages: JobAges = JobAges()) throws -> [UInt64] {
      let call = queue.call()
      return try queue.send(.listJobs(call, filter, ages: ages))
        .answer(to: call, ListJobsResponse.self).jobs.map(\.jobID)
    }
    #expect(try list(JobFilter(), JobAges(olderThanMs: 1_000)) == [old.rawValue])
    #expect(try list(JobFilter(), JobAges(newerThanMs: 999)) == [new.rawValue])
    #expect(try list(JobFilter(errorCodes: [StatusCode.internal.rawValue])) == [old.rawValue])
    #expect(try list(JobFilter(errorContains: "SAID no")) == [old.rawValue])
    #expect(try list(JobFilter(errorCodes: [StatusCode.notFound.rawValue])) == [])
  }
}
