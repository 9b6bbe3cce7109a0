import RerankdProtocol
import SwiftProtobuf
import Testing

@testable import QueueRole

@Suite struct ShellPeerTableTests {
  @Test func pingIsAnsweredEvenToStrangers() {
    let table = PeerTableHarness()
    #expect(table.receive(.ping).sent == [.pong])
    #expect(table.table.isEmpty)
  }

  @Test func unaryCallIsHandedOverOnce() throws {
    let table = PeerTableHarness()
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
    let table = PeerTableHarness()
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

  @Test func unknownMethodIsUnimplemented() {
    #expect(PeerTableHarness().open(1, "/rerankd.v1.JobQueue/Fly").failure?.code == .unimplemented)
  }

  @Test func eachServiceHasItsSocket() {
    let attach = RerankdProtocol.Method.attach.rawValue
    #expect(PeerTableHarness().open(1, attach).failure?.code == .permissionDenied)
    #expect(PeerTableHarness().open(1, on: .workers).failure?.code == .permissionDenied)
    #expect(PeerTableHarness().open(1, attach, flags: [], on: .workers).failure == nil)
  }

  @Test func callIDInUseIsRejectedAndTheCallGoesOn() throws {
    let table = PeerTableHarness()
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
    let table = PeerTableHarness()
    for callID in 1...3 { #expect(table.open(UInt64(callID)).failure == nil) }
    #expect(table.open(4).failure?.code == .resourceExhausted)
    #expect(table.open(1, from: PeerTableHarness.other).failure == nil)
    #expect(table.open(1, from: [0, 5, 5, 5, 5]).failure?.code == .resourceExhausted)
  }

  @Test func closingQueueTakesNoNewCalls() {
    let table = PeerTableHarness()
    table.table.isClosing = true
    #expect(table.open(1).failure?.code == .unavailable)
  }

  @Test func chosenRoutingIDIsRejected() {
    let actions = PeerTableHarness().open(1, from: Array("me".utf8))
    guard case .reject(let status)? = actions.sent.first?.body else {
      Issue.record("\(actions)")
      return
    }
    #expect(status.details.reason == "ROUTING_ID_CHOSEN")
  }

  @Test func otherVersionIsRejected() {
    let table = PeerTableHarness()
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
    let table = PeerTableHarness()
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
    let table = PeerTableHarness()
    let stream = try #require(table.openStream(1))
    let actions = table.receive(Envelope(callID: 1, .message(payload: [1])).frames() + [[1], [2]])
    #expect(actions.failure?.code == .invalidArgument)
    #expect(actions.ended == [stream.call])
  }

  @Test func oversizedMessageEndsTheCallThatItIsMissingIn() throws {
    let table = PeerTableHarness()
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
    let table = PeerTableHarness()
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
      table.receive(frames, from: PeerTableHarness.other)
    }
    #expect(table.table.address(of: stream) != nil)
    #expect(table.table.malformedMessages > 1_000)
  }

  @Test func unaryCallNeedsItsMessage() {
    let table = PeerTableHarness()
    #expect(
      table.open(1, RerankdProtocol.Method.get.rawValue, nil).failure?.code == .invalidArgument)
    #expect(table.open(2, flags: []).failure == nil)
    let second = table.receive(Envelope(callID: 2, .message(payload: [2])))
    #expect(second.failure?.code == .invalidArgument)
  }

  @Test func endWithoutPayloadAfterTheRequestIsFine() {
    let table = PeerTableHarness()
    table.open(1, flags: [])
    #expect(table.receive(Envelope(callID: 1, flags: .end, .message(payload: nil))).isEmpty)
    #expect(table.table.openCalls.count == 1)
  }
}
