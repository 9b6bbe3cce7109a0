internal import RerankdProtocol

/// What the loop asks and tells.
extension PeerTable {
  var isEmpty: Bool { peers.isEmpty }

  /// Whether anything of a call may still be sent, and where to.
  func address(of instance: CallInstance) -> (socket: ListenSocket, routingID: [UInt8])? {
    guard let peer = peers[instance.call.peer], let call = peer.calls[instance.call.call],
      call.serial == instance.serial, !call.isCancelled
    else { return nil }
    return (peer.key.socket, peer.routingID)
  }

  func address(of peer: PeerID) -> (socket: ListenSocket, routingID: [UInt8])? {
    peers[peer].map { ($0.key.socket, $0.routingID) }
  }

  func peer(_ socket: ListenSocket, _ routingID: [UInt8]) -> PeerID? {
    RoutingKey(socket, routingID: routingID).flatMap { ids[$0] }
  }

  /// Which call an effect of the core is about; nil when it has gone.
  func instance(of call: CallRef) -> CallInstance? {
    peers[call.peer]?.calls[call.call].map { CallInstance(call: call, serial: $0.serial) }
  }

  /// Whether the core may be given an input of this call. From then on it hears of the call's end.
  func admitToCore(_ instance: CallInstance) -> Bool {
    guard let peer = peers[instance.call.peer],
      let call = peer.calls[instance.call.call], call.serial == instance.serial,
      call.phase == .open
    else { return false }
    call.isKnownToCore = true
    return true
  }

  /// The core has decided the end of a call; its STATUS will follow.
  func beginEnding(_ call: CallRef) {
    peers[call.peer]?.calls[call.call]?.phase = .ending
  }

  /// The STATUS has left, or nobody waits for it.
  mutating func endCall(_ instance: CallInstance) {
    guard let peer = peers[instance.call.peer],
      peer.calls[instance.call.call]?.serial == instance.serial
    else { return }
    var none: [PeerAction] = []
    peer.calls[instance.call.call]?.phase = .ending
    remove(peer, instance.call.call, into: &none)
  }

  /// The core has had all that the client said before its CANCEL.
  mutating func endCancelled(_ instance: CallInstance, into actions: inout [PeerAction]) {
    guard let peer = peers[instance.call.peer],
      peer.calls[instance.call.call]?.serial == instance.serial
    else { return }
    remove(peer, instance.call.call, into: &actions)
  }

  mutating func fail(
    _ instance: CallInstance, _ error: CallError, into actions: inout [PeerAction]
  ) {
    guard let peer = peers[instance.call.peer], let call = peer.calls[instance.call.call],
      call.serial == instance.serial
    else { return }
    // Nobody waits for a STATUS, but what follows the fault is void all the same.
    guard !call.isCancelled else { return remove(peer, instance.call.call, into: &actions) }
    fail(peer, instance.call.call, error, into: &actions)
  }

  /// The core has dealt with so many bytes of a stream.
  func release(_ bytes: Int, of instance: CallInstance, into actions: inout [PeerAction]) {
    guard bytes > 0, let peer = peers[instance.call.peer],
      let call = peer.calls[instance.call.call], call.serial == instance.serial, call.isServed
    else { return }
    guard let grant = call.window.release(bytes) else { return }
    actions.append(
      .send(
        peer.key.socket, routingID: peer.routingID,
        Envelope(callID: instance.call.call, .window(bytes: grant))))
  }

  /// A peer that cannot be reached, or does not take what it is sent.
  mutating func forget(_ id: PeerID, into actions: inout [PeerAction]) {
    guard let peer = peers.removeValue(forKey: id) else { return }
    ids[peer.key] = nil
    counts[peer.key.socket, default: 0] -= 1
    // Without calls it has lost nothing, and its next OPEN is as good as any.
    if peer.servedCalls > 0 { forgotten.insert(peer.key) }
    for callID in peer.calls.keys.sorted() { remove(peer, callID, into: &actions) }
    actions.append(.forgotten(id))
  }

  /// The peer has been told that its session is lost, or cannot be.
  mutating func haveTold(_ socket: ListenSocket, _ routingID: [UInt8]) {
    guard let key = RoutingKey(socket, routingID: routingID) else { return }
    forgotten.remove(key)
  }

  /// The queue did not listen: whatever its peers said since they were last heard is still to be
  /// read.
  func excuse(nowMs: Int64) {
    for peer in peers.values { peer.lastHeardMs = nowMs }
  }

  /// Ends calls whose time is over, and forgets peers that have said nothing for too long.
  mutating func sweep(nowMs: Int64, into actions: inout [PeerAction]) {
    let silenceMs = Int64(limits.silence.wholeMilliseconds)
    for (id, peer) in peers where nowMs - peer.lastHeardMs >= silenceMs {
      forget(id, into: &actions)
    }
    // The calls may be many: they are looked at only when one is due.
    guard earliestDeadlineMs <= nowMs else { return }
    earliestDeadlineMs = .max
    for peer in peers.values {
      for (callID, call) in peer.calls where call.isServed {
        guard let deadlineMs = call.deadlineMs else { continue }
        if deadlineMs <= nowMs {
          let error = CallError(.deadlineExceeded, "the call's timeout is over")
          fail(peer, callID, error, into: &actions)
        } else {
          earliestDeadlineMs = min(earliestDeadlineMs, deadlineMs)
        }
      }
    }
  }

  /// Every call that still waits for something, oldest first.
  var openCalls: [CallInstance] {
    peers.values.flatMap { peer in
      peer.calls.filter { $0.value.isServed }.map { callID, call in
        CallInstance(call: CallRef(peer: peer.id, call: callID), serial: call.serial)
      }
    }
    .sorted { $0.serial < $1.serial }
  }
}
