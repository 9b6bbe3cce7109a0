import RerankdProtocol
import SwiftProtobuf

@testable import QueueRole

/// A producer: it submits jobs until it is told that they are there, waits for some of them, asks
/// after others and cancels a few. Jobs with a key are asked for again after a broken connection,
/// perhaps while the first call is still under way on it.
final class ProducerModel: LinkClient {
  fileprivate enum Request {
    case submit([NewJob])
    case rerank(NewJob, cancelsWithCall: Bool)
    case get
    case cancel
  }

  private unowned let world: World
  private var draw: Draw
  private var link: Link?
  private var requests: [CallRef: Request] = [:]
  /// Not sent yet, or to be sent again.
  private var waiting: [Request] = []
  private var known: [JobID] = []
  private var lastBody = 0
  private let index: Int

  init(_ world: World, index: Int) {
    self.world = world
    self.index = index
    draw = Draw(seed: world.scenario.seed, stream: UInt64(300 + index))
  }

  var isSettled: Bool { requests.isEmpty && waiting.isEmpty }

  func start() {
    connect()
    act()
  }

  /// Nothing new comes; what was to be asked again is asked again until it is answered.
  func heal() { askAgain() }

  private func askAgain() {
    world.after(200) { [self] in
      while link != nil, !waiting.isEmpty { send(waiting.removeFirst()) }
      askAgain()
    }
  }

  private func connect() {
    guard link == nil else { return }
    link = world.host.connect(self)
    guard link != nil else {
      world.after(Int64(50 + draw.pick(300))) { [self] in connect() }
      return
    }
    let again = waiting
    waiting = []
    for request in again { send(request) }
  }

  func lose(_ lost: Link) {
    guard lost === link else { return }
    link = nil
    for call in requests.keys.sorted(by: { $0.call < $1.call }) {
      guard let request = requests.removeValue(forKey: call) else { continue }
      if let again = request.again { waiting.append(again) }
    }
    world.after(Int64(10 + draw.pick(150))) { [self] in connect() }
  }

  private func act() {
    world.after(Int64(20 + draw.pick(260))) { [self] in
      guard world.isFaulty else { return }
      switch draw.pick(20) {
      case 0..<11: send(.submit((0..<1 + draw.pick(3)).map { _ in newJob() }))
      case 11..<14: send(.rerank(newJob(), cancelsWithCall: draw.chance(50)))
      case 14..<17: send(.get)
      case 17: if world.has(.operators) { send(.cancel) }
      case 18: endRerank()
      default: if world.has(.brokenLinks), draw.chance(30) { link?.shatter() }
      }
      act()
    }
  }

  private func newJob() -> NewJob {
    lastBody += 1
    let isKeyed = draw.chance(40)
    // One key stands for one payload, but for a producer that makes a mistake.
    let name = draw.pick(24)
    let size = draw.chance(10) ? 300 + draw.pick(500) : 8 + draw.pick(100)
    let head = Array("\(index)/\(lastBody)/".utf8)
    return NewJob(
      model: draw.among(["m1", "m2"]), tenant: draw.among(World.tenants),
      priority: Int32(draw.pick(7)) - 3, idempotencyKey: isKeyed ? "k\(name)" : nil,
      payloadHash: isKeyed ? [UInt8(name), draw.chance(95) ? 0 : 1] : nil,
      replyChannel: draw.chance(60) ? draw.among(World.channels) : nil, replyTo: nil,
      traceparent: nil, notBeforeMs: draw.chance(10) ? Int64(draw.pick(2_000)) : nil,
      deadlineMs: draw.chance(12) ? Int64(1 + draw.pick(8_000)) : nil,
      maxAttempts: draw.chance(50) ? UInt32(1 + draw.pick(5)) : nil,
      allowFallback: draw.chance(30),
      body: head + Array(repeating: UInt8(lastBody % 256), count: max(0, size - head.count)))
  }

  private func send(_ request: Request) {
    guard let link else {
      if let again = request.again { waiting.append(again) }
      return
    }
    let call = link.newCall()
    requests[call] = request
    switch request {
    case .submit(let jobs):
      link.send(call, .submit(call, jobs.map(Submission.valid)), opens: true)
    case .rerank(let job, let cancels):
      link.send(call, .rerank(call, .valid(job), cancelWithCall: cancels), opens: true)
    case .get:
      guard let id = draw.any(known) else { return requests[call] = nil }
      link.send(
        call, .get(call, .id(id), withRequest: draw.chance(20), withAttempts: draw.chance(30)),
        opens: true)
    case .cancel:
      guard let id = draw.any(known) else { return requests[call] = nil }
      link.send(call, .cancel(call, id), opens: true)
    }
    if world.has(.duplicates), let again = request.again, draw.chance(10) { waiting.append(again) }
  }

  private func endRerank() {
    let calls = requests.keys.sorted { $0.call < $1.call }.filter {
      if case .rerank = requests[$0] { true } else { false }
    }
    guard let call = draw.any(calls) else { return }
    requests[call] = nil
    link?.send(call, .callEnded(call))
  }

  func take(_ envelope: Envelope, on from: Link) {
    let call = CallRef(peer: from.peer, call: envelope.callID)
    guard from === link, case .status(let status, let payload) = envelope.body,
      let request = requests.removeValue(forKey: call), status.code == 0
    else { return }
    do {
      try take(payload ?? [], for: request)
    } catch {
      world.fail("a producer cannot read its answer: \(error)")
    }
    if !waiting.isEmpty, draw.chance(50) { send(waiting.removeFirst()) }
  }

  private func take(_ payload: [UInt8], for request: Request) throws {
    switch request {
    case .submit(let jobs):
      let outcomes = try SubmitResponse(serializedBytes: payload).outcomes
      guard outcomes.count == jobs.count else {
        return world.fail("\(outcomes.count) answers for \(jobs.count) jobs")
      }
      for (job, outcome) in zip(jobs, outcomes) where !outcome.hasError {
        let id = JobID(rawValue: outcome.jobID)
        known.append(id)
        world.history.tell(id, job, isDuplicate: outcome.duplicate, world)
      }
    case .rerank:
      world.history.observe(
        try JobOutcome(serializedBytes: payload), "in the answer of a Rerank", world)
    case .get:
      let details = try JobDetails(serializedBytes: payload)
      let id = JobID(rawValue: details.jobID)
      if details.state.isTerminal {
        world.history.observe(details.outcome, "in the answer of a Get", world)
      } else if details.state == .unspecified {
        world.fail("job \(id) has no state")
      }
    case .cancel:
      let state = try CancelResponse(serializedBytes: payload).state
      if state == .unspecified { world.fail("a cancelled job has no state") }
    }
  }
}

extension ProducerModel.Request {
  fileprivate var again: Self? {
    switch self {
    case .submit(let jobs):
      let keyed = jobs.filter { $0.idempotencyKey != nil }
      return keyed.isEmpty ? nil : .submit(keyed)
    case .rerank(let job, _): return job.idempotencyKey == nil ? nil : self
    case .get, .cancel: return nil
    }
  }
}
