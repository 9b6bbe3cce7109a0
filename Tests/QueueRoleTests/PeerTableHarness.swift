import RerankdProtocol
import SwiftProtobuf

@testable import QueueRole

/// A table and what it wanted done since it was last asked.
final class PeerTableHarness {
  static let id: [UInt8] = [0, 1, 2, 3, 4]
  static let other: [UInt8] = [0, 9, 9, 9, 9]

  var table: PeerTable
  var nowMs: Int64 = 1_000
  /// Of the key that messages come with.
  var userID: String?

  /// Limits so small that tests reach them.
  static var limits: PeerLimits {
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

  init(_ limits: PeerLimits = PeerTableHarness.limits) { table = PeerTable(limits: limits) }

  @discardableResult
  func receive(
    _ frames: [[UInt8]], from id: [UInt8] = PeerTableHarness.id,
    on socket: ListenSocket = .producers
  ) -> [PeerAction] {
    var actions: [PeerAction] = []
    table.receive([id] + frames, from: userID, on: socket, nowMs: nowMs, into: &actions)
    return actions.filter { if case .heard = $0 { false } else { true } }
  }

  @discardableResult
  func receive(
    _ envelope: Envelope, from id: [UInt8] = PeerTableHarness.id,
    on socket: ListenSocket = .producers
  ) -> [PeerAction] {
    receive(envelope.frames(), from: id, on: socket)
  }

  @discardableResult
  func open(
    _ callID: UInt64, _ method: String = RerankdProtocol.Method.get.rawValue,
    _ payload: [UInt8]? = [1], flags: Envelope.Flags = .end, timeoutMs: UInt64 = 0,
    from id: [UInt8] = PeerTableHarness.id, on socket: ListenSocket = .producers
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
      [PeerTableHarness.id] + frames, on: .producers, nowMs: nowMs, into: &actions)
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
