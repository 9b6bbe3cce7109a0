import AccessKeys
import Ledger
import RerankdProtocol
import SwiftProtobuf
import Testing

@testable import QueueRole

@Suite struct ShellDecoderTests {
  private func inputs(
    _ method: RerankdProtocol.Method, _ message: some Message, isFirst: Bool = true
  ) throws -> [QueueInput] {
    try Sample.decoder.inputs(
      Sample.call, method, try message.serializedBytes(), isFirst: isFirst)
  }

  private func refusal(
    _ method: RerankdProtocol.Method, _ message: some Message, isFirst: Bool = true
  ) throws -> CallError? {
    do {
      _ = try inputs(method, message, isFirst: isFirst)
      return nil
    } catch let error as CallError {
      return error
    }
  }

  @Test func jobsOfOneSubmitAreJudgedOneByOne() throws {
    let message = try Sample.submit(
      Sample.job(), Sample.job { $0.priority = 500 }, Sample.job())
    let inputs = try Sample.decoder.inputs(Sample.call, .submit, message, isFirst: true)
    guard case .submit(Sample.call, let jobs) = inputs.first else {
      Issue.record("no submit")
      return
    }
    #expect(jobs.map { $0.job != nil } == [true, false, true])
    #expect(jobs[1].fields == ["jobs[1].spec.priority"])
  }

  @Test func submitTakesOneToTheMostJobs() throws {
    #expect(try refusal(.submit, SubmitRequest())?.details.violations.first?.field == "jobs")
    var many = SubmitRequest()
    many.jobs = Array(repeating: try Sample.job(), count: 4)
    #expect(try refusal(.submit, many)?.code == .invalidArgument)
  }

  @Test func rerankNeedsAJob() throws {
    #expect(try refusal(.rerank, RerankCall())?.details.violations.first?.field == "job")
    var call = RerankCall()
    call.job = try Sample.job()
    call.cancelWithCall = true
    guard case .rerank(_, let submission, cancelWithCall: true) = try inputs(.rerank, call).first
    else {
      Issue.record("no rerank")
      return
    }
    #expect(submission.job?.model == Sample.model)
  }

  @Test func getNamesAJobByIdOrKey() throws {
    #expect(try refusal(.get, GetRequest())?.code == .invalidArgument)
    var request = GetRequest()
    request.key.idempotencyKey = "k"
    guard
      case .get(_, let selector, withRequest: false, withAttempts: false, of: .all)? =
        try inputs(.get, request).first
    else {
      Issue.record("no get")
      return
    }
    #expect(selector == .key(tenant: "default", key: "k"))
  }

  @Test func listTakesOneHundredUnlessToldOtherwise() throws {
    guard case .listJobs(_, let filter, _)? = try inputs(.listJobs, ListJobsRequest()).first else {
      Issue.record("no list")
      return
    }
    #expect(filter == JobFilter(limit: 100))
    var request = ListJobsRequest()
    request.limit = 1_001
    #expect(try refusal(.listJobs, request)?.details.violations.first?.field == "limit")
    request.limit = 0
    request.states = [.ready, .UNRECOGNIZED(99)]
    #expect(try refusal(.listJobs, request)?.details.violations.first?.field == "states[1]")
  }

  @Test func consumerNamesItsChannelFirst() throws {
    var request = ReceiveRequest()
    request.channel = "answers"
    request.credit = 1_000_000
    let first = try inputs(.receive, request)
    guard first.count == 2, case .receive(_, tenant: "default", channel: "answers") = first[0],
      case .receiveMore(_, let credit, let acknowledged) = first[1]
    else {
      Issue.record("\(first)")
      return
    }
    #expect(credit == Sample.limits.deliveryCreditMax)
    #expect(acknowledged.isEmpty)
    #expect(try refusal(.receive, ReceiveRequest())?.code == .invalidArgument)
    var acknowledgement = ReceiveRequest()
    acknowledgement.acknowledged = [Acknowledgement(JobID(rawValue: 5), 2)]
    guard
      case .receiveMore(_, credit: 0, let named)? =
        try inputs(.receive, acknowledgement, isFirst: false).first,
      named == acknowledgement.acknowledged
    else {
      Issue.record("no acknowledgement")
      return
    }
  }

  private var attach: WorkerMessage {
    var message = WorkerMessage()
    message.attach.workerID = "w1"
    message.attach.models = [Sample.model]
    message.attach.creditJobs = 1_000_000
    message.attach.creditBytes = .max
    return message
  }

  @Test func workerAttachesWithBoundedCredit() throws {
    guard case .attach(_, let request)? = try inputs(.attach, attach).first else {
      Issue.record("no attach")
      return
    }
    #expect(request.workerID == "w1")
    #expect(request.creditJobs == Sample.limits.workerCreditJobsMax)
    #expect(request.creditBytes == Sample.limits.workerCreditBytesMax)
  }

  @Test func attachComesFirstAndOnce() throws {
    #expect(try refusal(.attach, WorkerMessage())?.details.violations.first?.field == "attach")
    #expect(
      try refusal(.attach, attach, isFirst: false)?.details.violations.first?.field == "attach")
  }

  @Test func attachIsChecked() throws {
    let spoil: [(inout Attach) -> Void] = [
      { $0.workerID = "" }, { $0.workerID = "wörker" }, { $0.models = [] },
      { $0.models = [""] }, { $0.creditJobs = 0 }, { $0.creditBytes = 0 },
    ]
    for change in spoil {
      var message = attach
      change(&message.attach)
      #expect(try refusal(.attach, message)?.code == .invalidArgument)
    }
  }

  @Test func workerReportKeepsOutcomesAndLeases() throws {
    var message = WorkerMessage()
    var lease = LeaseRef()
    (lease.jobID, lease.attempt, lease.epoch) = (9, 2, 4)
    message.progress = [lease]
    message.released = [lease]
    message.draining = true
    var completed = AttemptOutcome()
    completed.lease = lease
    completed.completed = .init([1, 2, 3])
    var failed = AttemptOutcome()
    failed.lease = lease
    failed.failed.status.code = StatusCode.unavailable.rawValue
    failed.failed.status.details.retryAfterMs = 50
    failed.failed.retryable = true
    message.outcomes = [completed, failed]
    guard case .work(_, let report)? = try inputs(.attach, message, isFirst: false).first else {
      Issue.record("no report")
      return
    }
    let expected = Lease(job: JobID(rawValue: 9), attempt: 2, epoch: 4)
    #expect(report.progress == [expected])
    #expect(report.released == [expected])
    #expect(report.draining)
    #expect(report.outcomes.map(\.lease) == [expected, expected])
    guard case .completed([1, 2, 3]) = report.outcomes[0].end,
      case .failed(let failure) = report.outcomes[1].end
    else {
      Issue.record("\(report)")
      return
    }
    #expect(failure.code == StatusCode.unavailable.rawValue)
    #expect(failure.retryable)
    #expect(failure.retryAfterMs == 50)
  }

  @Test func permitsRenewalsAndPartialScoresAreRead() throws {
    var message = WorkerMessage()
    message.permitRequests = [
      .with {
        $0.permitID = 4
        $0.backend = "hub"
        $0.tokens = .max
        $0.jobID = 9
      }
    ]
    message.permitReports = [
      .with {
        $0.permitID = 3
        $0.fault = .rateLimited
        $0.retryAfterMs = 70
        $0.message = "429"
      },
      .with {
        $0.permitID = 2
        $0.unused = true
      },
      .with {
        $0.permitID = 1
        $0.unfinished = true
      },
    ]
    message.renewedCredentials = ["hub"]
    var failed = AttemptOutcome()
    failed.lease.jobID = 9
    failed.failed.unspent = true
    failed.failed.fault = .credentialsRefused
    failed.failed.partialScores = .init([1, 2])
    message.outcomes = [failed]
    guard case .work(_, let report)? = try inputs(.attach, message, isFirst: false).first,
      case .failed(let failure)? = report.outcomes.first?.end
    else {
      Issue.record("no report")
      return
    }
    #expect(
      report.permitsAsked == [
        PermitAsk(id: 4, backend: "hub", tokens: .max, job: JobID(rawValue: 9))
      ])
    #expect(
      report.permitsEnded == [
        PermitEnd(id: 3, fault: .rateLimited, retryAfterMs: 70, message: "429"),
        PermitEnd(id: 2, isUnused: true), PermitEnd(id: 1, isUnfinished: true),
      ])
    #expect(report.renewedCredentials == ["hub"])
    #expect(failure.isUnspent && failure.fault == .credentialsRefused)
    #expect(failure.partialScores == [1, 2] && !failure.hasDroppedScores)
  }

  @Test func partialScoresOverTheLimitAreDropped() throws {
    var limits = Sample.limits
    limits.partialScoresBytesMax = 3
    let decoder = CallDecoder(limits: limits, takesImages: [:])
    var message = WorkerMessage()
    var outcome = AttemptOutcome()
    outcome.lease.jobID = 1
    outcome.failed.partialScores = .init(repeating: 0, count: 4)
    message.outcomes = [outcome]
    let inputs = try decoder.inputs(
      Sample.call, .attach, try message.serializedBytes(), isFirst: false)
    guard case .work(_, let report)? = inputs.first,
      case .failed(let failure)? = report.outcomes.first?.end
    else {
      Issue.record("\(inputs)")
      return
    }
    #expect(failure.partialScores == nil && failure.hasDroppedScores)
  }

  @Test func backendToPauseHasAName() throws {
    var request = SetBackendPausedRequest()
    #expect(
      try refusal(.setBackendPaused, request)?.details.violations.first?.field == "backend")
    request.backend = "hub"
    request.paused = true
    guard
      case .setBackendPaused(_, backend: "hub", true)? =
        try inputs(.setBackendPaused, request).first
    else {
      Issue.record("no pause")
      return
    }
  }

  @Test func largeResultEndsItsJobInsteadOfTheStream() throws {
    var limits = Sample.limits
    limits.resultBytesMax = 10
    let decoder = CallDecoder(limits: limits, takesImages: [:])
    var message = WorkerMessage()
    var outcome = AttemptOutcome()
    outcome.lease.jobID = 1
    outcome.completed = .init(repeating: 0, count: 11)
    message.outcomes = [outcome]
    let inputs = try decoder.inputs(
      Sample.call, .attach, try message.serializedBytes(), isFirst: false)
    guard case .work(_, let report)? = inputs.first,
      case .failed(let failure)? = report.outcomes.first?.end
    else {
      Issue.record("\(inputs)")
      return
    }
    #expect(!failure.retryable)
    #expect(failure.code == StatusCode.resourceExhausted.rawValue)
  }

  @Test func randomMessagesEndInInputsOrAnError() throws {
    var random = SplitMix64(seed: 3)
    for method in RerankdProtocol.Method.allCases {
      for _ in 0..<500 {
        let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
          UInt8.random(in: .min ... .max, using: &random)
        }
        let isFirst = Bool.random(using: &random)
        do {
          _ = try Sample.decoder.inputs(Sample.call, method, bytes, isFirst: isFirst)
        } catch {
          #expect([.invalidArgument, .notFound].contains(error.code), "\(error)")
        }
      }
    }
  }

  @Test func bareGarbageIsRefusedWithItsBeginning() {
    let input = Sample.decoder.bare(Array(repeating: 0xFF, count: 1_000))
    guard case .bare(let submission, let excerpt) = input else {
      Issue.record("no bare job")
      return
    }
    #expect(submission.error?.code == .invalidArgument)
    #expect(excerpt.count == Sample.limits.excerptBytesMax)
  }
}
