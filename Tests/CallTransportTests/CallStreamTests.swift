import CallTransport
import RerankdProtocol
import Testing
import WireTestSupport
import ZeroMQ

@Suite(.timeLimit(.minutes(1))) struct CallStreamTests {
  /// Answers every whole message of a stream with itself, and its end with OK.
  private static let echo: ScriptedQueue.Script = { envelope in
    var answers: [Envelope] = []
    switch envelope.body {
    case .open(_, let payload?), .message(let payload?):
      answers.append(
        Envelope(
          callID: envelope.callID, flags: envelope.flags.intersection(.more),
          .message(payload: payload)))
      answers.append(Envelope(callID: envelope.callID, .window(bytes: UInt32(payload.count))))
    default: break
    }
    if envelope.flags.contains(.end) {
      answers.append(Envelope(callID: envelope.callID, .status(CallStatus(), payload: nil)))
    }
    return answers
  }

  @Test func messagesTravelBothWaysInOrder() async throws {
    let queue = try ScriptedQueue(script: Self.echo)
    let connection = try CallConnection(ConnectionConfiguration(endpoint: queue.endpoint))
    let stream = connection.stream(.attach, first: [0])
    for number in 1...50 { try await stream.send([UInt8(number)]) }
    try await stream.send([UInt8](repeating: 9, count: 3 << 20))
    try await stream.finish()
    var received: [[UInt8]] = []
    for try await message in stream.messages { received.append(message) }
    #expect(received.dropLast() == (0...50).map { [UInt8($0)] }[...])
    #expect(received.last == [UInt8](repeating: 9, count: 3 << 20))
    let error = await #expect(throws: CallError.self) { try await stream.send([1]) }
    #expect(error?.code == .failedPrecondition)
    await connection.close()
  }

  @Test func errorStatusEndsTheMessagesAndTheSends() async throws {
    let fenced = CallError(.aborted, "another session has this worker id", reason: "FENCED")
    let queue = try ScriptedQueue { [.failure(callID: $0.callID, fenced)] }
    let connection = try CallConnection(ConnectionConfiguration(endpoint: queue.endpoint))
    let stream = connection.stream(.attach, first: [0])
    var messages = stream.messages
    await #expect(throws: fenced) { try await messages.next() }
    await #expect(throws: fenced) { try await stream.send([1]) }
    await connection.close()
  }

  @Test func sendWaitsForTheWindowAndGoesOnWithIt() async throws {
    let queue = try ScriptedQueue()
    var configuration = ConnectionConfiguration(endpoint: queue.endpoint)
    configuration.streamOutboxBytesMax = 1 << 20
    let connection = try CallConnection(configuration)
    let stream = connection.stream(.attach, first: [0])
    let opening = try await queue.arrival { $0.payloadBytes == 1 }
    let sender = Task {
      for _ in 0..<8 { try await stream.send([UInt8](repeating: 1, count: 1 << 20)) }
      try await stream.finish()
    }
    // The window of 4 MiB holds the opening's byte and three whole messages.
    while queue.arrivals.count < 4 { try await Task.sleep(for: .milliseconds(2)) }
    #expect(queue.arrivals.count == 4)
    queue.send(Envelope(callID: opening.envelope.callID, .window(bytes: 8 << 20)), to: opening.peer)
    try await sender.value
    _ = try await queue.arrival { $0.flags.contains(.end) }
    #expect(queue.arrivals.map(\.envelope.payloadBytes).reduce(0, +) == 8 << 20 | 1)
    await connection.close()
  }

  @Test func streamThatIsLetGoOfIsCancelled() async throws {
    let queue = try ScriptedQueue()
    let connection = try CallConnection(ConnectionConfiguration(endpoint: queue.endpoint))
    do {
      let stream = connection.stream(.receive, first: [0])
      _ = try await queue.arrival { $0.payloadBytes == 1 }
      try await stream.send([1, 2])
    }
    _ = try await queue.arrival { $0.body == .cancel }
    await connection.close()
  }

  @Test func cancelledReaderCancelsTheStream() async throws {
    let queue = try ScriptedQueue()
    let connection = try CallConnection(ConnectionConfiguration(endpoint: queue.endpoint))
    let stream = connection.stream(.receive, first: [0])
    let reader = Task {
      var messages = stream.messages
      return try await messages.next()
    }
    _ = try await queue.arrival { $0.payloadBytes == 1 }
    reader.cancel()
    let error = await #expect(throws: CallError.self) { try await reader.value }
    #expect(error?.code == .cancelled)
    _ = try await queue.arrival { $0.body == .cancel }
    await connection.close()
  }

  @Test func readerThatNeverReadsCostsItsOwnCallAlone() async throws {
    let queue = try ScriptedQueue { envelope in
      switch envelope.body {
      case .open(let head, _) where head.method == Method.receive.rawValue:
        (0..<3).map { _ in
          Envelope(
            callID: envelope.callID, .message(payload: [UInt8](repeating: 1, count: 1_000)))
        }
      case .open: [Envelope(callID: envelope.callID, .status(CallStatus(), payload: [5]))]
      default: []
      }
    }
    var configuration = ConnectionConfiguration(endpoint: queue.endpoint)
    configuration.streamInboxBytesMax = 2_500
    let connection = try CallConnection(configuration)
    let stream = connection.stream(.receive, first: [0])
    _ = try await queue.arrival { $0.body == .cancel }
    #expect(try await connection.call(.get, [], timeout: .seconds(5)) == [5])
    var messages = stream.messages
    #expect(try await messages.next()?.count == 1_000)
    #expect(try await messages.next()?.count == 1_000)
    let error = await #expect(throws: CallError.self) { try await messages.next() }
    #expect(error?.details.reason == "INBOX_FULL")
    await connection.close()
  }
}
