import RerankdProtocol
import Testing
import ZeroMQ

@testable import CallTransport

/// Event → action, under a clock that stands still unless it is told.
@Suite struct CallMultiplexerTests {
  @Test func openedCallGoesOutAfterThePing() throws {
    var wire = try Wire()
    #expect(wire.open(1, message: [7], timeout: .seconds(3)) == [])
    wire.now = .seconds(1)
    let sent = wire.sendAll()
    #expect(sent.count == 2)
    #expect(sent.first == .ping)
    guard case .open(let head, let payload) = sent.last?.body else {
      Issue.record("expected OPEN, got \(sent)")
      return
    }
    // What remains when it leaves, and not what was given when it was made.
    #expect(head.timeoutMs == 2_000)
    #expect(payload == [7])
    #expect(sent.last?.flags == .end)
  }

  @Test func answerFinishesItsCallOnce() throws {
    var wire = try Wire(opened: 1)
    #expect(wire.receive(.answer(1, [9])) == [.finish(callID: 1, .ok(answer: [9]))])
    #expect(wire.receive(.answer(1, [9])) == [])
    #expect(wire.machine.openCalls == 0)
  }

  @Test func answerInFragmentsIsJoined() throws {
    var wire = try Wire(opened: 1)
    #expect(wire.receive(Envelope(callID: 1, flags: .more, .message(payload: [1]))) == [])
    #expect(wire.receive(.answer(1, [2])) == [.finish(callID: 1, .ok(answer: [1, 2]))])
  }

  @Test func errorStatusVoidsFragments() throws {
    var wire = try Wire(opened: 1)
    let error = CallError(.notFound, "no such job")
    #expect(wire.receive(Envelope(callID: 1, flags: .more, .message(payload: [1]))) == [])
    #expect(
      wire.receive(.failure(callID: 1, error)) == [.finish(callID: 1, .failed(error))])
  }

  @Test func okInTheMiddleOfAMessageIsTheQueuesDefect() throws {
    var wire = try Wire(opened: 1)
    _ = wire.receive(Envelope(callID: 1, flags: .more, .message(payload: [1])))
    let actions = wire.receive(Envelope(callID: 1, .status(CallStatus(), payload: nil)))
    #expect(actions.failure(of: 1)?.code == .internal)
  }

  @Test func unaryCallAnsweredByAStreamIsCancelled() throws {
    var wire = try Wire(opened: 1)
    let actions = wire.receive(Envelope(callID: 1, .message(payload: [1])))
    #expect(actions.failure(of: 1)?.code == .internal)
    #expect(wire.sendAll() == [Envelope(callID: 1, .cancel)])
  }

  @Test func lastMessageOfAStreamMayComeWithItsStatus() throws {
    var wire = try Wire(opened: 1, shape: .stream)
    #expect(
      wire.receive(.answer(1, [5]))
        == [.deliver(callID: 1, message: [5]), .finish(callID: 1, .ok(answer: nil))])
  }

  @Test func fragmentsWaitForTheWindow() throws {
    var wire = try Wire {
      $0.limits.frameBytesMax = 4
      $0.limits.initialWindowBytes = 10
    }
    _ = wire.open(1, message: [UInt8](repeating: 1, count: 16))
    #expect(wire.sendAll().map(\.payloadBytes) == [0, 4, 4])
    _ = wire.receive(Envelope(callID: 1, .window(bytes: 1)))
    #expect(wire.sendAll() == [])
    _ = wire.receive(Envelope(callID: 1, .window(bytes: 4)))
    #expect(wire.sendAll().map(\.payloadBytes) == [4])
    _ = wire.receive(Envelope(callID: 1, .window(bytes: 4)))
    #expect(wire.sendAll().map(\.flags) == [.end])
  }

  @Test func largeCallDoesNotHoldUpSmallOnes() throws {
    var wire = try Wire { $0.limits.frameBytesMax = 4 }
    _ = wire.open(1, message: [UInt8](repeating: 1, count: 12))
    _ = wire.open(2, message: [2])
    #expect(wire.sendAll().map(\.callID) == [0, 1, 2, 1, 1])
  }

  @Test func streamHasRoomAgainOnceEnoughIsSent() throws {
    var wire = try Wire {
      $0.limits.frameBytesMax = 4
      $0.streamOutboxBytesMax = 8
    }
    _ = wire.open(1, shape: .stream, message: nil)
    _ = wire.machine.send(callID: 1, [UInt8](repeating: 1, count: 8), end: false)
    #expect(wire.machine.hasRoom(callID: 1))
    _ = wire.machine.send(callID: 1, [1], end: false)
    #expect(!wire.machine.hasRoom(callID: 1))
    #expect(wire.sendOne() == [])  // PING
    #expect(wire.sendOne() == [])  // OPEN
    #expect(wire.sendOne() == [.room(callID: 1)])
    #expect(wire.sendOne() == [])
    // Whoever waits on a call that is over must not wait for ever.
    #expect(wire.machine.hasRoom(callID: 99))
  }

  @Test func nothingIsSentAfterTheEnd() throws {
    var wire = try Wire(opened: 1, shape: .stream)
    _ = wire.machine.send(callID: 1, nil, end: true)
    _ = wire.machine.send(callID: 1, [1], end: false)
    #expect(wire.sendAll() == [Envelope(callID: 1, flags: .end, .message(payload: nil))])
  }

  @Test func cancelTellsTheQueueOnlyOfWhatItKnows() throws {
    var wire = try Wire(opened: 1)
    _ = wire.open(2, message: [1])
    #expect(wire.machine.cancel(callID: 1).failure(of: 1)?.code == .cancelled)
    #expect(wire.machine.cancel(callID: 2).failure(of: 2)?.code == .cancelled)
    #expect(wire.machine.cancel(callID: 3) == [])
    #expect(wire.sendAll() == [Envelope(callID: 1, .cancel)])
  }

  @Test func cancelledStreamStillSendsWhatItTook() throws {
    var wire = try Wire(opened: 1, shape: .stream)
    _ = wire.machine.send(callID: 1, [1, 2], end: false)
    #expect(wire.machine.cancel(callID: 1).failure(of: 1)?.code == .cancelled)
    #expect(
      wire.sendAll() == [
        Envelope(callID: 1, .message(payload: [1, 2])), Envelope(callID: 1, .cancel),
      ])
  }

  @Test func cancelledStreamKeepsToItsWindow() throws {
    var wire = try Wire {
      $0.limits.frameBytesMax = 4
      $0.limits.initialWindowBytes = 10
    }
    _ = wire.open(1, shape: .stream, message: nil)
    _ = wire.sendAll()
    _ = wire.machine.send(callID: 1, [UInt8](repeating: 1, count: 12), end: false)
    _ = wire.machine.cancel(callID: 1)
    #expect(wire.sendAll().map(\.payloadBytes) == [4, 4, 0])
  }

  @Test func deadlineIsKeptToTheMoment() throws {
    var wire = try Wire(opened: 1, timeout: .milliseconds(1_500))
    _ = wire.open(2, message: [], timeout: .milliseconds(1_000))
    #expect(wire.machine.nextTick == .milliseconds(1_000))
    #expect(wire.tick(at: .milliseconds(999)) == [])
    #expect(wire.tick(at: .milliseconds(1_000)).failure(of: 2)?.code == .deadlineExceeded)
    #expect(wire.tick(at: .milliseconds(1_500)).failure(of: 1)?.code == .deadlineExceeded)
    #expect(wire.sendAll() == [Envelope(callID: 1, .cancel)])
  }

  @Test func timeThatEndsWhileTheQueueIsAwaySaysThatItIsAway() throws {
    var wire = try Wire(opened: 1)
    _ = wire.machine.disconnected(.broken, now: .zero)
    _ = wire.open(2, message: [], timeout: .milliseconds(200))
    let actions = wire.tick(at: .milliseconds(200))
    #expect(actions.failure(of: 2)?.code == .unavailable)
    #expect(actions.failure(of: 2)?.details.reason == "NO_QUEUE")
  }

  @Test func timeThatEndsAfterTheCallWasSentIsADeadlineEvenUnheard() throws {
    var wire = try Wire()
    _ = wire.open(1, message: [], timeout: .milliseconds(200))
    _ = wire.sendAll()
    #expect(wire.tick(at: .milliseconds(200)).failure(of: 1)?.code == .deadlineExceeded)
  }

  // MARK: Limits

  @Test func callsBeyondTheMostAreRefused() throws {
    var wire = try Wire { $0.limits.openCallsMax = 1 }
    #expect(wire.open(1, message: []) == [])
    #expect(wire.open(2, message: []).failure(of: 2)?.details.reason == "TOO_MANY_CALLS")
    _ = wire.machine.cancel(callID: 1)
    #expect(wire.open(3, message: []) == [])
  }

  @Test func outboxIsBoundedOverAllCalls() throws {
    var wire = try Wire { $0.outboxBytesMax = 10 }
    #expect(wire.open(1, message: [UInt8](repeating: 1, count: 10)) == [])
    #expect(wire.open(2, message: [1]).failure(of: 2)?.details.reason == "OUTBOX_FULL")
    _ = wire.sendAll()
    #expect(wire.open(3, message: [1]) == [])
    _ = wire.machine.cancel(callID: 3)
    #expect(wire.open(4, message: [UInt8](repeating: 1, count: 10)) == [])
  }

  @Test func messageOverTheLimitIsRefusedHere() throws {
    var wire = try Wire { $0.limits.messageBytesMax = 4 }
    #expect(
      wire.open(1, message: [1, 2, 3, 4, 5]).failure(of: 1)?.details.reason
        == "MESSAGE_TOO_LARGE")
    _ = wire.open(2, shape: .stream, message: nil)
    #expect(
      wire.machine.send(callID: 2, [1, 2, 3, 4, 5], end: false).failure(of: 2)?.code
        == .invalidArgument)
  }

  @Test func settingsThatCannotWorkAreNamed() throws {
    let wrong: [(String, (inout ConnectionConfiguration) -> Void)] = [
      ("heartbeatInterval", { $0.heartbeatInterval = .zero }),
      ("silentIntervalsMax", { $0.silentIntervalsMax = 0 }),
      ("reopenBackoffMax", { $0.reopenBackoffMax = .milliseconds(1) }),
      ("limits.initialWindowBytes", { $0.limits.initialWindowBytes = 1 << 20 }),
      ("limits.messageBytesMax", { $0.limits.messageBytesMax = 1 }),
      ("limits.openCallsMax", { $0.limits.openCallsMax = 0 }),
    ]
    for (key, spoil) in wrong {
      var configuration = ConnectionConfiguration(endpoint: try Endpoint("ipc://unused"))
      #expect(configuration.firstProblem == nil)
      spoil(&configuration)
      #expect(configuration.firstProblem?.key == key)
      let error = #expect(throws: ZeroMQError.self) { try CallConnection(configuration) }
      #expect(error?.message.contains(key) == true)
    }
  }

  // MARK: The connection

  @Test func pingGoesOutWhenNothingElseDoes() throws {
    var wire = try Wire(opened: 1)
    #expect(wire.machine.nextTick == .seconds(2))
    _ = wire.tick(at: .milliseconds(1_999))
    #expect(wire.sendAll() == [])
    _ = wire.tick(at: .seconds(2))
    #expect(wire.sendAll() == [.ping])
    // Hearing alone is not enough: the queue must hear of us, too.
    wire.now = .milliseconds(3_900)
    _ = wire.receive(.ping)
    #expect(wire.sendAll() == [.pong])
    _ = wire.tick(at: .milliseconds(5_899))
    #expect(wire.sendAll() == [])
    _ = wire.tick(at: .milliseconds(5_900))
    #expect(wire.sendAll() == [.ping])
  }

  @Test func silenceLosesTheConnectionAndWhatHadBegun() throws {
    var wire = try Wire(opened: 1)
    _ = wire.tick(at: .milliseconds(7_999))
    _ = wire.open(2, message: [])
    let actions = wire.tick(at: .seconds(8))
    #expect(actions.first == .closeSocket)
    #expect(actions.failure(of: 1)?.details.reason == "CONNECTION_LOST")
    #expect(actions.failure(of: 2) == nil)
    #expect(wire.sendAll() == [])
    // The waiting call goes out on the next connection, within the first backoff of 50 ms.
    #expect(wire.tick(at: .milliseconds(8_050)) == [.openSocket])
    #expect(wire.sendAll().map(\.callID) == [0, 2])
  }

  @Test func brokenConnectionFailsWhatHadBegunAtOnce() throws {
    var wire = try Wire(opened: 1)
    _ = wire.open(2, message: [])
    let actions = wire.machine.disconnected(.broken, now: .seconds(1))
    #expect(actions.first == .closeSocket)
    #expect(actions.failure(of: 1)?.code == .unavailable)
    #expect(wire.machine.openCalls == 1)
    #expect(wire.machine.disconnected(.broken, now: .seconds(1)) == [])
  }

  @Test func connectionThatCannotBeMadeFailsAllCalls() throws {
    var wire = try Wire()
    _ = wire.open(1, message: [])
    #expect(wire.tick(at: .milliseconds(2_999)) == [])
    let actions = wire.tick(at: .seconds(3))
    #expect(actions.first == .closeSocket)
    #expect(actions.failure(of: 1)?.details.reason == "NO_QUEUE")
    #expect(wire.machine.openCalls == 0)
  }

  @Test func peerThatHangsUpUnheardKeepsNobodyWaiting() throws {
    var wire = try Wire()
    _ = wire.open(1, message: [])
    let actions = wire.machine.disconnected(.broken, now: .seconds(1))
    #expect(actions.failure(of: 1)?.code == .unavailable)
  }

  @Test func refusedKeyIsSaidToEveryCall() throws {
    var wire = try Wire()
    _ = wire.open(1, message: [])
    let refusal = CallError(.unauthenticated, "the queue refuses this key")
    #expect(
      wire.machine.disconnected(.failed(refusal), now: .zero)
        == [.closeSocket, .finish(callID: 1, .failed(refusal))])
  }

  @Test func backoffGrowsWithFailuresAndEndsWithTheFirstSuccess() throws {
    var wire = try Wire()
    var waits: [Duration] = []
    for _ in 0..<12 {
      _ = wire.machine.disconnected(.broken, now: wire.now)
      waits.append(wire.machine.nextTick - wire.now)
      wire.now = wire.machine.nextTick
      #expect(wire.tick(at: wire.now) == [.openSocket])
    }
    for (index, wait) in waits.enumerated() {
      #expect(wait <= min(.milliseconds(50) * (1 << index), .seconds(2)))
    }
    #expect(waits.max() ?? .zero > .milliseconds(200))
    _ = wire.receive(.pong)
    _ = wire.machine.disconnected(.broken, now: wire.now)
    #expect(wire.machine.nextTick - wire.now <= .milliseconds(50))
  }

  @Test func clientThatWasStoppedForTooLongAttachesAnew() throws {
    var wire = try Wire(opened: 1, shape: .stream)
    // The loop ticks before it receives, and what was in the socket's buffer comes too late.
    wire.now = .seconds(30)
    #expect(wire.tick(at: .seconds(30)).failure(of: 1)?.details.reason == "CONNECTION_LOST")
    #expect(wire.receive(.pong) == [])
    #expect(wire.tick(at: .seconds(31)) == [.openSocket])
  }

  @Test func forgottenSessionIsALostConnection() throws {
    var wire = try Wire(opened: 1, shape: .stream)
    let lost = CallError(.unavailable, "forgotten", reason: "SESSION_LOST")
    let actions = wire.receive(Envelope(callID: 0, .reject(lost.status)))
    #expect(actions.first == .closeSocket)
    #expect(actions.failure(of: 1)?.details.reason == "CONNECTION_LOST")
  }

  @Test func closingEndsEveryCallAndTellsTheQueue() throws {
    var wire = try Wire(opened: 1)
    _ = wire.open(2, message: [])
    let actions = wire.machine.close()
    #expect(actions.failure(of: 1)?.code == .cancelled)
    #expect(actions.failure(of: 2)?.code == .cancelled)
    #expect(wire.sendAll() == [Envelope(callID: 1, .cancel)])
  }

  // MARK: What is not understood

  @Test func rejectionFailsTheCallItNames() throws {
    var wire = try Wire(opened: 1)
    let error = CallError(.invalidArgument, "call id in use", reason: "CALL_ID_IN_USE")
    #expect(
      wire.receive(Envelope(callID: 1, .reject(error.status)))
        == [.finish(callID: 1, .failed(error))])
    #expect(wire.receive(Envelope(callID: 1, .reject(error.status))) == [])
    #expect(wire.receive(Envelope(callID: 0, .reject(error.status))) == [])
    // A REJECT is never answered.
    #expect(wire.sendAll() == [])
  }

  @Test func unknownKindIsIgnored() throws {
    var wire = try Wire(opened: 1)
    var frames = Envelope(callID: 1, .cancel).frames()
    frames[0][3] = 200
    #expect(wire.machine.received(frames, now: .zero) == [])
    #expect(wire.sendAll() == [])
    #expect(wire.machine.openCalls == 1)
  }

  @Test func malformedMessageIsRejectedAndEndsItsCall() throws {
    var wire = try Wire(opened: 1)
    var frames = Envelope(callID: 1, .window(bytes: 1)).frames()
    frames[1].removeLast()
    let actions = wire.machine.received(frames, now: .zero)
    #expect(actions.failure(of: 1)?.code == .internal)
    let sent = wire.sendAll()
    guard case .reject(let status) = sent.first?.body else {
      Issue.record("expected REJECT, got \(sent)")
      return
    }
    #expect(status.details.reason == "MALFORMED_MESSAGE")
  }

  @Test func clientsKindsFromTheQueueAreRejected() throws {
    var wire = try Wire(opened: 1)
    #expect(wire.receive(Envelope(callID: 1, .cancel)) == [])
    guard case .reject = wire.sendAll().first?.body else {
      Issue.record("expected REJECT")
      return
    }
    #expect(wire.machine.openCalls == 1)
  }

  @Test func foreignVersionFailsAllCalls() throws {
    var wire = try Wire(opened: 1)
    let actions = wire.machine.received([[0x52, 0x4B, 2]], now: .zero)
    #expect(actions.failure(of: 1)?.details.reason == "UNSUPPORTED_VERSION")
  }
}

/// A multiplexer with a socket that takes everything.
private struct Wire {
  var machine: CallMultiplexer
  var now = Duration.zero

  init(_ adjust: (inout ConnectionConfiguration) -> Void = { _ in }) throws {
    var configuration = ConnectionConfiguration(
      endpoint: try Endpoint(DefaultEndpoint.producers))
    adjust(&configuration)
    machine = CallMultiplexer(configuration: configuration, seed: 1, now: .zero)
  }

  /// Up, with one call that the queue knows of.
  init(
    opened callID: UInt64, shape: CallMultiplexer.Shape = .unary, timeout: Duration? = nil
  ) throws {
    try self.init()
    _ = open(callID, shape: shape, message: [1], timeout: timeout)
    _ = sendAll()
    _ = receive(.pong)
  }

  mutating func open(
    _ callID: UInt64, shape: CallMultiplexer.Shape = .unary, message: [UInt8]?,
    timeout: Duration? = nil
  ) -> [CallMultiplexer.Action] {
    machine.open(
      callID: callID, "/m", metadata: [:], shape: shape, message: message, timeout: timeout,
      now: now)
  }

  mutating func sendAll() -> [Envelope] {
    var sent: [Envelope] = []
    while let frames = machine.nextToSend(now: now) {
      if let envelope = try? Envelope(frames: frames) { sent.append(envelope) }
      _ = machine.didSend(now: now)
    }
    return sent
  }

  mutating func sendOne() -> [CallMultiplexer.Action] {
    guard machine.nextToSend(now: now) != nil else { return [] }
    return machine.didSend(now: now)
  }

  mutating func receive(_ envelope: Envelope) -> [CallMultiplexer.Action] {
    machine.received(envelope.frames(), now: now)
  }

  mutating func tick(at time: Duration) -> [CallMultiplexer.Action] {
    now = time
    return machine.tick(now: time)
  }
}

extension Envelope {
  fileprivate static func answer(_ callID: UInt64, _ payload: [UInt8]) -> Envelope {
    Envelope(callID: callID, .status(CallStatus(), payload: payload))
  }
}

extension [CallMultiplexer.Action] {
  fileprivate func failure(of callID: UInt64) -> CallError? {
    for case .finish(callID, .failed(let error)) in self { return error }
    return nil
  }
}
