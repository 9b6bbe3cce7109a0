import Ledger
import RerankdProtocol
import SwiftProtobuf
import Testing

@testable import QueueRole

@Suite struct ShellOutboundTests {
  private func job(_ number: UInt64) -> JobID { JobID(shard: 0, sequence: number) }

  private func order(
    _ number: UInt64, attempt: UInt32 = 1, hasScores: Bool = false
  ) -> AssignmentOrder {
    AssignmentOrder(
      lease: Lease(job: job(number), attempt: attempt, epoch: 3), model: "m", tenant: "t",
      remainingMs: 500, bodyBytes: 10, traceparent: number == 1 ? "00-1" : nil,
      hasPartialScores: hasScores)
  }

  private func messages(
    _ draft: WorkerDraft, bytesTarget: Int = 1_000, bytesMax: Int = 10_000,
    scores: (JobID) -> [UInt8]? = { _ in nil }, body: (JobID) -> [UInt8]?
  ) -> [[UInt8]] {
    draft.messages(bytesTarget: bytesTarget, bytesMax: bytesMax, body: body, scores: scores)
  }

  private func delivery(_ number: UInt64, _ state: JobState = .succeeded) -> DeliveryOrder {
    DeliveryOrder(
      outcome: OutcomeOrder(
        job: job(number), state: state, errorCode: state == .succeeded ? 0 : 14,
        errorMessage: state == .succeeded ? "" : "gone", attempts: 2, tenant: "t",
        idempotencyKey: "k"), deliveryAttempt: 4)
  }

  @Test func workerDraftIsAQueueMessage() throws {
    var draft = WorkerDraft()
    draft.add(
      AttachedNotice(epoch: 3, shard: 1, leaseMs: 30_000, heartbeatMs: 5_000, adopted: [job(8)]))
    draft.add([order(1), order(2)])
    draft.add(
      WorkerNotice(
        recorded: [job(5), job(6)], revoked: [Lease(job: job(7), attempt: 1, epoch: 2)],
        drain: true, granted: [PermitGrantOrder(id: 11, validMs: 2_000)],
        refused: [PermitRefusalOrder(id: 12, retryAfterMs: 300, reason: "it rests")]))
    let messages = messages(draft) { [UInt8](repeating: UInt8($0.sequence), count: 10) }
    let message = try QueueMessage(serializedBytes: try #require(messages.first))
    #expect(messages.count == 1)
    #expect(message.attached.epoch == 3)
    #expect(message.attached.shard == 1)
    #expect(message.attached.leaseMs == 30_000)
    #expect(message.attached.heartbeatMs == 5_000)
    #expect(message.attached.adoptedJobIds == [8])
    #expect(message.recordedJobIds == [5, 6])
    #expect(message.revoked.map(\.jobID) == [7])
    #expect(message.drain)
    #expect(message.grantedPermits.map(\.permitID) == [11])
    #expect(message.grantedPermits.map(\.validMs) == [2_000])
    #expect(message.refusedPermits.map(\.permitID) == [12])
    #expect(message.refusedPermits.map(\.retryAfterMs) == [300])
    #expect(message.refusedPermits.map(\.reason) == ["it rests"])
    #expect(message.assignments.map(\.lease.jobID) == [1, 2])
    #expect(message.assignments[0].lease.epoch == 3)
    #expect(message.assignments[0].model == "m")
    #expect(message.assignments[0].tenant == "t")
    #expect(message.assignments[0].remainingMs == 500)
    #expect(message.assignments[0].traceparent == "00-1")
    #expect(Array(message.assignments[1].request) == [UInt8](repeating: 2, count: 10))
  }

  @Test func partialScoresGoWithTheirAssignmentWhereThereIsRoom() throws {
    var draft = WorkerDraft()
    draft.add([order(1, hasScores: true), order(2), order(3, hasScores: true)])
    let messages = messages(draft, bytesMax: 200, scores: { _ in Array(repeating: 9, count: 50) }) {
      Array(repeating: 1, count: $0 == job(3) ? 150 : 10)
    }
    let sent = try messages.flatMap { try QueueMessage(serializedBytes: $0).assignments }
    #expect(sent.map(\.partialScores.count) == [50, 0, 0])
    #expect(sent.map(\.request.count) == [10, 10, 150])
  }

  @Test func manyAssignmentsLeaveInMessagesOfTheTargetSize() throws {
    var draft = WorkerDraft()
    draft.add((1...20).map { order($0) })
    let messages = messages(draft, bytesTarget: 500) {
      [UInt8](repeating: 1, count: $0.sequence == 9 ? 900 : 100)
    }
    #expect(messages.allSatisfy { $0.count <= 500 || $0.count > 900 })
    #expect(messages.filter { $0.count > 900 }.count == 1)
    let jobs = try messages.flatMap { try QueueMessage(serializedBytes: $0).assignments }
      .map(\.lease.jobID)
    #expect(jobs == Array(1...20))
  }

  @Test func assignmentTakenBackInItsBatchIsNeverSent() {
    var draft = WorkerDraft()
    draft.add([order(1), order(2)])
    draft.add(WorkerNotice(revoked: [order(1).lease]))
    #expect(draft.assignments == [order(2)])
    #expect(draft.notice.revoked.isEmpty)
  }

  @Test func unreadableBodyLeavesItsAssignmentOut() throws {
    var draft = WorkerDraft()
    draft.add([order(1), order(2)])
    let messages = messages(draft, bytesTarget: 500) { $0 == job(1) ? nil : [1] }
    let sent = try messages.map { try QueueMessage(serializedBytes: $0) }
    #expect(sent.flatMap(\.assignments).map(\.lease.jobID) == [2])
  }

  @Test func consumerDraftIsAReceiveResponse() throws {
    var draft = ConsumerDraft()
    draft.add([delivery(1), delivery(2, .dead)])
    draft.add(recorded: [job(9)])
    let messages = draft.messages(bytesTarget: 10_000) { _ in [7, 7] }
    let response = try ReceiveResponse(serializedBytes: try #require(messages.first))
    #expect(response.recordedJobIds == [9])
    #expect(response.deliveries.map(\.deliveryAttempt) == [4, 4])
    let outcomes = response.deliveries.map(\.outcome)
    #expect(outcomes.map(\.jobID) == [1, 2])
    #expect(outcomes.map(\.state) == [.succeeded, .dead])
    #expect(Array(outcomes[0].result) == [7, 7])
    #expect(!outcomes[0].hasError)
    #expect(outcomes[1].result.isEmpty)
    #expect(outcomes[1].error.code == 14)
    #expect(outcomes[1].error.message == "gone")
    #expect(outcomes[1].attempts == 2)
    #expect(outcomes[1].tenant == "t")
    #expect(outcomes[1].idempotencyKey == "k")
  }

  @Test func pushedOutcomeIsAJobOutcome() throws {
    let message = try #require(delivery(1).outcome.message { _ in [1] })
    let outcome = try JobOutcome(serializedBytes: message)
    #expect(outcome.jobID == 1)
    #expect(Array(outcome.result) == [1])
    #expect(delivery(1).outcome.message { _ in nil } == nil)
  }

  @Test func cacheKeepsWhatCameFirst() {
    var cache = PayloadCache(bytesMax: 10)
    cache.insert([1, 2, 3, 4, 5, 6], for: job(1))
    cache.insert([1, 2, 3, 4, 5, 6], for: job(2))
    #expect(cache[job(1)] != nil)
    #expect(cache[job(2)] == nil)
    cache.remove(job(1))
    #expect(cache.bytes == 0)
    cache.insert([1, 2, 3, 4, 5, 6], for: job(2))
    cache.insert([1], for: job(2))
    #expect(cache.bytes == 1)
  }

  @Test func outboxKeepsOrderAndLetsGoBeyondItsLimits() {
    var limits = OutboxLimits()
    limits.messagesMax = 3
    limits.bytesPerPeerMax = 10
    limits.bytesMax = 15
    var outboxes = Outboxes(limits: limits)
    let (slow, slower) = (PeerID(rawValue: 1), PeerID(rawValue: 2))
    // The first is kept even when it is larger than a peer's share: 12 of 10.
    let large: [[UInt8]] = [Array(repeating: 0, count: 12)]
    let small: [[UInt8]] = [[1], [2]]
    #expect(outboxes.append(large, for: slow) == true)
    #expect(outboxes.append(small, for: slow) == false)
    #expect(outboxes.append(small, for: slower) == true)
    #expect(outboxes.append(small, for: slower) == false)
    outboxes.forget(slow)
    #expect(outboxes.bytes == 2)
    #expect(outboxes.append([[3]], for: slower) == true)
    #expect(outboxes.append([[4]], for: slower) == true)
    #expect(outboxes.append([[5]], for: slower) == false)
    #expect(outboxes.first(slower) == small)
    outboxes.removeFirst(slower)
    #expect(outboxes.first(slower) == [[3]])
    outboxes.removeFirst(slower)
    outboxes.removeFirst(slower)
    #expect(!outboxes.isWaiting(slower))
    #expect(outboxes.isEmpty)
    #expect(outboxes.bytes == 0)
  }
}
