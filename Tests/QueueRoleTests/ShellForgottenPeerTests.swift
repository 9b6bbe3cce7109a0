import RerankdProtocol
import SwiftProtobuf
import Testing

@testable import QueueRole

@Suite struct ShellForgottenPeerTests {
  @Test func silentPeerIsForgottenWithItsCalls() throws {
    let table = PeerTableHarness()
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
    let table = PeerTableHarness()
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
    let table = PeerTableHarness()
    let stream = try #require(table.openStream(1))
    #expect(table.forget(stream) == [stream.call])
    // Its connection was full the first time.
    for envelope in [.ping, Envelope(callID: 1, .message(payload: [1])), .ping] {
      #expect(table.receive(envelope).lost == [PeerTableHarness.id])
    }
    // A call of a client that takes its session for alive would be one of two that it loses.
    #expect(table.open(2).lost == [PeerTableHarness.id])
    table.table.haveTold(.producers, PeerTableHarness.id)
    #expect(table.receive(.ping).sent == [.pong])
    #expect(table.open(3).validated.count == 1)
  }

  @Test func forgottenPeerWithoutCallsHasNothingToBeTold() throws {
    let table = PeerTableHarness()
    let origin = try #require(table.open(1).validated.first?.origin)
    table.table.endCall(origin)
    #expect(table.forget(origin).isEmpty)
    #expect(table.open(2).validated.count == 1)
  }

  @Test func messageWithoutASessionIsRejected() throws {
    let table = PeerTableHarness()
    let actions = table.receive(Envelope(callID: 1, .message(payload: [1])))
    #expect(actions.sent == [.sessionLost])
    guard case .reject(let status)? = actions.sent.first?.body else { return }
    #expect(actions.sent.first?.callID == 0)
    #expect(status.code == StatusCode.unavailable.rawValue)
    #expect(status.details.reason == "SESSION_LOST")
    #expect(table.receive(Envelope(callID: 1, .cancel)).isEmpty)
  }

  @Test func forgottenPeersAreRememberedUpToALimit() throws {
    let table = PeerTableHarness()
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
}
