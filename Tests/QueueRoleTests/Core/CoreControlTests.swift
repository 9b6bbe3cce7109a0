import Ledger
import RerankdProtocol
import SwiftProtobuf
import Testing

@testable import QueueRole

@Suite struct CoreControlTests {
  @Test func deadJobIsRetriedWithAFreshBudgetAndDeadline() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let id = try queue.submit(NewJob(key: "k", deadlineMs: 50_000, maxAttempts: 1))
    queue.fail(worker.call, Lease(job: id, attempt: 1, epoch: 1))
    #expect(queue.state(id)?.state == .dead)
    queue.pass(ms: 100_000)

    let call = queue.call()
    let effects = queue.send(.retryJobs(call, [id, JobID(shard: 0, sequence: 9), id]))
    let outcomes = try effects.answer(to: call, RetryJobsResponse.self).outcomes
    #expect(outcomes[0].jobID == id.rawValue && !outcomes[0].hasError)
    #expect(outcomes[1].error.code == StatusCode.notFound.rawValue)
    #expect(outcomes[2].error.code == StatusCode.failedPrecondition.rawValue)
    let lease = Lease(job: id, attempt: 3, epoch: 1)
    #expect(effects.assigned == [lease])
    #expect(queue.state(id)?.deadlineMs == queue.wallMs + 50_000)
    #expect(queue.state(id)?.attemptsSpent == 0)
    // It is live under its key again, and its new end is as final as the first was not.
    #expect(try queue.submitted([.valid(NewJob(key: "k"))])[0].duplicate)
    queue.complete(worker.call, lease)
    #expect(queue.state(id)?.state == .succeeded)
    let again = queue.call()
    let refused = queue.send(.retryJobs(again, [id]))
    let outcome = try refused.answer(to: again, RetryJobsResponse.self).outcomes[0]
    #expect(outcome.error.code == StatusCode.failedPrecondition.rawValue)
  }

  @Test func retriedJobIsDeliveredAnew() throws {
    let queue = CoreHarness()
    let id = try queue.submit(NewJob(channel: "c"))
    queue.send(.cancel(queue.call(), id))
    queue.send(.retryJobs(queue.call(), [id]))
    #expect(queue.core.deliveries.isEmpty)
    let worker = queue.attach()
    queue.complete(worker.call, Lease(job: id, attempt: 2, epoch: 1))
    let consumer = queue.consumer(credit: 5)
    let orders = consumer.effects.delivered(to: consumer.call)
    #expect(orders.map(\.outcome.state) == [.succeeded])
  }

  /// The ledger was asked about an ended job, and answers after it was brought back.
  @Test func cancelThatReadsABroughtBackJobEndsIt() throws {
    let queue = CoreHarness()
    let id = try queue.submit(NewJob())
    queue.send(.cancel(queue.call(), id))
    queue.holdsReads = true
    let cancel = queue.call()
    queue.send(.cancel(cancel, id))
    let retry = queue.call()
    queue.send(.retryJobs(retry, [id]))
    // The retry's read is answered first.
    let effects = queue.answerReads(inReverse: true)
    #expect(try effects.answer(to: cancel, CancelResponse.self).state == .cancelled)
    #expect(queue.state(id)?.state == .cancelled && queue.core.jobs.isEmpty)
  }

  @Test func statusCountsJobsByModelAndPhase() throws {
    let queue = CoreHarness()
    queue.attach(jobs: 1)
    for _ in 0..<3 { _ = try queue.submit(NewJob(bytes: 5)) }
    _ = try queue.submit(NewJob(model: "m2", notBeforeMs: 10))
    queue.send(.gauges(LedgerStatus.with { $0.commits = 4 }, ShellCounters(malformedMessages: 3)))
    queue.pass(ms: 5)
    let status = try queue.status()
    #expect(status.models.map(\.leased) == [1, 0] && status.models.map(\.ready) == [2, 0])
    #expect(status.models.map(\.delayed) == [0, 1] && status.models[0].model.workers == 1)
    #expect(status.liveBytes == 25 && status.workers == 1 && status.uptimeMs == 5)
    #expect(status.ledger.commits == 4 && status.counters.malformedMessages == 3)
    #expect(status.counters.submitted == 4 && status.counters.assigned == 1)
  }

  @Test func detailsOfLiveAndEndedJobsAreWhole() throws {
    let queue = CoreHarness()
    let worker = queue.attach(models: ["m2"])
    let id = try queue.submit(
      NewJob(model: "m2", priority: 3, key: "k", channel: "c", notBeforeMs: 100, deadlineMs: 9_000))
    queue.pass(ms: 40)
    let waiting = try queue.details(id)
    #expect(waiting.state == .delayed && waiting.readyInMs == 60 && !waiting.hasOutcome)
    #expect(waiting.spec.model == "m2" && waiting.spec.priority == 3)
    #expect(waiting.spec.idempotencyKey == "k" && waiting.spec.deadlineMs == 9_000)
    queue.pass(ms: 60)
    queue.complete(worker.call, Lease(job: id, attempt: 1, epoch: 1), [8])
    let ended = try queue.details(id, withRequest: true, withAttempts: true)
    #expect(ended.outcome.state == .succeeded && Array(ended.outcome.result) == [8])
    #expect(ended.request.count == 10 && ended.requestBytes == 10)
    #expect(ended.attemptRecords.map(\.workerID) == ["w1"] && ended.delivery == .pending)
    let byKey = queue.call()
    let effects = queue.send(
      .get(byKey, .key(tenant: "t", key: "k"), withRequest: false, withAttempts: false))
    #expect(try effects.answer(to: byKey, JobDetails.self).jobID == id.rawValue)
    let unknown = queue.call()
    let error = queue.send(
      .get(unknown, .key(tenant: "t", key: "no"), withRequest: false, withAttempts: false)
    ).failure(of: unknown)
    #expect(error?.code == .notFound)
  }

  @Test func jobsAreListedInPages() throws {
    let queue = CoreHarness()
    let ids = try (0..<3).map { _ in try queue.submit(NewJob()) }
    let call = queue.call()
    let first = try queue.send(.listJobs(call, JobFilter(limit: 2)))
      .answer(to: call, ListJobsResponse.self)
    #expect(first.jobs.map(\.jobID) == [ids[2].rawValue, ids[1].rawValue])
    #expect(first.nextBeforeJobID == ids[1].rawValue)
    let rest = try queue.send(.listJobs(call, JobFilter(before: ids[1], limit: 2)))
      .answer(to: call, ListJobsResponse.self)
    #expect(rest.jobs.count == 1 && rest.nextBeforeJobID == 0)
  }

  @Test func workersAreListedWithWhatTheyHoldAndTheirSilence() throws {
    let queue = CoreHarness()
    let worker = queue.attach(jobs: 4)
    let id = try queue.submit(NewJob(bytes: 7))
    queue.pass(ms: 300)
    queue.send(.heard(worker.call.peer))
    queue.pass(ms: 50)
    let call = queue.call()
    let response = try queue.send(.listWorkers(call)).answer(to: call, ListWorkersResponse.self)
    let info = try #require(response.workers.first)
    #expect(info.heldJobs == 1 && info.heldBytes == 7 && info.creditJobs == 4)
    #expect(info.attachedMs == 350 && info.silentMs == 50 && info.models == ["m1"])
    #expect(queue.state(id)?.workerID == info.workerID)
  }

  @Test func modelsAreListedWithTheirWorkers() throws {
    let queue = CoreHarness()
    queue.attach(models: ["m2"])
    let call = queue.call()
    let response = try queue.send(.listModels(call)).answer(to: call, ListModelsResponse.self)
    #expect(response.models.map(\.name) == ["m1", "m2"])
    #expect(response.models.map(\.workers) == [0, 1])
    #expect(response.models.map(\.images) == [false, true])
  }

  @Test func answerOfAnEndedCallIsDropped() throws {
    let queue = CoreHarness()
    queue.holdsReads = true
    let call = queue.call()
    queue.send(.listJobs(call, JobFilter()))
    queue.send(.callEnded(call))
    #expect(queue.answerReads().isEmpty && queue.core.reads.isEmpty && queue.core.calls.isEmpty)
  }

  @Test func unreadableLedgerFailsTheReadAlone() throws {
    let queue = CoreHarness()
    queue.ledger.readFailure = "EIO"
    let call = queue.call()
    let effects = queue.send(.cancel(call, JobID(shard: 0, sequence: 1)))
    #expect(effects.failure(of: call)?.code == .unavailable)
  }

  @Test func configurationNamesTheKeyThatCannotWork() {
    var configuration = QueueConfiguration(models: CoreHarness.models)
    #expect(configuration.firstProblem == nil)
    configuration.leaseMs = 0
    #expect(configuration.firstProblem?.key == "leaseMs")
    configuration.models.append(configuration.models[0])
    #expect(configuration.firstProblem?.key == "models[2].name")
    #expect(QueueConfiguration(models: []).firstProblem?.key == "models")
  }
}
