import RerankdProtocol
import SwiftProtobuf
import Testing

/// What the checker of the load tests finds, each in a ledger that is right but for one thing.
@Suite struct JobHistoryTests {
  /// One job that a producer sent and was acknowledged, a consumer was told of, and the ledger has.
  private func told() throws -> (history: JobHistory, job: JobDetails) {
    var result = RerankResult()
    for (index, score) in [(1, 0.5), (0, 0.25)] as [(UInt32, Float)] {
      var document = RankedDocument()
      (document.index, document.relevanceScore) = (index, score)
      result.results.append(document)
    }
    var job = JobDetails()
    job.jobID = 7
    job.state = .succeeded
    job.spec.idempotencyKey = "a"
    job.spec.replyChannel = "c"
    job.spec.maxAttempts = 5
    (job.attempts, job.attemptsSpent, job.workersLost) = (2, 2, 1)
    for (number, end) in [(1, .lost), (2, .succeeded)] as [(UInt32, AttemptEnd)] {
      var attempt = AttemptRecord()
      (attempt.attempt, attempt.end) = (number, end)
      job.attemptRecords.append(attempt)
    }
    (job.outcome.jobID, job.outcome.state, job.outcome.attempts) = (7, .succeeded, 2)
    job.outcome.result = try result.serializedData()

    let history = JobHistory()
    try history.willSend(.make(key: "a", channel: "c"))
    var acknowledgement = SubmitOutcome()
    acknowledgement.jobID = 7
    try history.note([acknowledgement], of: ["a"])
    try history.note(job.outcome)
    return (history, job)
  }

  @Test func ledgerThatAgreesHasNoProblem() throws {
    let (history, job) = try told()
    #expect(history.problems(with: [job]) == [])
  }

  private static let damages: [(problem: String, make: @Sendable (inout JobDetails) -> Void)] = [
    ("it is \(JobState.leased)", { $0.state = .leased }),
    ("ended as \(JobState.dead)", { ($0.state, $0.outcome.state) = (.dead, .dead) }),
    ("its attempts ended", { $0.attemptRecords[0].end = .succeeded }),
    ("there are [1, 3]", { $0.attemptRecords[1].attempt = 3 }),
    ("6 attempts of 5", { $0.attemptsSpent = 6 }),
    ("2 workers were lost", { $0.workersLost = 2 }),
    ("of 2 documents", { $0.outcome.result.removeAll() }),
    ("it was delivered as", { $0.outcome.tenant = "another" }),
    ("was sent by nobody", { $0.spec.idempotencyKey = "b" }),
  ]

  @Test(arguments: damages.indices)
  func ledgerThatDiffersIsFound(_ index: Int) throws {
    let (history, right) = try told()
    var job = right
    let (problem, make) = Self.damages[index]
    make(&job)
    let found = history.problems(with: [job])
    #expect(found.contains { $0.contains(problem) }, "\(found)")
  }

  @Test func jobMayEndAsItsOwnLimitsHaveIt() throws {
    let (_, right) = try told()
    var dead = right
    (dead.state, dead.outcome.state) = (.dead, .dead)
    dead.attemptRecords[1].end = .failed
    for attemptsMax in [0, 2, 3] as [UInt32] {
      let history = JobHistory()
      try history.willSend(.make(key: "a", channel: "c") { $0.spec.maxAttempts = attemptsMax })
      try history.note(dead.outcome)
      #expect(history.problems(with: [dead]).isEmpty == (attemptsMax == 2))
    }
  }

  @Test func keyOfTwoJobsIsFound() throws {
    let (history, job) = try told()
    var second = job
    (second.jobID, second.outcome.jobID) = (8, 8)
    #expect(history.problems(with: [job, second]).contains { $0.contains("is job 7 and job 8") })
  }

  @Test func jobThatIsGoneIsFound() throws {
    let (history, _) = try told()
    #expect(history.problems(with: []).contains { $0.contains("acknowledged as job 7") })
  }

  @Test func whoWasToldOtherwiseIsFound() throws {
    let (history, job) = try told()
    history.note(answer: [], of: "a")
    history.willCancel(7)
    history.note(cancelled: 7, nowIs: .cancelled)
    let found = history.problems(with: [job])
    #expect(found.count == 2, "\(found)")
    var other = job.outcome
    other.attempts = 3
    #expect(throws: BrokenPromise.self) { try history.note(other) }
  }
}
