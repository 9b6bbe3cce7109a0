import RerankdClient
import RerankdProtocol
import TestSupport

extension JobHistory {
  /// Holds the ledger to what everybody was told, once everything has ended.
  ///
  /// - Returns: how many jobs there are.
  /// - Throws: ``BrokenPromise`` with everything that is wrong.
  @discardableResult
  func verify(against client: QueueClient) async throws -> Int {
    var jobs: [JobDetails] = []
    for listed in try await listing(client) { jobs.append(try await whole(listed, client)) }
    let problems = problems(with: jobs)
    guard problems.isEmpty else {
      throw BrokenPromise(
        "\(problems.count) problems:\n" + problems.prefix(50).joined(separator: "\n"))
    }
    return jobs.count
  }

  /// What is wrong: each acknowledged job must be there and have ended once, nobody may have been told
  /// anything else, and there must be no job that nobody sent.
  ///
  /// Where a job did not say how many attempts or how much time it has, so many and so much are taken
  /// for granted that nothing but success is a right end, unless somebody cancelled it.
  ///
  /// - Parameter jobs: all that the ledger has, with their attempts.
  func problems(with jobs: [JobDetails]) -> [String] {
    let record = record
    var problems: [String] = []
    var ids: [String: UInt64] = [:]
    for job in jobs {
      let key = job.spec.idempotencyKey
      guard let sent = record.sent[key] else {
        problems.append("job \(job.jobID), \"\(key)\", was sent by nobody")
        continue
      }
      if let other = ids.updateValue(job.jobID, forKey: key) {
        problems.append("\(key) is job \(other) and job \(job.jobID)")
      }
      let wrong = Self.problems(of: job, sent) + differences(job, sent, record)
      problems += wrong.map { "\(key), job \(job.jobID): \($0)" }
    }
    for (key, id) in record.acknowledged where ids[key] != id {
      problems.append("\(key) was acknowledged as job \(id), and is not in the ledger")
    }
    let known = Set(ids.values)
    for id in Set(record.delivered.keys).union(record.printed.keys) where !known.contains(id) {
      problems.append("job \(id) was delivered, and is not in the ledger")
    }
    for key in record.answered.keys where ids[key] == nil {
      problems.append("\(key) was answered, and is not in the ledger")
    }
    return problems
  }

  /// Every job, without its attempts.
  private func listing(_ client: QueueClient) async throws -> [JobDetails] {
    var request = ListJobsRequest()
    request.limit = 1_000
    var jobs: [JobDetails] = []
    repeat {
      let page = try await client.jobs(request)
      jobs += page.jobs
      request.beforeJobID = page.nextBeforeJobID
    } while request.beforeJobID != 0
    return jobs
  }

  /// The last acknowledgements of deliveries may still be on their way.
  private func whole(_ listed: JobDetails, _ client: QueueClient) async throws -> JobDetails {
    let id = JobID(rawValue: listed.jobID)
    if !listed.spec.replyChannel.isEmpty {
      try await eventually("the acknowledgement of job \(id)") {
        try await client.job(id).delivery == .acknowledged
      }
    }
    return try await client.job(id, withAttempts: true)
  }

  /// What is wrong with a job by itself.
  private static func problems(of job: JobDetails, _ sent: Sent) -> [String] {
    let outcome = job.outcome
    guard job.state.isTerminal else {
      return ["it is \(job.state): \(outcome.error.message); \(job.attemptRecords)"]
    }
    var problems: [String] = []
    func require(_ holds: Bool, _ problem: @autoclosure () -> String) {
      if !holds { problems.append(problem()) }
    }
    require(outcome.jobID == job.jobID && outcome.state == job.state, "its outcome is \(outcome)")
    require(outcome.attempts == job.attempts, "\(job.attempts) attempts, and \(outcome.attempts)")

    let attempts = job.attemptRecords.sorted { $0.attempt < $1.attempt }
    let ofEach = Dictionary(grouping: attempts, by: \.end).mapValues(\.count)
    let succeeded = ofEach[.succeeded] ?? 0
    let lost = ofEach[.lost] ?? 0
    require(
      attempts.map(\.attempt) == Array(1..<job.attempts + 1),
      "of \(job.attempts) attempts there are \(attempts.map(\.attempt))")
    require(
      succeeded == (job.state == .succeeded ? 1 : 0)
        && (succeeded == 0 || attempts.last?.end == .succeeded),
      "its attempts ended as \(attempts.map(\.end))")
    require(
      job.attemptsSpent <= job.spec.maxAttempts
        && job.attemptsSpent <= succeeded + lost + (ofEach[.failed] ?? 0)
        && job.attemptsSpent >= succeeded,
      "\(job.attemptsSpent) attempts of \(job.spec.maxAttempts) were spent by \(ofEach)")
    require(job.workersLost <= lost, "\(job.workersLost) workers were lost in \(lost) attempts")

    guard job.state == .succeeded else { return problems }
    let results = (try? outcome.rankedResult().results) ?? []
    require(
      results.map(\.index).sorted() == (0..<UInt32(sent.documents)).map(\.self),
      "of \(sent.documents) documents it ranks \(results.map(\.index))")
    require(
      zip(results, results.dropFirst()).allSatisfy { $0.relevanceScore >= $1.relevanceScore },
      "its scores are \(results.map(\.relevanceScore))")
    return problems
  }

  /// What somebody was told otherwise, or was not told.
  private func differences(_ job: JobDetails, _ sent: Sent, _ record: Record) -> [String] {
    var problems: [String] = []
    let cancelled = record.cancelled[job.jobID]
    if !Self.isRightEnd(of: job, sent, wasCancelled: cancelled != nil) {
      problems.append(
        "it ended as \(job.state): \(job.outcome.error.message); \(job.attemptRecords)")
    }
    if let said = cancelled ?? nil, said != job.state {
      problems.append("a cancel was answered with \(said), and it is \(job.state)")
    }
    if let delivered = record.delivered[job.jobID], delivered != job.outcome {
      problems.append("it was delivered as \(delivered), and is \(job.outcome)")
    }
    let ranking = (try? job.outcome.rankedResult().results) ?? []
    let key = job.spec.idempotencyKey
    for told in [record.printed[job.jobID], record.answered[key]] {
      if let told, told != ranking { problems.append("told as \(told), and is \(ranking)") }
    }
    if sent.hasChannel, !record.isTold(job.jobID) {
      problems.append("nobody was told its outcome")
    }
    return problems
  }

  private static func isRightEnd(
    of job: JobDetails, _ sent: Sent, wasCancelled: Bool
  ) -> Bool {
    switch job.state {
    case .succeeded: true
    case .cancelled: wasCancelled
    case .expired: sent.spec.deadlineMs > 0
    case .dead:
      // Its attempts were used up, or the next would have come too late.
      sent.spec.maxAttempts > 0 && job.attemptsSpent == sent.spec.maxAttempts
        || sent.spec.deadlineMs > 0
          && job.outcome.error.code == StatusCode.deadlineExceeded.rawValue
    default: false
    }
  }
}
