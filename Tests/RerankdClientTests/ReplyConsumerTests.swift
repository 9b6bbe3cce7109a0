import CallTransport
import RerankdClient
import RerankdProtocol
import SwiftProtobuf
import Synchronization
import Testing
import WireTestSupport
import ZeroMQ

@Suite(.timeLimit(.minutes(1))) struct ReplyConsumerTests {
  private func client(of endpoint: Endpoint, heldMax: Int = 4) throws -> QueueClient {
    var configuration = try ClientConfiguration(endpoint: endpoint.text)
    configuration.connection.connectTimeout = .milliseconds(500)
    configuration.connection.reopenBackoffMax = .milliseconds(50)
    configuration.retryBackoffMax = .milliseconds(50)
    configuration.deliveriesHeldMax = heldMax
    return try QueueClient(configuration)
  }

  @Test func deliveriesComeInOrderWithinTheCredit() async throws {
    let channel = FakeChannel(jobIDs: Array(1...20))
    let queue = try channel.queue()
    let client = try client(of: queue.endpoint)
    var received: [UInt64] = []
    for try await delivery in client.receive(channel: "c", tenant: "t") {
      received.append(delivery.outcome.jobID)
      await delivery.acknowledge()
      if received.count == 20 { break }
    }
    #expect(received == Array(1...20))
    try await channel.waitUntilAcknowledged(20)
    let state = channel.state.withLock { $0 }
    #expect(state.outstandingMost <= 4)
    #expect(state.first?.channel == "c" && state.first?.tenant == "t")
    await client.close()
  }

  @Test func unacknowledgedDeliveriesHoldTheOthersBack() async throws {
    let channel = FakeChannel(jobIDs: Array(1...20))
    let queue = try channel.queue()
    let client = try client(of: queue.endpoint, heldMax: 3)
    var iterator = client.receive(channel: "c").makeAsyncIterator()
    var held: [ReceivedDelivery] = []
    for _ in 0..<3 { held.append(try #require(try await iterator.next())) }
    #expect(channel.state.withLock(\.delivered) == 3)
    await held[1].acknowledge()
    let fourth = try #require(try await iterator.next())
    #expect(fourth.jobID == JobID(rawValue: 4))
    #expect(channel.state.withLock(\.acknowledged) == [2])
    // A second acknowledgement of the same delivery gives no credit.
    await held[1].acknowledge()
    await held[0].acknowledge()
    try await channel.waitUntilAcknowledged(2)
    #expect(channel.state.withLock(\.acknowledged) == [2, 1])
    await client.close()
  }

  @Test func consumerAttachesAnewAndKeepsItsAcknowledgements() async throws {
    let before = FakeChannel(jobIDs: [1, 2])
    let first = try before.queue()
    let client = try client(of: first.endpoint, heldMax: 4)
    var iterator = client.receive(channel: "c").makeAsyncIterator()
    let one = try #require(try await iterator.next())
    let two = try #require(try await iterator.next())
    await first.stop()
    // Redelivers what the consumer still holds (2) beside what is new.
    let after = FakeChannel(jobIDs: [2, 3])
    let second = try after.queue(at: first.endpoint.text)
    let three = try #require(try await iterator.next())
    #expect(three.jobID == JobID(rawValue: 3))
    #expect(after.state.withLock(\.first)?.credit == 2)
    for delivery in [one, two, three] { await delivery.acknowledge() }
    try await after.waitUntilAcknowledged(3)
    #expect(Set(after.state.withLock(\.acknowledged)) == [1, 2, 3])
    // All credit is back: two left at the attachment, three acknowledged, one for the redelivery,
    // less the two that were delivered.
    #expect(after.state.withLock(\.credit) == 4)
    withExtendedLifetime(second) {}
    await client.close()
  }

  @Test func deliveryIsAcknowledgedAfterItsConsumerHasStopped() async throws {
    let channel = FakeChannel(jobIDs: [1, 2])
    let queue = try channel.queue()
    let client = try client(of: queue.endpoint)
    var last: ReceivedDelivery?
    for try await delivery in client.receive(channel: "c") {
      last = delivery
      break
    }
    await last?.acknowledge()
    last = nil
    try await channel.waitUntilAcknowledged(1)
    // With the last delivery the stream is let go of.
    _ = try await queue.arrival { $0.body == .cancel }
    await client.close()
  }

  @Test func refusedConsumerEndsWithTheQueuesError() async throws {
    let refusal = CallError(.permissionDenied, "the channel belongs to another tenant")
    let queue = try ScriptedQueue { [.failure(callID: $0.callID, refusal)] }
    let client = try client(of: queue.endpoint)
    var iterator = client.receive(channel: "c").makeAsyncIterator()
    await #expect(throws: refusal) { try await iterator.next() }
    await client.close()
  }

  @Test func absentQueueIsAPlainError() async throws {
    let client = try client(of: Endpoint("tcp://127.0.0.1:1"))
    var iterator = client.receive(channel: "c").makeAsyncIterator()
    let error = await #expect(throws: CallError.self) { try await iterator.next() }
    #expect(error?.details.reason == "NO_QUEUE")
    await client.close()
  }
}

/// The queue's side of Receive: delivers its jobs as far as the credit goes.
final class FakeChannel: Sendable {
  struct State: Sendable {
    var waiting: [UInt64]
    var credit = 0
    var delivered = 0
    var outstandingMost = 0
    var acknowledged: [UInt64] = []
    var first: ReceiveRequest?
  }

  let state: Mutex<State>

  init(jobIDs: [UInt64]) {
    state = Mutex(State(waiting: jobIDs))
  }

  func queue(at endpoint: String = "tcp://127.0.0.1:*") throws -> ScriptedQueue {
    try ScriptedQueue(at: endpoint) { [self] envelope in
      switch envelope.body {
      case .open(_, let payload?), .message(let payload?): deliveries(payload, envelope.callID)
      default: []
      }
    }
  }

  private func deliveries(_ payload: [UInt8], _ callID: UInt64) -> [Envelope] {
    guard let request = try? ReceiveRequest(serializedBytes: payload) else { return [] }
    return state.withLock { state in
      if state.first == nil { state.first = request }
      state.credit += Int(request.credit)
      state.acknowledged += request.acknowledged.map(\.jobID)
      var response = ReceiveResponse()
      response.recordedJobIds = request.acknowledged.map(\.jobID)
      while state.credit > 0, !state.waiting.isEmpty {
        state.credit -= 1
        var delivery = Delivery()
        delivery.outcome.jobID = state.waiting.removeFirst()
        delivery.outcome.state = .succeeded
        delivery.deliveryAttempt = 1
        response.deliveries.append(delivery)
      }
      state.delivered += response.deliveries.count
      state.outstandingMost = max(
        state.outstandingMost, state.delivered - state.acknowledged.count)
      guard let bytes: [UInt8] = try? response.serializedBytes() else { return [] }
      return Envelope.messages(callID: callID, bytes)
    }
  }

  func waitUntilAcknowledged(_ count: Int) async throws {
    let deadline = ContinuousClock.now + .seconds(10)
    while state.withLock(\.acknowledged.count) < count, ContinuousClock.now < deadline {
      try await Task.sleep(for: .milliseconds(2))
    }
    #expect(state.withLock(\.acknowledged.count) == count)
  }
}
