import RerankdProtocol
import SwiftProtobuf
import Testing

@testable import QueueRole

@Suite struct ShellPeerCallEndTests {
  @Test func cancelledCallIsReportedOnceTheCoreKnowsIt() throws {
    let table = PeerTableHarness()
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
    let table = PeerTableHarness()
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
    let table = PeerTableHarness()
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
    let table = PeerTableHarness()
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
    let table = PeerTableHarness()
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
    let table = PeerTableHarness()
    for callID in 1...3 { #expect(table.open(UInt64(callID)).failure == nil) }
    let origin = try #require(table.cancel(1).validated.first?.origin)
    #expect(table.open(4).failure == nil)
    #expect(table.open(5).failure?.code == .resourceExhausted)
    table.endCancelled(origin)
    #expect(table.open(6).failure?.code == .resourceExhausted)
  }

  @Test func messageOfACancelledCallDoesNotReachItsSuccessor() throws {
    let table = PeerTableHarness()
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
    let table = PeerTableHarness()
    let stream = try #require(table.openStream(1))
    table.table.beginEnding(stream.call)
    #expect(!table.table.admitToCore(stream))
    #expect(table.table.address(of: stream) != nil)
    table.table.endCall(stream)
    #expect(table.table.address(of: stream) == nil)
    #expect(table.open(1).failure == nil)
  }

  @Test func timeoutEndsTheCall() throws {
    let table = PeerTableHarness()
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
    let table = PeerTableHarness()
    for (callID, timeoutMs) in [(1, 800), (2, 300), (3, 0)] as [(UInt64, UInt64)] {
      table.open(callID, timeoutMs: timeoutMs)
    }
    table.open(4, timeoutMs: 500, from: PeerTableHarness.other)
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
}
