import Ledger
import RerankdProtocol
import SwiftProtobuf

@testable import QueueRole

/// A worker's process: it attaches, works on what it is given, and tells what came of it until that
/// is recorded. What it holds outlives its connections and the queue, not itself.
final class WorkerModel: LinkClient {
  struct Held {
    let lease: Lease
    let bytes: Int
    /// It says nothing of this job any more.
    let isWedged: Bool
    var end: WorkEnd?
    var isReleased = false
    var isSent = false
  }

  static let unspentMark = ", unspent"

  private let name: String
  private let models: [String]
  private let creditJobs: Int
  private let creditBytes: Int
  private unowned let world: World
  private var draw: Draw
  private var processID: UInt32 = 1
  private var link: Link?
  private var call: CallRef?
  private var held: [JobID: Held] = [:]
  /// What was reported on this stream, in order, and is not recorded yet.
  private var reported: [JobID: [Lease]] = [:]
  /// Told to drop, and sent all the same.
  private var late: [(lease: Lease, end: WorkEnd)] = []
  private var permits = WorkerPermits()
  private var stoppedUntilMs: Int64 = 0
  private var backlog: [(Envelope, Link)] = []

  init(_ world: World, index: Int) {
    self.world = world
    draw = Draw(seed: world.scenario.seed, stream: UInt64(200 + index))
    name = "w\(index)"
    models = [["m1", "m2"], ["m2"], ["m1"]][index % 3]
    creditJobs = 1 + draw.pick(5)
    creditBytes = 100 + draw.pick(500)
  }

  /// Of the row of an attempt that failed: what its worker must have said.
  static func message(_ row: AttemptRow) -> String {
    "attempt \(row.attempt) at \(row.workerID)" + (isUnspent(row) ? unspentMark : "")
  }

  static func isUnspent(_ row: AttemptRow) -> Bool { row.message.hasSuffix(unspentMark) }

  func start() {
    world.after(Int64(draw.pick(300))) { [self] in connect() }
    beat()
  }

  func heal() {
    stop(ms: 0)
    for id in held.keys.sorted() where held[id]?.isWedged == true { finish(id) }
  }

  // MARK: Its process

  func crash() {
    world.note("worker \(name) crashes")
    processID += 1
    held = [:]
    late = []
    backlog = []
    let lost = link
    link = nil
    call = nil
    lost?.closeByClient()
    world.after(Int64(100 + draw.pick(2_000))) { [self] in connect() }
  }

  func stop(ms: Int64) {
    stoppedUntilMs = world.nowMs + ms
    world.after(ms) { [self] in
      guard !isStopped else { return }
      let messages = backlog
      backlog = []
      for (envelope, link) in messages { take(envelope, on: link) }
    }
  }

  private var isStopped: Bool { world.nowMs < stoppedUntilMs }

  private func connect() {
    guard link == nil else { return }
    guard let made = world.host.connect(self) else {
      world.after(Int64(100 + draw.pick(300))) { [self] in connect() }
      return
    }
    link = made
    let opened = made.newCall()
    call = opened
    reported = [:]
    permits = WorkerPermits()
    for id in held.keys { held[id]?.isSent = false }
    let request = AttachRequest(
      workerID: name, models: models, creditJobs: creditJobs, creditBytes: creditBytes,
      held: held.values.map(\.lease).sorted { $0.job < $1.job }, version: "1", host: "h",
      processID: processID)
    made.send(opened, .attach(opened, request), opens: true)
  }

  func lose(_ lost: Link) {
    guard lost === link else { return }
    link = nil
    call = nil
    world.after(Int64(20 + draw.pick(200))) { [self] in connect() }
  }

  // MARK: What it is told

  func take(_ envelope: Envelope, on from: Link) {
    guard from === link else { return }
    if isStopped { return backlog.append((envelope, from)) }
    switch envelope.body {
    case .message(let payload?):
      do {
        take(try QueueMessage(serializedBytes: payload))
      } catch {
        world.fail("worker \(name) cannot read what it is sent: \(error)")
      }
    case .status:
      // Drained, fenced or refused: it comes back as another process.
      crash()
    default: break
    }
  }

  private func take(_ message: QueueMessage) {
    for raw in message.recordedJobIds { record(JobID(rawValue: raw)) }
    for reference in message.revoked { drop(Lease(reference)) }
    permits.take(message, nowMs: world.nowMs)
    for assignment in message.assignments { work(on: assignment) }
    if held.count > creditJobs { world.fail("worker \(name) has \(held.count) jobs") }
    let bytes = held.values.reduce(0) { $0 + $1.bytes }
    if bytes > creditBytes, held.count > 1 { world.fail("worker \(name) has \(bytes) bytes") }
  }

  private func record(_ id: JobID) {
    guard let lease = reported[id]?.first else {
      return world.fail("worker \(name) hears that job \(id) is recorded, and reported nothing")
    }
    reported[id]?.removeFirst()
    if held[id]?.lease == lease { held[id] = nil }
  }

  private func drop(_ lease: Lease) {
    guard let dropped = held[lease.job], dropped.lease == lease else { return }
    held[lease.job] = nil
    if world.has(.lateOutcomes), draw.chance(60) {
      late.append((lease, dropped.end ?? end(of: lease)))
    }
  }

  private func work(on assignment: Assignment) {
    let lease = Lease(assignment.lease)
    world.history.checkBody([UInt8](assignment.request), of: lease.job, world)
    guard models.contains(assignment.model) else {
      return world.fail("worker \(name) is given a job for \(assignment.model)")
    }
    if held[lease.job] != nil {
      world.fail("worker \(name) is given job \(lease.job) while it has it")
    }
    let isWedged = world.has(.wedgedJob) && draw.chance(6)
    held[lease.job] = Held(lease: lease, bytes: assignment.request.count, isWedged: isWedged)
    guard !isWedged else { return }
    world.after(Int64(10 + draw.pick(draw.chance(10) ? 4_000 : 400))) { [self] in
      guard held[lease.job]?.lease == lease, !isStopped || draw.chance(50) else { return }
      finish(lease.job)
      held[lease.job]?.isReleased = world.has(.failures) && draw.chance(6)
      if draw.chance(50) { report() }
    }
  }

  // MARK: What it tells

  private func finish(_ id: JobID) {
    guard let lease = held[id]?.lease else { return }
    let end = end(of: lease)
    held[id]?.end = end
  }

  private func end(of lease: Lease) -> WorkEnd {
    guard world.has(.failures), draw.chance(45) else {
      let result = Array("r\(lease.job)/\(lease.attempt)/\(lease.epoch)/\(name)".utf8)
      world.history.make(result, of: lease.job)
      return .completed(result)
    }
    let isUnspent = draw.chance(15)
    return .failed(
      WorkFailure(
        code: StatusCode.unavailable.rawValue,
        message: "attempt \(lease.attempt) at \(name)" + (isUnspent ? Self.unspentMark : ""),
        retryable: draw.chance(85), retryAfterMs: draw.chance(10) ? Int64(draw.pick(5_000)) : nil,
        isUnspent: isUnspent, fault: world.has(.backend) ? permits.fault(&draw) : .none,
        partialScores: draw.chance(30) ? [UInt8(draw.pick(256))] : nil))
  }

  /// Says something every now and then, as it was asked to.
  private func beat() {
    world.after(Int64(150 + draw.pick(350))) { [self] in
      if !isStopped { report() }
      // Whatever the end of a job was not made while the process was stopped is made now.
      for id in held.keys.sorted() where held[id]?.end == nil && held[id]?.isWedged == false {
        if draw.chance(25) { finish(id) }
      }
      beat()
    }
  }

  private func report() {
    guard let link, let call, !isStopped else { return }
    var report = WorkReport()
    for id in held.keys.sorted() {
      guard let job = held[id], !job.isWedged || job.end != nil else { continue }
      guard let end = job.end else {
        report.progress.append(job.lease)
        continue
      }
      let isRepeated = job.isSent && world.has(.duplicates) && draw.chance(20)
      guard !job.isSent || isRepeated else { continue }
      held[id]?.isSent = true
      reported[id, default: []].append(job.lease)
      if job.isReleased {
        report.released.append(job.lease)
      } else {
        report.outcomes.append((job.lease, end))
      }
    }
    if draw.chance(40), let (lease, end) = late.popLast() {
      reported[lease.job, default: []].append(lease)
      report.outcomes.append((lease, end))
    }
    if world.has(.operators), draw.chance(2) { report.draining = true }
    let ids = models.contains("m1") ? held.keys.sorted() : []
    permits.add(to: &report, for: ids, &draw, isFaulty: world.has(.backend), nowMs: world.nowMs)
    link.send(call, .work(call, report))
  }
}

extension Lease {
  init(_ reference: LeaseRef) {
    self.init(
      job: JobID(rawValue: reference.jobID), attempt: reference.attempt, epoch: reference.epoch)
  }
}
