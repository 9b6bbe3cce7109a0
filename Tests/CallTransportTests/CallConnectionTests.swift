import CallTransport
import RerankdProtocol
import Testing
import WireTestSupport
import ZeroMQ

/// The connection over real sockets, against a scripted queue.
@Suite(.timeLimit(.minutes(1))) struct CallConnectionTests {
  /// Answers unary calls with their own payload, fragments and all.
  private static let echo: ScriptedQueue.Script = { envelope in
    let id = envelope.callID
    switch envelope.body {
    case .open(_, let payload?), .message(let payload?):
      return envelope.flags.contains(.more)
        ? [
          Envelope(callID: id, flags: .more, .message(payload: payload)),
          Envelope(callID: id, .window(bytes: UInt32(payload.count))),
        ] : [Envelope(callID: id, .status(CallStatus(), payload: payload))]
    default: return []
    }
  }

  private func quick(_ endpoint: Endpoint) -> ConnectionConfiguration {
    var configuration = ConnectionConfiguration(endpoint: endpoint)
    configuration.heartbeatInterval = .milliseconds(50)
    configuration.connectTimeout = .milliseconds(500)
    configuration.reopenBackoffMax = .milliseconds(50)
    return configuration
  }

  @Test func unaryCallReturnsItsAnswer() async throws {
    let queue = try ScriptedQueue(script: Self.echo)
    let connection = try CallConnection(quick(queue.endpoint))
    let answer = try await connection.call(
      .submit, [1, 2, 3], timeout: .seconds(5), metadata: ["traceparent": "00-1"])
    #expect(answer == [1, 2, 3])
    guard case .open(let head, _) = queue.arrivals.first?.envelope.body else {
      Issue.record("expected an OPEN first")
      return
    }
    #expect(head.method == "/rerankd.v1.JobQueue/Submit")
    #expect(head.metadata == ["traceparent": "00-1"])
    #expect((4_000...5_000).contains(head.timeoutMs))
    await connection.close()
  }

  @Test func messagesLargerThanTheWindowTravelWhole() async throws {
    let queue = try ScriptedQueue(script: Self.echo)
    let connection = try CallConnection(quick(queue.endpoint))
    let payload = (0..<(9 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 7) }
    let answer = try await connection.call(.submit, payload, timeout: .seconds(30))
    #expect(answer == payload)
    #expect(queue.arrivals.count == 9)
    await connection.close()
  }

  @Test func manyCallsShareOneConnection() async throws {
    let queue = try ScriptedQueue(script: Self.echo)
    let connection = try CallConnection(quick(queue.endpoint))
    let sum = try await withThrowingTaskGroup(of: Int.self) { group in
      for number in 0..<200 {
        group.addTask {
          Int(try await connection.call(.get, [UInt8(number)], timeout: .seconds(10))[0])
        }
      }
      return try await group.reduce(0, +)
    }
    #expect(sum == (0..<200).reduce(0, +))
    await connection.close()
  }

  @Test func errorStatusIsThrownWithItsDetails() async throws {
    let refusal = CallError(
      .resourceExhausted, "full", reason: "QUEUE_FULL", retryAfter: .seconds(2))
    let queue = try ScriptedQueue { [.failure(callID: $0.callID, refusal)] }
    let connection = try CallConnection(quick(queue.endpoint))
    let error = await #expect(throws: CallError.self) {
      try await connection.call(.submit, [], timeout: .seconds(5))
    }
    #expect(error == refusal)
    #expect(error?.retryAfter == .seconds(2))
    await connection.close()
  }

  @Test func absentQueueIsAPlainError() async throws {
    let connection = try CallConnection(quick(Endpoint("tcp://127.0.0.1:1")))
    let error = await #expect(throws: CallError.self) {
      try await connection.call(.status, [], timeout: .seconds(20))
    }
    #expect(error?.code == .unavailable)
    #expect(
      error?.message
        == "no queue answers at tcp://127.0.0.1:1: is `rerankd up` or `rerankd queue` running?")
    await connection.close()
  }

  @Test(arguments: ["tcp://127.0.0.1:1", "ipc:///tmp/rerankd-no-such-folder/queue"])
  func whoeverDoesNotWaitForAQueueHearsAtOnceThatThereIsNone(endpoint: String) async throws {
    var configuration = quick(try Endpoint(endpoint))
    configuration.connectTimeout = .seconds(600)
    configuration.failsWhenUnreachable = true
    let connection = try CallConnection(configuration)
    let error = await #expect(throws: CallError.self) {
      try await connection.call(.submit, [], timeout: nil)
    }
    #expect(error?.details.reason == "NO_QUEUE")
    await connection.close()
  }

  @Test func silentQueueFailsItsCalls() async throws {
    let queue = try ScriptedQueue(answersPings: false) { envelope in
      // One sign of life, then nothing.
      [Envelope(callID: envelope.callID, .window(bytes: 1))]
    }
    let connection = try CallConnection(quick(queue.endpoint))
    let error = await #expect(throws: CallError.self) {
      try await connection.call(.rerank, [], timeout: .seconds(20))
    }
    #expect(error?.code == .unavailable)
    #expect(error?.message.contains("fallen silent") == true)
    await connection.close()
  }

  @Test func deadlineEndsTheCallAndTellsTheQueue() async throws {
    let queue = try ScriptedQueue()
    let connection = try CallConnection(quick(queue.endpoint))
    let error = await #expect(throws: CallError.self) {
      try await connection.call(.rerank, [], timeout: .milliseconds(100))
    }
    #expect(error?.code == .deadlineExceeded)
    _ = try await queue.arrival { $0.body == .cancel }
    await connection.close()
  }

  @Test func cancelledTaskCancelsItsCall() async throws {
    let queue = try ScriptedQueue()
    let connection = try CallConnection(quick(queue.endpoint))
    let task = Task { try await connection.call(.rerank, [7], timeout: nil) }
    let opening = try await queue.arrival { $0.payloadBytes == 1 }
    task.cancel()
    let error = await #expect(throws: CallError.self) { try await task.value }
    #expect(error?.code == .cancelled)
    let cancel = try await queue.arrival { $0.body == .cancel }
    #expect(cancel.envelope.callID == opening.envelope.callID)
    await connection.close()
  }

  @Test func callOfACancelledTaskNeverBegins() async throws {
    let queue = try ScriptedQueue(script: Self.echo)
    let connection = try CallConnection(quick(queue.endpoint))
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try await connection.call(.get, [1], timeout: nil)
    }
    let error = await #expect(throws: CallError.self) { try await task.value }
    #expect(error?.code == .cancelled)
    _ = try await connection.call(.get, [2], timeout: .seconds(5))
    #expect(queue.arrivals.map(\.envelope.payloadBytes) == [1])
    await connection.close()
  }

  @Test func restartedQueueIsFoundAgain() async throws {
    let first = try ScriptedQueue { $0.payloadBytes == 1 ? [] : Self.echo($0) }
    let connection = try CallConnection(quick(first.endpoint))
    let waiting = Task { try await connection.call(.rerank, [1], timeout: .seconds(30)) }
    _ = try await first.arrival { $0.payloadBytes == 1 }
    await first.stop()
    let error = await #expect(throws: CallError.self) { try await waiting.value }
    #expect(error?.code == .unavailable)
    #expect(error?.details.reason == "CONNECTION_LOST")

    let second = try ScriptedQueue(at: first.endpoint.text, script: Self.echo)
    #expect(try await connection.call(.rerank, [1, 2], timeout: .seconds(30)) == [1, 2])
    #expect(second.arrivals.count == 1)
    await connection.close()
  }

  @Test func closeEndsOpenCallsAndRefusesNewOnes() async throws {
    let queue = try ScriptedQueue()
    let connection = try CallConnection(quick(queue.endpoint))
    let waiting = Task { try await connection.call(.rerank, [1], timeout: nil) }
    _ = try await queue.arrival { $0.payloadBytes == 1 }
    await connection.close()
    let error = await #expect(throws: CallError.self) { try await waiting.value }
    #expect(error?.code == .cancelled)
    _ = try await queue.arrival { $0.body == .cancel }
    let late = await #expect(throws: CallError.self) {
      try await connection.call(.rerank, [1], timeout: nil)
    }
    #expect(late?.code == .failedPrecondition)
  }

  @Test func foreignVersionIsNamed() async throws {
    let queue = try ScriptedQueue()
    let connection = try CallConnection(quick(queue.endpoint))
    let waiting = Task { try await connection.call(.status, [1], timeout: nil) }
    let opening = try await queue.arrival { $0.payloadBytes == 1 }
    queue.send(frames: [[UInt8(ascii: "R"), UInt8(ascii: "K"), 9, 8]], to: opening.peer)
    let error = await #expect(throws: CallError.self) { try await waiting.value }
    #expect(error?.details.reason == "UNSUPPORTED_VERSION")
    #expect(error?.message.contains("version 9") == true)
    await connection.close()
  }
}
