import AccessKeys
import RerankdProtocol
import Testing

@testable import QueueRole

@Suite struct AccessPeerTableTests {
  private let table = PeerTableHarness()
  private let producer: Caller
  private let control: Caller

  init() throws {
    producer = try SampleKeys.caller(.producer, name: "p")
    control = try SampleKeys.caller(.control, name: "c")
    allow(try SampleKeys.list(producer, control))
    table.userID = producer.userID
  }

  @discardableResult
  private func allow(_ policy: AccessPolicy) -> [PeerAction] {
    var actions: [PeerAction] = []
    table.table.allow(policy, into: &actions)
    return actions
  }

  @Test func unknownKeyIsToldSoWhenItOpensACallAndElseNothing() throws {
    for userID in [nil, "", try SampleKeys.caller(.control).userID] {
      table.userID = userID
      let actions = table.open(1)
      #expect(actions.failure?.details.reason == "KEY_NOT_AUTHORIZED")
      #expect(actions.validated.isEmpty)
      #expect(table.receive(.ping).isEmpty)
      #expect(table.receive(Envelope(callID: 1, .message(payload: [1]))).isEmpty)
      #expect(table.table.isEmpty)
    }
    #expect(table.table.deniedMessages == 9)
  }

  @Test func callThatTheRoleDoesNotAllowIsRefusedAndTheOthersGoOn() {
    let denied = table.open(1, RerankdProtocol.Method.status.rawValue).failure
    #expect(denied?.code == .permissionDenied && denied?.details.reason == "ROLE_DENIED")
    #expect(denied?.message.contains("\"p\" has the role producer") == true)
    #expect(table.open(2).validated.count == 1)
    #expect(table.table.deniedMessages == 1)
  }

  @Test func messageWithAnotherKeyIsNotThePeers() throws {
    _ = try #require(table.openStream(1))
    table.userID = control.userID
    #expect(table.receive(Envelope(callID: 1, .message(payload: [2]))).isEmpty)
    #expect(table.cancel(1).isEmpty)
    #expect(table.table.deniedMessages == 2)
    table.userID = producer.userID
    #expect(table.receive(Envelope(callID: 1, .message(payload: [2]))).validated.count == 1)
  }

  @Test func revokedKeyLosesItsCallsAndOthersNothing() throws {
    let stream = try #require(table.openStream(1))
    let fresh = table.open(2)
    #expect(fresh.validated.count == 1)
    table.userID = control.userID
    var head = CallHead()
    head.method = RerankdProtocol.Method.status.rawValue
    let other = table.receive(
      Envelope(callID: 1, flags: .end, .open(head, payload: [1])), from: PeerTableHarness.other)
    let kept = try #require(other.validated.first?.origin)
    let actions = allow(try SampleKeys.list(control))
    #expect(actions.revoked == [stream.call])
    #expect(actions.sent.map(\.callID).sorted() == [1, 2])
    #expect(actions.failure?.details.reason == "KEY_NOT_AUTHORIZED")
    #expect(table.table.openCalls == [kept])
    // The connection is still there, and nobody listens.
    table.userID = producer.userID
    #expect(table.receive(.ping).isEmpty)
    #expect(!table.table.admitToCore(stream))
    #expect(table.table.caller(of: stream) == nil)
  }

  @Test func keyThatMayDoSomethingElseNowOpensItsCallsAnew() throws {
    let stream = try #require(table.openStream(1))
    var key = try #require(producer.key)
    key.tenants = .all
    let changed = Caller(key: key)
    let actions = allow(try SampleKeys.list(changed, control))
    #expect(actions.revoked == [stream.call])
    #expect(actions.failure?.code == .unavailable)
    #expect(actions.failure?.details.reason == "KEY_CHANGED")
    let again = try #require(table.openStream(2))
    #expect(table.table.caller(of: again) == changed)
    // The same list again changes nothing.
    #expect(allow(try SampleKeys.list(changed, control)).isEmpty)
  }
}

extension [PeerAction] {
  fileprivate var revoked: [CallRef] {
    compactMap { if case .callRevoked(let call) = $0 { call } else { nil } }
  }
}
