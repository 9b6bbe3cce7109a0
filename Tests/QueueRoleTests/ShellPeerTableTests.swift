import RerankdProtocol
import SwiftProtobuf
import Testing

@testable import QueueRole

@Suite struct ShellPeerTableTests {
  fileprivate static let id: [UInt8] = [0, 1, 2, 3, 4]
  fileprivate static let other: [UInt8] = [0, 9, 9, 9, 9]

  private var limits: PeerLimits {
    var limits = PeerLimits()
    limits.peersMax = 2
    limits.forgottenMax = 2
    limits.wire.openCallsMax = 3
    limits.wire.frameBytesMax = 100
    limits.wire.messageBytesMax = 250
    limits.wire.initialWindowBytes = 400
    limits.assemblingBytesPerPeerMax = 300
    limits.assemblingBytesMax = 350
    return limits
  }

  /// A table and what it wanted done since it was last asked.
  fileprivate final class Table {
    var table: PeerTable
    var nowMs: Int64 = 1_000

    init(_ limits: PeerLimits) { table = PeerTable(limits: limits) }

    @discardableResult
    func receive(
      _ frames: [[UInt8]], from id: [UInt8] = ShellPeerTableTests.id,
      on socket: ListenSocket = .producers
    ) -> [PeerAction] {
      var actions: [PeerAction] = []
      table.receive([id] + frames, on: socket, nowMs: nowMs, into: &actions)
      return actions.filter { if case .heard = $0 { false } else { true } }
    }

    @discardableResult
    func receive(
      _ envelope: Envelope, from id: [UInt8] = ShellPeerTableTests.id,
      on socket: ListenSocket = .producers
    ) -> [PeerAction] {
      receive(envelope.frames(), from: id, on: socket)
    }

    @discardableResult
    func open(
      _ callID: UInt64, _ method: String = RerankdProtocol.Method.get.rawValue,
      _ payload: [UInt8]? = [1], flags: Envelope.Flags = .end, timeoutMs: UInt64 = 0,
      from id: [UInt8] = ShellPeerTableTests.id, on socket: ListenSocket = .producers
    ) -> [PeerAction] {
      var head = CallHead()
      head.method = method
      head.timeoutMs = timeoutMs
      return receive(
        Envelope(callID: callID, flags: flags, .open(head, payload: payload)), from: id, on: socket)
    }

    /// Opens a stream of which the core knows.
    func openStream(
      _ callID: UInt64, timeoutMs: UInt64 = 0, on socket: ListenSocket = .producers
    ) -> CallInstance? {
      let method: RerankdProtocol.Method = socket == .workers ? .attach : .receive
      let actions = open(callID, method.rawValue, flags: [], timeoutMs: timeoutMs, on: socket)
      guard let origin = actions.validated.first?.origin, table.admitToCore(origin) else {
        return nil
      }
      return origin
    }

    @discardableResult
    func cancel(_ callID: UInt64) -> [PeerAction] {
      receive(Envelope(callID: callID, .cancel))
    }

    /// The CANCEL has come through the validator; returns the calls that the core hears of.
    @discardableResult
    func endCancelled(_ instance: CallInstance) -> [CallRef] {
      var actions: [PeerAction] = []
      table.endCancelled(instance, into: &actions)
      return actions.ended
    }

    func receiveOversized(_ frames: [[UInt8]]) -> [PeerAction] {
      var actions: [PeerAction] = []
      table.receiveOversized(
        [ShellPeerTableTests.id] + frames, on: .producers, nowMs: nowMs, into: &actions)
      return actions
    }

    /// Gives the peer of a call up; returns the calls that the core hears of.
    @discardableResult
    func forget(_ instance: CallInstance) -> [CallRef] {
      var actions: [PeerAction] = []
      table.forget(instance.call.peer, into: &actions)
      return actions.ended
    }
  }

  private func table() -> Table { Table(limits) }

  @Test func pingIsAnsweredEvenToStrangers() {
    let table = table()
    #expect(table.receive(.ping).sent == [.pong])
    #expect(table.table.isEmpty)
  }

  @Test func unaryCallIsHandedOverOnce() throws {
    let table = table()
    let actions = table.open(7)
    let item = try #require(actions.validated.first)
    guard case .message(let origin, .get, [1], isFirst: true, windowBytes: 0) = item else {
      Issue.record("\(item)")
      return
    }
    #expect(origin.call.call == 7)
    #expect(actions.count == 1)
    #expect(table.table.admitToCore(origin))
  }

  @Test func streamMessagesFollowEachOtherAndEndComesLast() throws {
    let table = table()
    let stream = try #require(table.openStream(1))
    let second = table.receive(Envelope(callID: 1, flags: .end, .message(payload: [2])))
    guard second.validated.count == 2,
      case .message(stream, .receive, [2], isFirst: false, windowBytes: 1) = second.validated[0],
      case .end(stream) = second.validated[1]
    else {
      Issue.record("\(second)")
      return
    }
  }

  @Test func fragmentsArePutTogether() throws {
    let table = table()
    let body = (0..<250).map { UInt8($0) }
    var head = CallHead()
    head.method = RerankdProtocol.Method.submit.rawValue
    let actions = Envelope.opening(callID: 1, head, message: body, end: true, limits: limits.wire)
      .flatMap { table.receive($0) }
    guard case .message(_, .submit, body, isFirst: true, _)? = actions.validated.first else {
      Issue.record("\(actions)")
      return
    }
    #expect(actions.sent.map(\.body) == [.window(bytes: 200)])
  }

  @Test func messageBeyondTheLimitEndsItsCallAlone() throws {
    let table = table()
    table.open(2, flags: .end)
    var head = CallHead()
    head.method = RerankdProtocol.Method.submit.rawValue
    let body = [UInt8](repeating: 0, count: 251)
    let actions = Envelope.opening(callID: 1, head, message: body, end: true, limits: limits.wire)
      .flatMap { table.receive($0) }
    #expect(actions.failure?.code == .resourceExhausted)
    #expect(actions.validated.isEmpty)
    #expect(table.table.openCalls.map(\.call.call) == [2])
  }

  @Test func unfinishedMessagesOfAllPeersAreBounded() throws {
    let table = table()
    let submit = RerankdProtocol.Method.submit.rawValue
    let half = [UInt8](repeating: 0, count: 100)
    table.open(1, submit, half, flags: .more)
    #expect(
      table.receive(Envelope(callID: 1, flags: .more, .message(payload: half))).failure == nil)
    #expect(table.open(1, submit, half, flags: .more, from: Self.other).failure == nil)
    let excess = table.receive(
      Envelope(callID: 1, flags: .more, .message(payload: half)), from: Self.other)
    #expect(excess.failure?.code == .resourceExhausted)
    // What the ended call held is free again.
    #expect(table.open(2, submit, half, flags: .more, from: Self.other).failure == nil)
  }

  @Test func longMessageOfManyFragmentsIsNotCopiedForEachOfThem() throws {
    let table = Table(PeerLimits())
    let fragment = [UInt8](repeating: 7, count: 4 << 10)
    let fragments = 16 << 20 / fragment.count
    let began = ContinuousClock.now
    var whole: [UInt8]?
    table.open(1, RerankdProtocol.Method.submit.rawValue, fragment, flags: .more)
    for index in 2...fragments {
      let actions = table.receive(
        Envelope(
          callID: 1, flags: index == fragments ? .end : .more, .message(payload: fragment)))
      #expect(actions.failure == nil)
      if case .message(_, _, let message, _, _)? = actions.validated.first { whole = message }
    }
    #expect(whole?.count == 16 << 20)
    // Copying all that was there each time would be 32 GiB.
    #expect(ContinuousClock.now - began < .seconds(3))
  }

  @Test func callThatIsEndedInTheMiddleOfAMessageGivesItsRoomBack() throws {
    let table = table()
    let submit = RerankdProtocol.Method.submit.rawValue
    let hundred = [UInt8](repeating: 0, count: 100)
    for callID in 1...20 as ClosedRange<UInt64> {
      // Too long, cancelled, unfinished when the peer is let go.
      let more = Envelope(callID: callID, flags: .more, .message(payload: hundred))
      #expect(table.open(callID, submit, hundred, flags: .more).failure == nil)
      #expect(table.receive(more).failure == nil)
      if callID % 2 == 0 {
        #expect(table.receive(more).failure?.code == .resourceExhausted)
      } else {
        table.receive(Envelope(callID: callID, .cancel))
      }
    }
    #expect(table.table.assemblingBytes == 0)
    let origin = try #require(table.open(50).validated.first?.origin)
    #expect(table.open(51, submit, hundred, flags: .more).failure == nil)
    table.forget(origin)
    #expect(table.table.assemblingBytes == 0)
  }

  @Test func senderThatIgnoresItsWindowLosesTheCall() throws {
    let table = table()
    let stream = try #require(table.openStream(1))
    let hundred = Envelope(callID: 1, .message(payload: [UInt8](repeating: 0, count: 100)))
    for _ in 0..<3 { #expect(table.receive(hundred).failure == nil) }
    let actions = table.receive(hundred)
    #expect(actions.failure?.code == .resourceExhausted)
    #expect(actions.ended == [stream.call])
  }

  @Test func dealtWithBytesAreGrantedAgain() throws {
    let table = table()
    let stream = try #require(table.openStream(1))
    var actions: [PeerAction] = []
    table.table.release(150, of: stream, into: &actions)
    #expect(actions.isEmpty)
    table.table.release(50, of: stream, into: &actions)
    #expect(actions.sent.map(\.body) == [.window(bytes: 200)])
  }

  @Test func unknownMethodIsUnimplemented() {
    #expect(table().open(1, "/rerankd.v1.JobQueue/Fly").failure?.code == .unimplemented)
  }

  @Test func eachServiceHasItsSocket() {
    let attach = RerankdProtocol.Method.attach.rawValue
    #expect(table().open(1, attach).failure?.code == .permissionDenied)
    #expect(table().open(1, on: .workers).failure?.code == .permissionDenied)
    #expect(table().open(1, attach, flags: [], on: .workers).failure == nil)
  }

  @Test func callIDInUseIsRejectedAndTheCallGoesOn() throws {
    let table = table()
    let stream = try #require(table.openStream(1))
    let actions = table.open(1)
    guard case .reject? = actions.sent.first?.body else {
      Issue.record("\(actions)")
      return
    }
    #expect(actions.validated.isEmpty)
    #expect(table.table.address(of: stream) != nil)
  }

  @Test func callsAndConnectionsAreBounded() {
    let table = table()
    for callID in 1...3 { #expect(table.open(UInt64(callID)).failure == nil) }
    #expect(table.open(4).failure?.code == .resourceExhausted)
    #expect(table.open(1, from: Self.other).failure == nil)
    #expect(table.open(1, from: [0, 5, 5, 5, 5]).failure?.code == .resourceExhausted)
  }

  @Test func closingQueueTakesNoNewCalls() {
    let table = table()
    table.table.isClosing = true
    #expect(table.open(1).failure?.code == .unavailable)
  }

  @Test func chosenRoutingIDIsRejected() {
    let actions = table().open(1, from: Array("me".utf8))
    guard case .reject(let status)? = actions.sent.first?.body else {
      Issue.record("\(actions)")
      return
    }
    #expect(status.details.reason == "ROUTING_ID_CHOSEN")
  }

  @Test func otherVersionIsRejected() {
    let table = table()
    var frames = Envelope.ping.frames()
    frames[0][2] = 9
    guard case .reject(let status)? = table.receive(frames).sent.first?.body else {
      Issue.record("not rejected")
      return
    }
    #expect(status.code == StatusCode.unimplemented.rawValue)
    #expect(table.table.malformedMessages == 1)
  }

  @Test func unknownKindIsIgnoredWithinACallAndRejectedOutside() throws {
    let table = table()
    let stream = try #require(table.openStream(1))
    var frames = Envelope(callID: 1, .cancel).frames()
    frames[0][3] = 200
    #expect(table.receive(frames).isEmpty)
    #expect(table.table.address(of: stream) != nil)
    frames = Envelope(callID: 2, .cancel).frames()
    frames[0][3] = 200
    #expect(table.receive(frames).sent.count == 1)
  }

  @Test func malformedMessageEndsItsCall() throws {
    let table = table()
    let stream = try #require(table.openStream(1))
    let actions = table.receive(Envelope(callID: 1, .message(payload: [1])).frames() + [[1], [2]])
    #expect(actions.failure?.code == .invalidArgument)
    #expect(actions.ended == [stream.call])
  }

  @Test func oversizedMessageEndsTheCallThatItIsMissingIn() throws {
    let table = table()
    let stream = try #require(table.openStream(1))
    let frames = Envelope(callID: 1, .message(payload: [1])).frames() + [[2], [3]]
    let oversized = table.receiveOversized(frames)
    #expect(oversized.failure?.details.reason == "MESSAGE_TOO_LARGE")
    #expect(oversized.ended == [stream.call])
    // Of a call that nobody knows, and of none.
    let stray = table.receiveOversized(Envelope(callID: 5, .message(payload: [1])).frames())
    #expect(stray.sent.map(\.callID) == [5])
    guard case .reject? = stray.sent.first?.body else {
      Issue.record("\(stray)")
      return
    }
    #expect(table.receiveOversized([]).sent.map(\.callID) == [0])
  }

  @Test func randomFramesNeverEndAnotherPeersCall() throws {
    let table = table()
    let stream = try #require(table.openStream(1))
    var random = SplitMix64(seed: 4)
    for _ in 0..<5_000 {
      var frames = (0..<Int.random(in: 0...4, using: &random)).map { _ in
        (0..<Int.random(in: 0...20, using: &random)).map { _ in
          UInt8.random(in: .min ... .max, using: &random)
        }
      }
      if Bool.random(using: &random) {
        var header = Envelope(callID: UInt64.random(in: 0...3, using: &random), .cancel).frames()[0]
        header[3] = UInt8.random(in: 0...10, using: &random)
        frames.insert(header, at: 0)
      }
      table.receive(frames, from: Self.other)
    }
    #expect(table.table.address(of: stream) != nil)
    #expect(table.table.malformedMessages > 1_000)
  }

  @Test func cancelledCallIsReportedOnceTheCoreKnowsIt() throws {
    let table = table()
    let stream = try #require(table.openStream(1))
    #expect(table.cancel(1).ended.isEmpty)
    #expect(table.endCancelled(stream) == [stream.call])
    // Of this one it has had nothing.
    let unknown = try #require(table.open(2).validated.first?.origin)
    table.cancel(2)
    #expect(table.endCancelled(unknown).isEmpty)
    // A call without a message has nothing on its way.
    table.open(3, RerankdProtocol.Method.receive.rawValue, nil, flags: [])
    #expect(table.cancel(3).isEmpty)
    #expect(table.table.openCalls.isEmpty)
  }

  @Test func cancelComesBehindWhatWasSaidBeforeIt() throws {
    let table = table()
    let stream = try #require(table.openStream(1))
    let said =
      table.receive(Envelope(callID: 1, .message(payload: [2]))).validated
      + table.cancel(1).validated
    guard said.count == 2, case .message(stream, .receive, [2], isFirst: false, _) = said[0],
      case .cancel(stream) = said[1]
    else {
      Issue.record("\(said)")
      return
    }
    #expect(table.table.admitToCore(stream))
    #expect(table.endCancelled(stream) == [stream.call])
    #expect(!table.table.admitToCore(stream))
  }

  @Test func cancelledCallTakesAndIsSentNothingMore() throws {
    let table = table()
    let stream = try #require(table.openStream(1, timeoutMs: 500))
    table.cancel(1)
    #expect(table.receive(Envelope(callID: 1, .message(payload: [2]))).isEmpty)
    #expect(table.receive(Envelope(callID: 1, .message(payload: [1])).frames() + [[1]]).isEmpty)
    #expect(table.cancel(1).isEmpty)
    #expect(table.table.address(of: stream) == nil)
    #expect(table.table.openCalls.isEmpty)
    var actions: [PeerAction] = []
    table.table.release(400, of: stream, into: &actions)
    table.table.sweep(nowMs: 1_500, into: &actions)
    #expect(actions.isEmpty)
    #expect(table.endCancelled(stream) == [stream.call])
  }

  @Test func cancelledCallEndsWithAFaultInWhatWasSaidBefore() throws {
    let table = table()
    let stream = try #require(table.openStream(1))
    table.cancel(1)
    var actions: [PeerAction] = []
    table.table.fail(stream, CallError(.invalidArgument, "fault"), into: &actions)
    #expect(actions.sent.isEmpty)
    #expect(actions.ended == [stream.call])
    #expect(!table.table.admitToCore(stream))
    #expect(table.endCancelled(stream).isEmpty)
  }

  @Test func coreHearsOnceOfACancelledCallThatItHasEnded() throws {
    let table = table()
    let early = try #require(table.openStream(1))
    table.cancel(1)
    table.table.beginEnding(early.call)
    #expect(table.table.address(of: early) == nil)
    #expect(table.endCancelled(early).isEmpty)
    let late = try #require(table.openStream(2))
    table.table.beginEnding(late.call)
    #expect(table.cancel(2).isEmpty)
    #expect(table.table.address(of: late) == nil)
  }

  @Test func cancelledCallsMakeRoomForOthersAtOnce() throws {
    let table = table()
    for callID in 1...3 { #expect(table.open(UInt64(callID)).failure == nil) }
    let origin = try #require(table.cancel(1).validated.first?.origin)
    #expect(table.open(4).failure == nil)
    #expect(table.open(5).failure?.code == .resourceExhausted)
    table.endCancelled(origin)
    #expect(table.open(6).failure?.code == .resourceExhausted)
  }

  @Test func messageOfACancelledCallDoesNotReachItsSuccessor() throws {
    let table = table()
    let first = try #require(table.open(1).validated.first?.origin)
    table.cancel(1)
    // Until the core has heard the end of the first.
    guard case .reject? = table.open(1).sent.first?.body else {
      Issue.record("not rejected")
      return
    }
    table.endCancelled(first)
    let second = try #require(table.open(1).validated.first?.origin)
    #expect(!table.table.admitToCore(first))
    #expect(table.table.admitToCore(second))
  }

  @Test func endedCallKeepsItsIDUntilItsStatusHasLeft() throws {
    let table = table()
    let stream = try #require(table.openStream(1))
    table.table.beginEnding(stream.call)
    #expect(!table.table.admitToCore(stream))
    #expect(table.table.address(of: stream) != nil)
    table.table.endCall(stream)
    #expect(table.table.address(of: stream) == nil)
    #expect(table.open(1).failure == nil)
  }

  @Test func timeoutEndsTheCall() throws {
    let table = table()
    let origin = try #require(table.open(1, timeoutMs: 500).validated.first?.origin)
    #expect(table.table.admitToCore(origin))
    var actions: [PeerAction] = []
    table.table.sweep(nowMs: 1_499, into: &actions)
    #expect(actions.isEmpty)
    table.table.sweep(nowMs: 1_500, into: &actions)
    #expect(actions.failure?.code == .deadlineExceeded)
    #expect(actions.ended == [origin.call])
  }

  @Test func everyCallEndsAtItsOwnTimeout() throws {
    let table = table()
    for (callID, timeoutMs) in [(1, 800), (2, 300), (3, 0)] as [(UInt64, UInt64)] {
      table.open(callID, timeoutMs: timeoutMs)
    }
    table.open(4, timeoutMs: 500, from: Self.other)
    var ended: [Int64: [UInt64]] = [:]
    for nowMs in stride(from: Int64(1_000), through: 3_000, by: 50) {
      var actions: [PeerAction] = []
      table.table.sweep(nowMs: nowMs, into: &actions)
      if !actions.isEmpty { ended[nowMs] = actions.sent.map(\.callID) }
      // One more, after others have ended.
      if nowMs == 2_000 {
        table.nowMs = nowMs
        table.open(5, timeoutMs: 100)
      }
    }
    #expect(ended == [1_300: [2], 1_500: [4], 1_800: [1], 2_100: [5]])
    #expect(table.table.openCalls.map(\.call.call) == [3])
  }

  @Test func silentPeerIsForgottenWithItsCalls() throws {
    let table = table()
    let stream = try #require(table.openStream(1))
    table.nowMs = 15_000
    table.receive(.ping)
    var actions: [PeerAction] = []
    table.table.sweep(nowMs: 34_999, into: &actions)
    #expect(actions.isEmpty)
    table.table.sweep(nowMs: 35_000, into: &actions)
    #expect(actions.ended == [stream.call])
    #expect(table.table.isEmpty)
  }

  @Test func peersAreNotForgottenForATimeInWhichTheQueueDidNotListen() throws {
    let table = table()
    let origin = try #require(table.openStream(1))
    let timed = try #require(table.open(2, timeoutMs: 30_000).validated.first?.origin)
    #expect(table.table.admitToCore(timed))
    var actions: [PeerAction] = []
    table.table.excuse(nowMs: 61_000)
    table.table.sweep(nowMs: 61_000, into: &actions)
    // Deadlines are the clock's.
    #expect(actions.ended == [timed.call])
    actions = []
    table.table.sweep(nowMs: 80_999, into: &actions)
    #expect(actions.isEmpty)
    table.table.sweep(nowMs: 81_000, into: &actions)
    #expect(actions.ended == [origin.call])
  }

  @Test func forgottenPeerIsToldAtItsNextMessageUntilItHasTakenTheNews() throws {
    let table = table()
    let stream = try #require(table.openStream(1))
    #expect(table.forget(stream) == [stream.call])
    // Its connection was full the first time.
    for envelope in [.ping, Envelope(callID: 1, .message(payload: [1])), .ping] {
      #expect(table.receive(envelope).lost == [Self.id])
    }
    // A call of a client that takes its session for alive would be one of two that it loses.
    #expect(table.open(2).lost == [Self.id])
    table.table.haveTold(.producers, Self.id)
    #expect(table.receive(.ping).sent == [.pong])
    #expect(table.open(3).validated.count == 1)
  }

  @Test func forgottenPeerWithoutCallsHasNothingToBeTold() throws {
    let table = table()
    let origin = try #require(table.open(1).validated.first?.origin)
    table.table.endCall(origin)
    #expect(table.forget(origin).isEmpty)
    #expect(table.open(2).validated.count == 1)
  }

  @Test func messageWithoutASessionIsRejected() throws {
    let table = table()
    let actions = table.receive(Envelope(callID: 1, .message(payload: [1])))
    #expect(actions.sent == [.sessionLost])
    guard case .reject(let status)? = actions.sent.first?.body else { return }
    #expect(actions.sent.first?.callID == 0)
    #expect(status.code == StatusCode.unavailable.rawValue)
    #expect(status.details.reason == "SESSION_LOST")
    #expect(table.receive(Envelope(callID: 1, .cancel)).isEmpty)
  }

  @Test func forgottenPeersAreRememberedUpToALimit() throws {
    let table = table()
    let ids: [[UInt8]] = (1...3).map { [0, 0, 0, 0, $0] }
    for id in ids {
      let origin = try #require(table.open(1, from: id).validated.first?.origin)
      table.forget(origin)
    }
    #expect(ids.map { table.receive(.ping, from: $0).lost.count } == [0, 1, 1])
    table.table.haveTold(.producers, ids[2])
    let other = try #require(table.open(1, from: ids[0]).validated.first?.origin)
    table.forget(other)
    #expect(ids.map { table.receive(.ping, from: $0).lost.count } == [1, 0, 0])
  }

  @Test func unaryCallNeedsItsMessage() {
    let table = table()
    #expect(
      table.open(1, RerankdProtocol.Method.get.rawValue, nil).failure?.code == .invalidArgument)
    #expect(table.open(2, flags: []).failure == nil)
    let second = table.receive(Envelope(callID: 2, .message(payload: [2])))
    #expect(second.failure?.code == .invalidArgument)
  }

  @Test func endWithoutPayloadAfterTheRequestIsFine() {
    let table = table()
    table.open(1, flags: [])
    #expect(table.receive(Envelope(callID: 1, flags: .end, .message(payload: nil))).isEmpty)
    #expect(table.table.openCalls.count == 1)
  }
}

extension [PeerAction] {
  var sent: [Envelope] {
    compactMap { if case .send(_, routingID: _, let envelope) = $0 { envelope } else { nil } }
  }

  var validated: [IntakeItem] {
    compactMap { if case .validate(let item) = $0 { item } else { nil } }
  }

  /// Who is to be told that its session is gone.
  var lost: [[UInt8]] {
    compactMap { if case .tellLost(_, let routingID) = $0 { routingID } else { nil } }
  }

  var ended: [CallRef] {
    compactMap { if case .callEnded(let call) = $0 { call } else { nil } }
  }

  /// The error of the first STATUS.
  var failure: CallError? {
    sent.lazy.compactMap {
      if case .status(let status, payload: _) = $0.body { CallError(status: status) } else { nil }
    }.first
  }
}
