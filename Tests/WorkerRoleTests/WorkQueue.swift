import RerankdProtocol
import SwiftProtobuf
import TestSupport
import WireTestSupport
import ZeroMQ

/// The queue's end of the work stream, over a real socket, led by the test.
final class WorkQueue: Sendable {
  struct Stream: Sendable {
    var peer: [UInt8]
    var callID: UInt64
  }

  private let queue: ScriptedQueue
  var endpoint: String { queue.endpoint.text }

  init(at endpoint: String = "tcp://127.0.0.1:*") throws {
    queue = try ScriptedQueue(at: endpoint)
  }

  func stop() async {
    await queue.stop()
  }

  /// The streams that were opened, oldest first.
  var streams: [Stream] {
    queue.arrivals.compactMap { arrival in
      guard case .open(let head, _) = arrival.envelope.body,
        head.method == RerankdProtocol.Method.attach.rawValue
      else { return nil }
      return Stream(peer: arrival.peer, callID: arrival.envelope.callID)
    }
  }

  /// Waits for the stream of this number, from 0, and its Attach.
  func stream(_ number: Int = 0) async throws -> (stream: Stream, attach: Attach) {
    try await eventualValue("stream \(number)") {
      let streams = streams
      guard streams.count > number else { return nil }
      return messages(on: streams[number]).first.map { (streams[number], $0.attach) }
    }
  }

  /// Waits for a stream and takes it.
  @discardableResult
  func accept(
    _ number: Int = 0, epoch: UInt64 = 1, heartbeat: Duration = .milliseconds(40),
    adopted: [UInt64] = []
  ) async throws -> (stream: Stream, attach: Attach) {
    let (stream, attach) = try await stream(number)
    send(
      .with {
        $0.attached.epoch = epoch
        $0.attached.leaseMs = 10_000
        $0.attached.heartbeatMs = heartbeat.wholeMilliseconds
        $0.attached.adoptedJobIds = adopted
      }, on: stream)
    return (stream, attach)
  }

  /// What came in on a stream. Test messages are small, so none is in fragments.
  func messages(on stream: Stream) -> [WorkerMessage] {
    queue.arrivals.filter { $0.peer == stream.peer && $0.envelope.callID == stream.callID }
      .compactMap { arrival in
        switch arrival.envelope.body {
        case .open(_, let payload?), .message(let payload?):
          try? WorkerMessage(serializedBytes: payload)
        default: nil
        }
      }
  }

  /// The outcome of a job, waited for.
  func outcome(of jobID: UInt64, on stream: Stream) async throws -> AttemptOutcome {
    try await eventualValue("the outcome of job \(jobID)") {
      messages(on: stream).flatMap(\.outcomes).first { $0.lease.jobID == jobID }
    }
  }

  func send(_ message: QueueMessage, on stream: Stream) {
    guard let bytes: [UInt8] = try? message.serializedBytes() else { return }
    queue.send(Envelope(callID: stream.callID, .message(payload: bytes)), to: stream.peer)
  }

  func sendBytes(_ bytes: [UInt8], on stream: Stream) {
    queue.send(Envelope(callID: stream.callID, .message(payload: bytes)), to: stream.peer)
  }

  /// Assigns jobs whose documents are these texts, one each.
  func assign(_ documents: [UInt64: String], epoch: UInt64 = 1, on stream: Stream) throws {
    var message = QueueMessage()
    for (jobID, text) in documents.sorted(by: { $0.key < $1.key }) {
      let request = RerankRequest.with {
        $0.query = .with { $0.parts = [.with { $0.text = "q" }] }
        $0.documents = [.with { $0.parts = [.with { $0.text = text }] }]
      }
      let bytes: [UInt8] = try request.serializedBytes()
      message.assignments.append(
        .with {
          $0.lease.jobID = jobID
          $0.lease.attempt = 1
          $0.lease.epoch = epoch
          $0.model = "m"
          $0.remainingMs = 60_000
          $0.request = .init(bytes)
        })
    }
    send(message, on: stream)
  }

  func record(_ jobIDs: [UInt64], on stream: Stream) {
    send(.with { $0.recordedJobIds = jobIDs }, on: stream)
  }
}
