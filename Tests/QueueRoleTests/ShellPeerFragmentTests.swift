import RerankdProtocol
import SwiftProtobuf
import Testing

@testable import QueueRole

@Suite struct ShellPeerFragmentTests {
  @Test func fragmentsArePutTogether() throws {
    let table = PeerTableHarness()
    let body = (0..<250).map { UInt8($0) }
    var head = CallHead()
    head.method = RerankdProtocol.Method.submit.rawValue
    let actions = Envelope.opening(
      callID: 1, head, message: body, end: true, limits: PeerTableHarness.limits.wire
    )
    .flatMap { table.receive($0) }
    guard case .message(_, .submit, body, isFirst: true, _)? = actions.validated.first else {
      Issue.record("\(actions)")
      return
    }
    #expect(actions.sent.map(\.body) == [.window(bytes: 200)])
  }

  @Test func messageBeyondTheLimitEndsItsCallAlone() throws {
    let table = PeerTableHarness()
    table.open(2, flags: .end)
    var head = CallHead()
    head.method = RerankdProtocol.Method.submit.rawValue
    let body = [UInt8](repeating: 0, count: 251)
    let actions = Envelope.opening(
      callID: 1, head, message: body, end: true, limits: PeerTableHarness.limits.wire
    )
    .flatMap { table.receive($0) }
    #expect(actions.failure?.code == .resourceExhausted)
    #expect(actions.validated.isEmpty)
    #expect(table.table.openCalls.map(\.call.call) == [2])
  }

  @Test func unfinishedMessagesOfAllPeersAreBounded() throws {
    let table = PeerTableHarness()
    let submit = RerankdProtocol.Method.submit.rawValue
    let half = [UInt8](repeating: 0, count: 100)
    table.open(1, submit, half, flags: .more)
    #expect(
      table.receive(Envelope(callID: 1, flags: .more, .message(payload: half))).failure == nil)
    #expect(table.open(1, submit, half, flags: .more, from: PeerTableHarness.other).failure == nil)
    let excess = table.receive(
      Envelope(callID: 1, flags: .more, .message(payload: half)), from: PeerTableHarness.other)
    #expect(excess.failure?.code == .resourceExhausted)
    // What the ended call held is free again.
    #expect(table.open(2, submit, half, flags: .more, from: PeerTableHarness.other).failure == nil)
  }

  @Test func longMessageOfManyFragmentsIsNotCopiedForEachOfThem() throws {
    let table = PeerTableHarness(PeerLimits())
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
    let table = PeerTableHarness()
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
    let table = PeerTableHarness()
    let stream = try #require(table.openStream(1))
    let hundred = Envelope(callID: 1, .message(payload: [UInt8](repeating: 0, count: 100)))
    for _ in 0..<3 { #expect(table.receive(hundred).failure == nil) }
    let actions = table.receive(hundred)
    #expect(actions.failure?.code == .resourceExhausted)
    #expect(actions.ended == [stream.call])
  }

  @Test func dealtWithBytesAreGrantedAgain() throws {
    let table = PeerTableHarness()
    let stream = try #require(table.openStream(1))
    var actions: [PeerAction] = []
    table.table.release(150, of: stream, into: &actions)
    #expect(actions.isEmpty)
    table.table.release(50, of: stream, into: &actions)
    #expect(actions.sent.map(\.body) == [.window(bytes: 200)])
  }
}
