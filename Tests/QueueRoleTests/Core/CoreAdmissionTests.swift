import Ledger
import RerankdProtocol
import Testing

@testable import QueueRole

@Suite struct CoreAdmissionTests {
  @Test func submitAnswersInTheOrderOfTheRequest() throws {
    let queue = CoreHarness()
    let refusal = CallError.invalidArgument(field: "jobs[1].request.query", "is missing")
    let outcomes = try queue.submitted([
      .valid(NewJob(key: "a")), .refused(refusal), .valid(NewJob()), .valid(NewJob(model: "no")),
    ])
    #expect(outcomes.map(\.hasError) == [false, true, false, true])
    #expect(outcomes[1].error.code == StatusCode.invalidArgument.rawValue)
    #expect(outcomes[3].error.code == StatusCode.notFound.rawValue)
    // The keyed job waited for its lookup, so the one without a key came first.
    #expect(outcomes.map(\.jobID) == [2, 0, 1, 0])
    #expect(queue.state(JobID(shard: 0, sequence: 1))?.state == .ready)
  }

  @Test func sameKeyAndPayloadReturnTheLiveJob() throws {
    let queue = CoreHarness()
    let id = try queue.submit(NewJob(key: "k"))
    let again = try queue.submitted([.valid(NewJob(key: "k"))])
    #expect(again.map(\.jobID) == [id.rawValue] && again[0].duplicate)
    let other = try queue.submitted([.valid(NewJob(key: "k", hash: [2]))])
    #expect(other[0].error.code == StatusCode.alreadyExists.rawValue)
    let elsewhere = try queue.submitted([.valid(NewJob(tenant: "u", key: "k"))])
    #expect(!elsewhere[0].duplicate && elsewhere[0].jobID != id.rawValue)
  }

  @Test func sameKeyReturnsTheJobThatEnded() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let id = try queue.submit(NewJob(key: "k"))
    queue.complete(worker.call, Lease(job: id, attempt: 1, epoch: 1))
    #expect(queue.state(id)?.state == .succeeded)
    let again = try queue.submitted([
      .valid(NewJob(key: "k")), .valid(NewJob(key: "k", hash: [2])),
    ])
    #expect(again[0].duplicate && again[0].jobID == id.rawValue)
    #expect(again[1].error.code == StatusCode.alreadyExists.rawValue)
  }

  @Test func submitsOfOneKeyShareOneLookup() throws {
    let queue = CoreHarness()
    queue.holdsReads = true
    let (first, second) = (queue.call(), queue.call())
    queue.send(.submit(first, [.valid(NewJob(key: "k")), .valid(NewJob(key: "k"))]))
    queue.send(.submit(second, [.valid(NewJob(key: "k", hash: [2]))]))
    #expect(queue.core.reads.count == 1)
    let effects = queue.answerReads()
    let outcomes = try effects.answer(to: first, SubmitResponse.self).outcomes
    #expect(outcomes.map(\.duplicate) == [false, true])
    #expect(outcomes[0].jobID == outcomes[1].jobID)
    let other = try effects.answer(to: second, SubmitResponse.self).outcomes
    #expect(other[0].error.code == StatusCode.alreadyExists.rawValue)
    #expect(queue.core.lookups.isEmpty && queue.core.admittedJobs == 1)
  }

  @Test func failedLookupRefusesTheJobAndGivesItsRoomBack() throws {
    let queue = CoreHarness()
    queue.ledger.readFailure = "EIO"
    let outcomes = try queue.submitted([.valid(NewJob(key: "k"))])
    #expect(outcomes[0].error.code == StatusCode.unavailable.rawValue)
    #expect(queue.core.admittedJobs == 0 && queue.core.tenants.isEmpty)
  }

  @Test(arguments: [
    "LIVE_JOBS", "LIVE_BYTES", "TENANT_JOBS", "TENANT_BYTES", "CHANNEL_UNACKNOWLEDGED",
    "UNACKNOWLEDGED",
  ])
  func limitsRefuseWithRetryAfter(_ reason: String) throws {
    let queue = CoreHarness {
      switch reason {
      case "LIVE_JOBS": $0.liveJobsMax = 2
      case "LIVE_BYTES": $0.liveBytesMax = 25
      case "TENANT_JOBS": $0.tenantLiveJobsMax = 2
      case "TENANT_BYTES": $0.tenantLiveBytesMax = 25
      case "CHANNEL_UNACKNOWLEDGED": $0.channelUnacknowledgedMax = 2
      default: $0.unacknowledgedMax = 2
      }
    }
    for _ in 0..<2 {
      let id = try queue.submit(NewJob(channel: "c"))
      if reason.hasSuffix("UNACKNOWLEDGED") { queue.send(.cancel(queue.call(), id)) }
    }
    let outcome = try queue.submitted([.valid(NewJob(channel: "c"))])[0]
    #expect(outcome.error.code == StatusCode.resourceExhausted.rawValue)
    #expect(outcome.error.details.reason == reason)
    #expect(outcome.error.details.retryAfterMs == 1_000)
    let isOfTenant = reason.hasPrefix("TENANT")
    let other = try queue.submitted([.valid(NewJob(tenant: "u"))])[0]
    #expect(other.hasError == reason.hasPrefix("LIVE"), "\(isOfTenant)")
  }

  @Test func roomComesBackWhenJobsEnd() throws {
    let queue = CoreHarness { $0.liveJobsMax = 1 }
    for _ in 0..<5 {
      let id = try queue.submit(NewJob())
      queue.send(.cancel(queue.call(), id))
    }
    #expect(queue.core.jobs.isEmpty && queue.core.admittedBytes == 0)
  }

  @Test func shortDiskRefusesSubmitsAndStillRecordsOutcomes() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let id = try queue.submit(NewJob())
    queue.send(.space(acceptsSubmits: false))
    let refused = try queue.submitted([.valid(NewJob())])[0]
    #expect(refused.error.code == StatusCode.unavailable.rawValue)
    let effects = queue.complete(worker.call, Lease(job: id, attempt: 1, epoch: 1))
    #expect(effects.recorded(by: worker.call) == [id])
    queue.send(.space(acceptsSubmits: true))
    _ = try queue.submit(NewJob())
  }

  @Test func tenantOfWhomEnoughIsKeptMaySubmitNoMoreAndTheOthersMay() throws {
    let queue = CoreHarness()
    queue.send(.space(acceptsSubmits: true, fullTenants: ["t"]))
    let refused = try queue.submitted([.valid(NewJob(tenant: "t"))])[0]
    #expect(refused.error.code == StatusCode.resourceExhausted.rawValue)
    #expect(refused.error.details.reason == "TENANT_STORED")
    #expect(refused.error.details.retryAfterMs == 1_000)
    _ = try queue.submit(NewJob(tenant: "u"))
    queue.send(.space(acceptsSubmits: true, fullTenants: []))
    _ = try queue.submit(NewJob(tenant: "t"))
  }

  @Test func largeBodyIsWrittenInChunksBeforeItsJob() throws {
    let queue = CoreHarness { $0.bodyChunkBytes = 4 }
    let large = try queue.submit(NewJob(bytes: 9))
    #expect(queue.ledger.job(large)?.record.bodyChunks == 3)
    #expect(queue.ledger.body(large)?.count == 9)
    let small = try queue.submit(NewJob(bytes: 4))
    #expect(queue.ledger.job(small)?.record.bodyChunks == 0)
  }

  @Test func jobAssignedAtOnceIsInsertedLeased() throws {
    let queue = CoreHarness()
    queue.attach()
    var effects: [QueueEffect] = []
    queue.core.apply(
      .submit(queue.call(), [.valid(NewJob())]),
      at: Moment(monotonicMs: queue.nowMs, wallMs: queue.wallMs, seed: 1), into: &effects)
    let writes = effects.compactMap { if case .write(let write) = $0 { write } else { nil } }
    #expect(writes.count == 1)
    guard case .insertJob(let record, _)? = writes.first else {
      Issue.record("no insert: \(writes)")
      return
    }
    #expect(record.state.state == .leased && record.state.workerID == "w1")
    #expect(record.state.attempt == 1 && effects.assigned.count == 1)
  }

  @Test func rerankAnswersWithTheOutcome() throws {
    let queue = CoreHarness()
    let worker = queue.attach()
    let call = queue.call()
    let lease = try #require(
      queue.send(.rerank(call, .valid(NewJob(key: "k")), cancelWithCall: false)).assigned.first)
    let outcome = try queue.complete(worker.call, lease, [5]).answer(to: call, JobOutcome.self)
    #expect(outcome.state == .succeeded && Array(outcome.result) == [5])
    // Asked again under its key, the job answers at once.
    let again = queue.call()
    let effects = queue.send(.rerank(again, .valid(NewJob(key: "k")), cancelWithCall: false))
    #expect(try effects.answer(to: again, JobOutcome.self).jobID == lease.job.rawValue)
    #expect(queue.core.calls.count == 1)
  }

  @Test func rerankOfALiveKeyWaitsForThatJob() throws {
    let queue = CoreHarness()
    let (first, second) = (queue.call(), queue.call())
    queue.send(.rerank(first, .valid(NewJob(key: "k")), cancelWithCall: true))
    queue.send(.rerank(second, .valid(NewJob(key: "k")), cancelWithCall: true))
    // Only the call that created the job cancels it.
    queue.send(.callEnded(second))
    let effects = queue.send(.callEnded(first))
    #expect(effects.failure(of: first) == nil)
    #expect(queue.state(JobID(shard: 0, sequence: 1))?.state == .cancelled)
  }

  @Test func rerankThatEndsEarlyLeavesItsJobUnlessAskedOtherwise() throws {
    let queue = CoreHarness()
    let stays = queue.call()
    queue.send(.rerank(stays, .valid(NewJob()), cancelWithCall: false))
    queue.send(.callEnded(stays))
    #expect(queue.state(JobID(shard: 0, sequence: 1))?.state == .ready)
    queue.holdsReads = true
    let goes = queue.call()
    queue.send(.rerank(goes, .valid(NewJob(key: "k")), cancelWithCall: true))
    queue.send(.callEnded(goes))
    _ = queue.answerReads()
    #expect(queue.ledger.jobs.count == 1 && queue.core.admittedJobs == 1)
  }

  @Test func bareJobsAreCountedAndRefusalsKept() throws {
    let queue = CoreHarness()
    queue.send(.bare(.valid(NewJob()), excerpt: [1]))
    queue.send(.bare(.valid(NewJob(model: "no")), excerpt: [2]))
    queue.send(.bare(.refused(.invalidArgument(field: "spec", "no")), excerpt: [3]))
    #expect(queue.ledger.rejects.map(\.excerpt) == [[2], [3]])
    let counters = try queue.status().counters
    #expect(counters.bareAccepted == 1 && counters.bareRejected == 2)
  }
}
