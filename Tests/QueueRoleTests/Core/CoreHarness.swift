import Ledger
import RerankdProtocol
import SwiftProtobuf
import Testing

@testable import QueueRole

/// A core with a ledger in memory and a clock that moves when it is told to.
final class CoreHarness {
  private(set) var core: QueueCore
  var ledger = CoreLedger()
  var configuration: QueueConfiguration
  var nowMs: Int64 = 1_000_000
  var wallMs: Int64 = 1_790_000_000_000
  /// Reads stay unanswered until `answerReads`.
  var holdsReads = false
  private var heldReads: [(ReadTicket, LedgerRead)] = []
  private var seed: UInt64 = 1
  private var lastCall: UInt64 = 0

  static let models = [
    CatalogueModel(name: "m1", contextTokens: 512, reservedTokens: 0, images: false),
    CatalogueModel(name: "m2", contextTokens: 512, reservedTokens: 0, images: true),
  ]

  init(_ configure: (inout QueueConfiguration) -> Void = { _ in }) {
    var configuration = QueueConfiguration(models: Self.models)
    configure(&configuration)
    self.configuration = configuration
    core = QueueCore(
      configuration: configuration, recovered: ledger.reopen(), shard: 0,
      moment: Moment(monotonicMs: nowMs, wallMs: wallMs, seed: 1))
  }

  /// Applies one input, writes what it says and answers its reads; returns everything else, in
  /// order.
  @discardableResult
  func send(_ input: QueueInput) -> [QueueEffect] {
    var effects: [QueueEffect] = []
    seed += 1
    core.apply(
      input, at: Moment(monotonicMs: nowMs, wallMs: wallMs, seed: seed), into: &effects)
    var told: [QueueEffect] = []
    for effect in effects {
      switch effect {
      case .write(let write): ledger.take(write)
      case .read(let ticket, let read): heldReads.append((ticket, read))
      default: told.append(effect)
      }
    }
    #expect(ledger.violations == [])
    return holdsReads ? told : told + answerReads()
  }

  /// - Parameter inReverse: those that were asked last are answered first.
  func answerReads(inReverse: Bool = false) -> [QueueEffect] {
    var told: [QueueEffect] = []
    while !heldReads.isEmpty {
      let (ticket, read) = inReverse ? heldReads.removeLast() : heldReads.removeFirst()
      told += send(.read(ticket, ledger.answer(read)))
    }
    return told
  }

  /// Lets time pass and fires the timers that come due, each at its moment.
  @discardableResult
  func pass(ms: Int64) -> [QueueEffect] {
    let endMs = nowMs + ms
    var told: [QueueEffect] = []
    while let wakeMs = core.nextWakeMs, wakeMs <= endMs {
      move(to: max(wakeMs, nowMs))
      told += send(.tick)
    }
    move(to: endMs)
    return told
  }

  /// Lets time pass in which the process does not run.
  func stop(ms: Int64) { move(to: nowMs + ms) }

  private func move(to ms: Int64) {
    wallMs += ms - nowMs
    nowMs = ms
  }

  /// Kills the process and starts another from the ledger.
  func restart() {
    heldReads = []
    core = QueueCore(
      configuration: configuration, recovered: ledger.reopen(), shard: 0,
      moment: Moment(monotonicMs: nowMs, wallMs: wallMs, seed: seed))
  }

  func call(peer: UInt64 = 1) -> CallRef {
    lastCall += 1
    return CallRef(peer: PeerID(rawValue: peer), call: lastCall)
  }

  func state(_ id: JobID) -> JobStateRecord? { ledger.job(id)?.record.state }

  // What most tests do.

  func submitted(_ jobs: [Submission]) throws -> [SubmitOutcome] {
    let ref = call()
    return try send(.submit(ref, jobs)).answer(to: ref, SubmitResponse.self).outcomes
  }

  func submit(_ job: NewJob) throws -> JobID {
    let outcome = try #require(try submitted([.valid(job)]).first)
    #expect(!outcome.hasError, "\(outcome.error.message)")
    return JobID(rawValue: outcome.jobID)
  }

  @discardableResult
  func attach(
    _ workerID: String = "w1", models: [String] = ["m1"], jobs: Int = 8, bytes: Int = 1 << 20,
    held: [Lease] = [], process: UInt32 = 1, peer: UInt64 = 10
  ) -> (call: CallRef, effects: [QueueEffect]) {
    let ref = call(peer: peer)
    let request = AttachRequest(
      workerID: workerID, models: models, creditJobs: jobs, creditBytes: bytes, held: held,
      version: "1", host: "h", processID: process)
    return (ref, send(.attach(ref, request)))
  }

  @discardableResult
  func complete(_ worker: CallRef, _ lease: Lease, _ result: [UInt8] = [7]) -> [QueueEffect] {
    send(.work(worker, WorkReport(outcomes: [(lease, .completed(result))])))
  }

  @discardableResult
  func fail(
    _ worker: CallRef, _ lease: Lease, code: StatusCode = .unavailable, retryable: Bool = true,
    retryAfterMs: Int64? = nil, unspent: Bool = false, fault: BackendFault = .none,
    scores: [UInt8]? = nil
  ) -> [QueueEffect] {
    let failure = WorkFailure(
      code: code.rawValue, message: "backend said no", retryable: retryable,
      retryAfterMs: retryAfterMs, isUnspent: unspent, fault: fault, partialScores: scores)
    return send(.work(worker, WorkReport(outcomes: [(lease, .failed(failure))])))
  }

  func consumer(tenant: String = "t", channel: String = "c", credit: UInt32) -> (
    call: CallRef, effects: [QueueEffect]
  ) {
    let ref = call(peer: 20)
    send(.receive(ref, tenant: tenant, channel: channel))
    return (ref, send(.receiveMore(ref, credit: credit, acknowledged: [])))
  }

  func status() throws -> StatusResponse {
    let ref = call()
    return try send(.status(ref)).answer(to: ref, StatusResponse.self)
  }

  func details(_ id: JobID, withRequest: Bool = false, withAttempts: Bool = false) throws
    -> JobDetails
  {
    let ref = call()
    let effects = send(
      .get(ref, .id(id), withRequest: withRequest, withAttempts: withAttempts))
    return try effects.answer(to: ref, JobDetails.self)
  }
}

extension NewJob {
  init(
    model: String = "m1", tenant: String = "t", priority: Int32 = 0, key: String? = nil,
    hash: [UInt8] = [1], channel: String? = nil, replyTo: String? = nil, notBeforeMs: Int64? = nil,
    deadlineMs: Int64? = nil, maxAttempts: UInt32? = nil, fallback: Bool = false,
    bytes: Int = 10
  ) {
    self.init(
      model: model, tenant: tenant, priority: priority, idempotencyKey: key,
      payloadHash: key == nil ? nil : hash, replyChannel: channel, replyTo: replyTo,
      traceparent: nil, notBeforeMs: notBeforeMs, deadlineMs: deadlineMs,
      maxAttempts: maxAttempts, allowFallback: fallback, body: Array(repeating: 1, count: bytes))
  }
}

/// What a test looks for among effects.
extension [QueueEffect] {
  func answer<Answer: Message>(to call: CallRef, _ type: Answer.Type) throws -> Answer {
    let answers = compactMap { effect -> Answer? in
      if case .answer(call, let message) = effect { message as? Answer } else { nil }
    }
    try #require(answers.count == 1, "one answer, not \(self)")
    return answers[0]
  }

  func failure(of call: CallRef) -> CallError? {
    for case .fail(call, let error) in self { return error }
    return nil
  }

  var assigned: [Lease] {
    flatMap { effect -> [Lease] in
      if case .assign(_, let orders) = effect { orders.map(\.lease) } else { [] }
    }
  }

  func assigned(to call: CallRef) -> [Lease] {
    filter { if case .assign(call, _) = $0 { true } else { false } }.assigned
  }

  func delivered(to call: CallRef) -> [DeliveryOrder] {
    flatMap { effect -> [DeliveryOrder] in
      if case .deliver(call, let orders) = effect { orders } else { [] }
    }
  }

  func notices(to call: CallRef) -> [WorkerNotice] {
    compactMap { effect in
      if case .workerNotice(call, let notice) = effect { notice } else { nil }
    }
  }

  func recorded(by call: CallRef) -> [JobID] { notices(to: call).flatMap(\.recorded) }
  func revoked(from call: CallRef) -> [Lease] { notices(to: call).flatMap(\.revoked) }

  func granted(to call: CallRef) -> [UInt64] { notices(to: call).flatMap(\.granted).map(\.id) }
  func refused(to call: CallRef) -> [UInt64] { notices(to: call).flatMap(\.refused).map(\.id) }

  var orders: [AssignmentOrder] {
    flatMap { effect -> [AssignmentOrder] in
      if case .assign(_, let orders) = effect { orders } else { [] }
    }
  }

  func isFinished(_ call: CallRef) -> Bool {
    contains { if case .finish(call) = $0 { true } else { false } }
  }
}
