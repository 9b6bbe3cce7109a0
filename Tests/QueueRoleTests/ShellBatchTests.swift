import Ledger
import RerankdProtocol
import SwiftProtobuf
import Testing

@testable import QueueRole

@Suite struct ShellBatchTests {
  private let call = CallInstance(call: CallRef(peer: PeerID(rawValue: 1), call: 1), serial: 1)
  private let write = LedgerWrite.insertReject(
    RejectRow(receivedMs: 0, code: 3, message: "", excerpt: [1, 2, 3]))

  private func pipeline(_ change: (inout BatchLimits) -> Void = { _ in }) -> BatchPipeline {
    var limits = BatchLimits()
    change(&limits)
    return BatchPipeline(limits: limits)
  }

  private func send(_ pipeline: inout BatchPipeline, _ payload: UInt8) {
    pipeline.open.send(
      call, [Envelope(callID: 1, .message(payload: [payload]))], endsCall: false)
  }

  private func seal(_ pipeline: inout BatchPipeline) throws -> BatchPipeline.Commit {
    let commit = pipeline.seal(nowMs: 0)
    return try #require(commit)
  }

  /// The payloads of all that may leave.
  private func leaving(_ pipeline: inout BatchPipeline) -> [UInt8] {
    var payloads: [UInt8] = []
    while let batch = pipeline.takeLeaving() {
      for case .envelopes(_, let envelopes, _) in batch.items {
        for case .message(let payload?) in envelopes.map(\.body) { payloads += payload }
      }
    }
    return payloads
  }

  @Test func nothingLeavesBeforeItsBatchIsDurable() throws {
    var pipeline = pipeline()
    pipeline.open.write(write)
    send(&pipeline, 1)
    let commit = try seal(&pipeline)
    #expect(commit.writes == [write])
    #expect(leaving(&pipeline) == [])
    pipeline.durable(commit.sequence)
    #expect(leaving(&pipeline) == [1])
    #expect(pipeline.isIdle)
  }

  @Test func whatNeedsNoLedgerLeavesAtOnceWhenNothingIsBeforeIt() {
    var pipeline = pipeline()
    send(&pipeline, 1)
    #expect(pipeline.seal(nowMs: 0) == nil)
    #expect(leaving(&pipeline) == [1])
  }

  @Test func oneBatchIsWithTheLedgerAndOneIsFilled() throws {
    var pipeline = pipeline()
    pipeline.open.write(write)
    let first = try seal(&pipeline)
    pipeline.open.write(write)
    send(&pipeline, 2)
    pipeline.open.write(write)
    #expect(pipeline.seal(nowMs: 0) == nil)
    // Even what itself writes nothing waits: it may tell of what is not on disk.
    #expect(leaving(&pipeline) == [])
    pipeline.durable(first.sequence)
    #expect(leaving(&pipeline) == [])
    let second = try seal(&pipeline)
    #expect(second.writes.count == 2)
    pipeline.durable(second.sequence)
    #expect(leaving(&pipeline) == [2])
  }

  private func acknowledge(_ pipeline: inout BatchPipeline, _ job: UInt64) {
    pipeline.open.write(
      .putDelivery(
        DeliveryRow(
          jobID: JobID(rawValue: job), tenant: "t", channel: "c", state: .acknowledged,
          attempts: 1, updatedMs: 0)))
    pipeline.open.acknowledge(call, recorded: [JobID(rawValue: job)])
  }

  @Test func acknowledgementsRideAlongWithWhatSomebodyWaitsFor() throws {
    var pipeline = pipeline()
    acknowledge(&pipeline, 1)
    #expect(pipeline.seal(nowMs: 100) == nil)
    #expect(pipeline.restEndsMs == 120)
    pipeline.open.write(write)
    let commit = pipeline.seal(nowMs: 101)
    #expect(try #require(commit).writes.count == 2)
    #expect(pipeline.restEndsMs == nil)
  }

  @Test func acknowledgementsAloneAreCommittedAfterTheirRest() throws {
    var pipeline = pipeline { $0.acknowledgementRest = .milliseconds(20) }
    acknowledge(&pipeline, 1)
    #expect(pipeline.seal(nowMs: 100) == nil)
    acknowledge(&pipeline, 2)
    #expect(pipeline.seal(nowMs: 119) == nil)
    let commit = pipeline.seal(nowMs: 120)
    #expect(try #require(commit).writes.count == 2)
  }

  @Test func aQueueThatEndsLetsNothingRest() throws {
    var pipeline = pipeline()
    acknowledge(&pipeline, 1)
    let commit = pipeline.seal(nowMs: 100, hurries: true)
    #expect(try #require(commit).writes.count == 1)
  }

  @Test func acknowledgementsBehindACommitDoNotKeepTheLoopAwake() throws {
    var pipeline = pipeline()
    pipeline.open.write(write)
    let commit = try seal(&pipeline)
    acknowledge(&pipeline, 1)
    #expect(pipeline.seal(nowMs: 0) == nil)
    #expect(pipeline.restEndsMs == nil)
    pipeline.durable(commit.sequence)
    #expect(pipeline.seal(nowMs: 50) == nil)
    #expect(pipeline.restEndsMs == 70)
  }

  @Test func batchWaitsForThePayloadsItSendsAndLaterOnesBehindIt() throws {
    var pipeline = pipeline()
    let job = JobID(rawValue: 5)
    pipeline.open.needBody(job, cached: nil)
    send(&pipeline, 1)
    let first = try seal(&pipeline)
    #expect(first.reads.map(\.1) == [.body(job)])
    pipeline.durable(first.sequence)
    send(&pipeline, 2)
    #expect(pipeline.seal(nowMs: 0) == nil)
    #expect(leaving(&pipeline) == [])
    #expect(pipeline.answered(first.reads[0].0, .body([9])) == nil)
    #expect(leaving(&pipeline) == [1, 2])
  }

  @Test func cachedPayloadIsNotRead() {
    var batch = OutgoingBatch()
    batch.needBody(JobID(rawValue: 1), cached: [1])
    batch.needBody(JobID(rawValue: 2), cached: nil)
    batch.needBody(JobID(rawValue: 2), cached: nil)
    batch.needResult(JobID(rawValue: 2), cached: nil)
    #expect(
      batch.reads == [
        .body(JobID(rawValue: 2)),
        .job(JobID(rawValue: 2), withRequest: false, withAttempts: false),
      ])
    #expect(batch.payloadsAwaited == 2)
  }

  @Test func payloadThatIsGoneIsNamed() throws {
    var pipeline = pipeline()
    pipeline.open.needResult(JobID(rawValue: 5), cached: nil)
    let commit = try seal(&pipeline)
    pipeline.durable(commit.sequence)
    _ = pipeline.answered(commit.reads[0].0, .failed("no"))
    #expect(pipeline.takeLeaving()?.unreadable == [JobID(rawValue: 5)])
  }

  @Test func readsOfTheCoreComeBackToIt() throws {
    var pipeline = pipeline()
    pipeline.open.read(ReadTicket(rawValue: 77), .key(tenant: "t", key: "k"))
    let commit = try seal(&pipeline)
    pipeline.durable(commit.sequence)
    #expect(leaving(&pipeline) == [])
    #expect(!pipeline.isIdle)
    #expect(pipeline.answered(commit.reads[0].0, .key(nil)) == ReadTicket(rawValue: 77))
    #expect(pipeline.answered(commit.reads[0].0, .key(nil)) == nil)
    #expect(pipeline.isIdle)
  }

  @Test func fullBatchStopsTheIntake() {
    var byCount = pipeline { $0.writesMax = 2 }
    byCount.open.write(write)
    #expect(!byCount.isFull)
    byCount.open.write(write)
    #expect(byCount.isFull)
    var byBytes = pipeline { $0.writeBytesMax = 3 }
    byBytes.open.write(write)
    #expect(byBytes.isFull)
  }

  @Test func batchesThatWaitForPayloadsAreBounded() {
    var pipeline = pipeline { $0.sealedMax = 2 }
    for job in 1...2 {
      pipeline.open.needBody(JobID(rawValue: UInt64(job)), cached: nil)
      guard let commit = pipeline.seal(nowMs: 0) else {
        Issue.record("not sealed")
        return
      }
      pipeline.durable(commit.sequence)
    }
    send(&pipeline, 1)
    #expect(pipeline.isFull)
    #expect(!pipeline.canSeal)
  }

  @Test func partsForOneStreamAreGatheredInTheirPlace() throws {
    var batch = OutgoingBatch()
    let worker = CallInstance(call: CallRef(peer: PeerID(rawValue: 2), call: 1), serial: 2)
    batch.tellWorker(worker) { $0.add(WorkerNotice(recorded: [JobID(rawValue: 1)])) }
    batch.send(call, [.pong], endsCall: false)
    batch.tellWorker(worker) { $0.add(WorkerNotice(recorded: [JobID(rawValue: 2)])) }
    batch.encode(frameTarget: 100, limits: ProtocolLimits())
    #expect(batch.items.count == 2)
    guard case .envelopes(worker, let envelopes, endsCall: false) = batch.items[0],
      case .message(let payload?)? = envelopes.first?.body
    else {
      Issue.record("\(batch.items)")
      return
    }
    #expect(try QueueMessage(serializedBytes: payload).recordedJobIds == [1, 2])
  }
}
