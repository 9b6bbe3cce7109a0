import Foundation
import RerankdProtocol
import SwiftProtobuf
import Testing

@testable import WorkerRole

/// Event → action, under a clock that the tests move.
struct WorkerSessionTests {
  private var worker: SessionDriver

  init() {
    worker = SessionDriver()
  }

  // MARK: Attaching

  @Test mutating func attachNamesTheWorkerItsModelsAndItsCredit() {
    let attach = worker.handle(.connected(models: ["a", "b"])).messages.first?.attach
    #expect(attach?.workerID == "w-1")
    #expect(attach?.models == ["a", "b"])
    #expect(attach?.creditJobs == 2)
    #expect(attach?.creditBytes == 1_000)
    #expect(attach?.held.isEmpty == true)
  }

  @Test mutating func assignmentStartsItsJob() {
    worker.attach()
    let assignment = worker.assignment(1)
    #expect(worker.assign(assignment) == [.start(assignment)])
  }

  @Test mutating func reattachListsWhatIsHeldAndSendsWhatWasNotRecorded() {
    worker.attach()
    worker.assign(worker.assignment(1), worker.assignment(2))
    worker.end(2, .completed([7]))
    worker.handle(.disconnected)
    let messages = worker.handle(.connected(models: ["m"])).messages
    #expect(messages.first?.attach.held.map(\.jobID) == [1, 2])
    #expect(messages.dropFirst().flatMap(\.outcomes).map(\.lease.jobID) == [2])
    #expect(messages.last?.outcomes.first?.completed == .init([7]))
  }

  @Test mutating func outcomeReachedWhileTheQueueIsAwayIsKept() {
    worker.attach()
    worker.assign(worker.assignment(1))
    worker.handle(.disconnected)
    #expect(worker.end(1, .completed([1])).isEmpty)
    let messages = worker.handle(.connected(models: ["m"])).messages
    #expect(messages.flatMap(\.outcomes).map(\.lease.jobID) == [1])
  }

  @Test mutating func recordedOutcomesAreNotSentAgain() {
    worker.attach()
    worker.assign(worker.assignment(1))
    worker.end(1, .completed([1]))
    worker.handle(.received(.with { $0.recordedJobIds = [1] }))
    worker.handle(.disconnected)
    let messages = worker.handle(.connected(models: ["m"])).messages
    #expect(messages.flatMap(\.outcomes).isEmpty)
    #expect(messages.first?.attach.held.isEmpty == true)
  }

  @Test mutating func jobsThatTheQueueDoesNotAdoptAreDropped() {
    worker.attach()
    worker.assign(worker.assignment(1), worker.assignment(2))
    worker.handle(.disconnected)
    worker.handle(.connected(models: ["m"]))
    let actions = worker.receiveAttached(epoch: 2, adopted: [2])
    #expect(actions == [.cancel(worker.lease(1))])
    #expect(worker.session.runningJobs == 1)
  }

  @Test mutating func outcomeOfALeaseNotAdoptedIsStillOffered() {
    worker.attach()
    worker.assign(worker.assignment(1))
    worker.end(1, .completed([1]))
    worker.handle(.disconnected)
    worker.handle(.connected(models: ["m"]))
    worker.receiveAttached(epoch: 2, adopted: [])
    worker.handle(.disconnected)
    let messages = worker.handle(.connected(models: ["m"])).messages
    #expect(messages.flatMap(\.outcomes).map(\.lease.jobID) == [1])
  }

  @Test mutating func adoptedJobKeepsItsLeaseFromTheFormerEpoch() {
    worker.attach()
    worker.assign(worker.assignment(1))
    worker.handle(.disconnected)
    worker.handle(.connected(models: ["m"]))
    worker.receiveAttached(epoch: 2, adopted: [1])
    let sent = worker.end(1, .completed([1])).messages
    #expect(sent.first?.outcomes.first?.lease == worker.lease(1, epoch: 1))
  }

  // MARK: The fence

  @Test mutating func assignmentOfAnotherEpochIsIgnored() {
    worker.attach(epoch: 5)
    #expect(worker.assign(worker.assignment(1, epoch: 4)).isEmpty)
    #expect(worker.session.runningJobs == 0)
  }

  @Test mutating func repeatedAssignmentIsIgnored() {
    worker.attach()
    worker.assign(worker.assignment(1))
    #expect(worker.assign(worker.assignment(1)).isEmpty)
    #expect(worker.session.runningJobs == 1)
  }

  @Test mutating func newerAttemptTakesTheOlderOnesPlace() {
    worker.attach()
    worker.assign(worker.assignment(1))
    let newer = worker.assignment(1, attempt: 2)
    #expect(worker.assign(newer) == [.cancel(worker.lease(1)), .start(newer)])
    #expect(worker.end(1, .completed([1])).isEmpty, "the superseded attempt is not heard")
    #expect(worker.session.runningJobs == 1)
  }

  @Test mutating func olderAttemptDoesNotTakeTheNewerOnesPlace() {
    worker.attach()
    worker.assign(worker.assignment(1, attempt: 3))
    #expect(worker.assign(worker.assignment(1, attempt: 2)).isEmpty)
  }

  @Test mutating func revokedJobIsCancelledAndNotAnswered() {
    worker.attach()
    worker.assign(worker.assignment(1))
    let revoked = [worker.lease(1)]
    #expect(
      worker.handle(.received(.with { $0.revoked = revoked })) == [.cancel(worker.lease(1))])
    #expect(worker.end(1, .completed([1])).isEmpty)
  }

  @Test mutating func revocationOfAnOlderAttemptLeavesTheNewerAlone() {
    worker.attach()
    worker.assign(worker.assignment(1, attempt: 2))
    let revoked = [worker.lease(1, attempt: 1)]
    #expect(worker.handle(.received(.with { $0.revoked = revoked })).isEmpty)
    #expect(worker.session.runningJobs == 1)
  }

  // MARK: Credit

  @Test mutating func assignmentsBeyondTheJobCreditAreGivenBackUnspent() {
    worker.attach()
    let actions = worker.assign(
      worker.assignment(1), worker.assignment(2), worker.assignment(3))
    #expect(actions.messages.map { $0.released.map(\.jobID) } == [[3]])
    #expect(worker.session.runningJobs == 2)
  }

  @Test mutating func assignmentsBeyondTheByteCreditAreGivenBackUnspent() {
    worker.attach()
    let actions = worker.assign(worker.assignment(1, bytes: 600), worker.assignment(2, bytes: 401))
    #expect(actions.messages.map { $0.released.map(\.jobID) } == [[2]])
    #expect(worker.assign(worker.assignment(3, bytes: 400)).messages.isEmpty)
  }

  @Test mutating func oversizedJobIsTakenByAnIdleWorker() {
    worker.attach()
    let large = worker.assignment(1, bytes: 5_000)
    #expect(worker.assign(large) == [.start(large)])
  }

  // MARK: Progress

  @Test mutating func progressRenewsTheLeasesThatMovedAndNoOthers() {
    worker.attach()
    worker.assign(worker.assignment(1), worker.assignment(2))
    let sent = worker.handle(.progress(worker.lease(2))).messages
    #expect(sent.map { $0.progress.map(\.jobID) } == [[2]])
  }

  @Test mutating func withoutProgressNothingIsRenewedHoweverMuchTimePasses() {
    worker.attach()
    worker.assign(worker.assignment(1))
    worker.now = .seconds(3_600)
    #expect(worker.handle(.tick).isEmpty)
    #expect(worker.session.nextWake == nil)
  }

  @Test mutating func progressIsSentAtMostFourTimesAHeartbeat() {
    worker.attach()
    worker.assign(worker.assignment(1), worker.assignment(2))
    worker.handle(.progress(worker.lease(1)))
    worker.now += .milliseconds(100)
    #expect(worker.handle(.progress(worker.lease(1))).isEmpty)
    #expect(worker.handle(.progress(worker.lease(2))).isEmpty)
    #expect(worker.session.nextWake == .milliseconds(250))
    worker.now = .milliseconds(250)
    #expect(worker.handle(.tick).messages.map { $0.progress.map(\.jobID) } == [[1, 2]])
    #expect(worker.session.nextWake == nil)
  }

  @Test mutating func progressMadeWhileTheQueueWasAwayIsToldAfterReattaching() {
    worker.attach()
    worker.assign(worker.assignment(1))
    worker.handle(.disconnected)
    #expect(worker.handle(.progress(worker.lease(1))).isEmpty)
    worker.handle(.connected(models: ["m"]))
    let actions = worker.receiveAttached(epoch: 2, adopted: [1])
    #expect(actions.messages.map { $0.progress.map(\.jobID) } == [[1]])
  }

  @Test mutating func progressOfAJobThatEndedIsNotSent() {
    worker.attach()
    worker.assign(worker.assignment(1))
    worker.end(1, .completed([1]))
    #expect(worker.handle(.progress(worker.lease(1))).isEmpty)
  }

  // MARK: Outcomes

  @Test mutating func failureTravelsWithItsStatus() {
    worker.attach()
    worker.assign(worker.assignment(1))
    let failure = AttemptFailure.with {
      $0.status.code = 14
      $0.retryable = true
    }
    #expect(worker.end(1, .failed(failure)).messages.first?.outcomes.first?.failed == failure)
  }

  @Test mutating func oldestOutcomesAreGivenUpWhenTheQueueIsAwayForTooLong() {
    worker.attach()
    worker.assign(worker.assignment(1), worker.assignment(2))
    worker.handle(.disconnected)
    worker.end(2, .completed(Array(repeating: 0, count: 60)))
    worker.end(1, .completed(Array(repeating: 0, count: 60)))
    #expect(worker.session.outcomesDropped == 1)
    let messages = worker.handle(.connected(models: ["m"])).messages
    #expect(messages.flatMap(\.outcomes).map(\.lease.jobID) == [1])
  }

  // MARK: The end

  @Test mutating func idleWorkerEndsWithItsStream() {
    worker.attach()
    #expect(worker.handle(.shutdown) == [.send(.with { $0.draining = true })])
    #expect(worker.handle(.disconnected) == [.finish])
  }

  @Test mutating func workerThatIsNotAttachedEndsAtOnce() {
    #expect(worker.handle(.shutdown) == [.finish])
  }

  @Test mutating func whatWasOnItsWayAtTheEndIsGivenBack() {
    worker.attach()
    worker.handle(.shutdown)
    let actions = worker.assign(worker.assignment(1))
    #expect(actions.messages.map { $0.released.map(\.jobID) } == [[1]])
    #expect(!actions.contains(.finish))
    #expect(worker.handle(.received(.with { $0.recordedJobIds = [1] })).isEmpty)
    #expect(worker.handle(.disconnected) == [.finish])
  }

  @Test mutating func workerEndsWithoutTheStreamsEndWhenThatDoesNotCome() {
    worker.attach()
    worker.handle(.shutdown)
    #expect(worker.session.nextWake == .seconds(2))
    worker.now = .seconds(2)
    #expect(worker.handle(.tick) == [.finish])
  }

  @Test mutating func drainingWorkerTakesNothingNew() {
    worker.attach()
    worker.assign(worker.assignment(1))
    worker.handle(.shutdown)
    let actions = worker.assign(worker.assignment(2))
    #expect(actions.messages.map { $0.released.map(\.jobID) } == [[2]])
  }

  @Test mutating func shutdownWaitsForTheQueueToRecordTheLastOutcome() {
    worker.attach()
    worker.assign(worker.assignment(1))
    #expect(!worker.handle(.shutdown).contains(.finish))
    #expect(!worker.end(1, .completed([1])).contains(.finish))
    #expect(worker.handle(.received(.with { $0.recordedJobIds = [1] })).isEmpty)
    #expect(worker.handle(.disconnected) == [.finish])
  }

  @Test mutating func whatIsInWorkAfterTheGracePeriodIsReleased() {
    worker.attach()
    worker.assign(worker.assignment(1))
    worker.handle(.shutdown)
    #expect(worker.session.nextWake == .seconds(30))
    worker.now = .seconds(30)
    let actions = worker.handle(.tick)
    #expect(actions.first == .cancel(worker.lease(1)))
    #expect(actions.messages.map { $0.released } == [[worker.lease(1)]])
    #expect(worker.handle(.received(.with { $0.recordedJobIds = [1] })).isEmpty)
    #expect(worker.handle(.disconnected) == [.finish])
  }

  @Test mutating func secondSignalReleasesAtOnce() {
    worker.attach()
    worker.assign(worker.assignment(1))
    worker.handle(.shutdown)
    let actions = worker.handle(.shutdown)
    #expect(actions.messages.map { $0.released.map(\.jobID) } == [[1]])
    #expect(worker.end(1, .completed([1])).isEmpty, "what was given back is not answered")
  }

  @Test mutating func workerEndsWithoutTheQueuesAnswerWhenThatDoesNotCome() {
    worker.attach()
    worker.assign(worker.assignment(1))
    worker.handle(.releaseNow)
    #expect(worker.session.nextWake == .seconds(2))
    worker.now = .seconds(2)
    #expect(worker.handle(.tick) == [.finish])
  }

  @Test mutating func releaseIsRepeatedAfterReattaching() {
    worker.attach()
    worker.assign(worker.assignment(1))
    worker.handle(.disconnected)
    worker.handle(.releaseNow)
    let message = worker.handle(.connected(models: ["m"])).messages.first
    #expect(message?.released.map(\.jobID) == [1])
    #expect(message?.attach.held.map(\.jobID) == [1])
    #expect(message?.draining == true)
  }

  @Test mutating func drainByTheQueueFinishesWhatIsHeldWithoutATimeLimit() {
    worker.attach()
    worker.assign(worker.assignment(1))
    worker.handle(.received(.with { $0.drain = true }))
    #expect(worker.session.nextWake == nil)
    worker.end(1, .completed([1]))
    #expect(worker.handle(.received(.with { $0.recordedJobIds = [1] })).isEmpty)
    #expect(worker.handle(.disconnected) == [.finish])
  }

  @Test mutating func nothingHappensAfterTheEnd() {
    worker.attach()
    worker.handle(.shutdown)
    worker.handle(.disconnected)
    #expect(worker.assign(worker.assignment(1)).isEmpty)
    #expect(worker.handle(.connected(models: ["m"])).isEmpty)
    #expect(worker.session.nextWake == nil)
  }
}

/// A session with credit for 2 jobs or 1,000 bytes, a heartbeat of one second and a clock.
struct SessionDriver {
  var session: WorkerSession
  var now = Duration.zero

  init() {
    var configuration = WorkerConfiguration(workerID: "w-1")
    configuration.creditJobs = 2
    configuration.creditBytes = 1_000
    configuration.unsentOutcomeBytesMax = 100
    session = WorkerSession(configuration: configuration)
  }

  @discardableResult
  mutating func handle(_ event: WorkerSession.Event) -> [WorkerSession.Action] {
    session.handle(event, now: now)
  }

  mutating func attach(epoch: UInt64 = 1) {
    handle(.connected(models: ["m"]))
    receiveAttached(epoch: epoch, adopted: [])
  }

  @discardableResult
  mutating func receiveAttached(epoch: UInt64, adopted: [UInt64]) -> [WorkerSession.Action] {
    handle(
      .received(
        .with {
          $0.attached.epoch = epoch
          $0.attached.leaseMs = 30_000
          $0.attached.heartbeatMs = 1_000
          $0.attached.adoptedJobIds = adopted
        }))
  }

  @discardableResult
  mutating func assign(_ assignments: Assignment...) -> [WorkerSession.Action] {
    handle(.received(.with { $0.assignments = assignments }))
  }

  @discardableResult
  mutating func end(_ jobID: UInt64, _ end: WorkerSession.AttemptEnd) -> [WorkerSession.Action] {
    handle(.ended(lease(jobID), end))
  }

  func lease(_ jobID: UInt64, attempt: UInt32 = 1, epoch: UInt64 = 1) -> LeaseRef {
    .with {
      $0.jobID = jobID
      $0.attempt = attempt
      $0.epoch = epoch
    }
  }

  func assignment(_ jobID: UInt64, attempt: UInt32 = 1, epoch: UInt64 = 1, bytes: Int = 10)
    -> Assignment
  {
    .with {
      $0.lease = lease(jobID, attempt: attempt, epoch: epoch)
      $0.model = "m"
      $0.request = .init(count: bytes)
    }
  }
}

extension [WorkerSession.Action] {
  var messages: [WorkerMessage] {
    compactMap { if case .send(let message) = $0 { message } else { nil } }
  }
}
