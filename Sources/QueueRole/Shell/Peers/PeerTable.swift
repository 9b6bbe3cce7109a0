internal import RerankdProtocol

/// What the shell does about a message that came in. The order counts.
enum PeerAction {
  /// Leaves at once: it depends on nothing that must be durable.
  case send(ListenSocket, routingID: [UInt8], Envelope)
  case validate(IntakeItem)
  /// The core hears `callEnded`.
  case callEnded(CallRef)
  /// The core hears `callRevoked`.
  case callRevoked(CallRef)
  /// The core hears `heard`.
  case heard(PeerID)
  /// The peer's session is gone, and it does not know: `Envelope.sessionLost` leaves if the
  /// connection takes it now, and `haveTold` says so.
  case tellLost(ListenSocket, routingID: [UInt8])
  /// Nothing is sent to this peer any more.
  case forgotten(PeerID)
}

/// The queue's connections and their open calls: a state machine without I/O. Messages and the time
/// go in, `PeerAction`s come out. It keeps the grammar of PROTOCOL.md and every limit of `PeerLimits`;
/// what a call means is the core's business.
struct PeerTable {
  let limits: PeerLimits
  var malformedMessages: UInt64 = 0
  /// Messages that their senders' keys do not allow.
  var deniedMessages: UInt64 = 0
  /// Changed by `allow`.
  private(set) var access = AccessPolicy.open
  /// No new calls: the queue is going down.
  var isClosing = false

  /// The core hears of a peer's life no more often: it thinks in seconds.
  private let heardIntervalMs: Int64 = 250
  var peers: [PeerID: Peer] = [:]
  var ids: [RoutingKey: PeerID] = [:]
  var counts: [ListenSocket: Int] = [:]
  var forgotten: ForgottenPeers
  private var lastPeer: UInt64 = 0
  var lastSerial: UInt64 = 0
  var assemblingBytes = 0
  /// No open call's deadline is earlier.
  var earliestDeadlineMs = Int64.max

  init(limits: PeerLimits) {
    self.limits = limits
    forgotten = ForgottenPeers(max: limits.forgottenMax)
  }

  /// - Parameters:
  ///   - frames: as they came from the ROUTER: the routing id, then the message.
  ///   - userID: whose message it is, where keys are asked for.
  mutating func receive(
    _ frames: [[UInt8]], from userID: String? = nil, on socket: ListenSocket, nowMs: Int64,
    into actions: inout [PeerAction]
  ) {
    guard let routingID = frames.first else { return }
    guard let key = RoutingKey(socket, routingID: routingID) else {
      malformedMessages += 1
      let error = CallError(
        .invalidArgument, "leave ZMQ_ROUTING_ID unset: the queue tells its peers apart itself",
        reason: "ROUTING_ID_CHOSEN")
      actions.append(
        .send(socket, routingID: routingID, Envelope(callID: 0, .reject(error.status))))
      return
    }
    guard !forgotten.contains(key) else {
      return actions.append(.tellLost(socket, routingID: routingID))
    }
    let known = ids[key].flatMap { peers[$0] }
    known?.lastHeardMs = nowMs
    let envelope: Envelope
    do {
      envelope = try Envelope(frames: Array(frames.dropFirst()), limits: limits.wire)
    } catch {
      malformedMessages += 1
      refuse(error, known, socket, routingID, into: &actions)
      return
    }
    guard let caller = access.caller(userID), known?.userID == userID || known == nil else {
      deniedMessages += 1
      guard case .open = envelope.body else { return }
      return actions.append(
        .send(
          socket, routingID: routingID,
          .failure(callID: envelope.callID, .keyNotAuthorized)))
    }
    if let known, nowMs - known.reportedHeardMs >= heardIntervalMs {
      known.reportedHeardMs = nowMs
      actions.append(.heard(known.id))
    }
    switch envelope.body {
    case .ping: actions.append(.send(socket, routingID: routingID, .pong))
    case .pong: break
    case .open(let head, let payload):
      let opener = known ?? newPeer(key, routingID, userID, caller, nowMs)
      guard let opener else {
        let error = CallError(
          .resourceExhausted, "the queue serves \(limits.peersMax) connections already",
          reason: "TOO_MANY_CONNECTIONS")
        actions.append(
          .send(socket, routingID: routingID, .failure(callID: envelope.callID, error)))
        return
      }
      guard open(opener, envelope, head, nowMs, into: &actions) else { return }
      feed(opener, envelope.callID, payload, envelope.flags, into: &actions)
    case .message(let payload):
      guard let known else {
        return actions.append(.send(socket, routingID: routingID, .sessionLost))
      }
      feed(known, envelope.callID, payload, envelope.flags, into: &actions)
    case .cancel:
      guard let known else { return }
      cancel(known, envelope.callID, into: &actions)
    case .reject:
      malformedMessages += 1
    case .status, .window:
      malformedMessages += 1
      let error = CallError(
        .invalidArgument, "STATUS and WINDOW go from the queue to its clients alone",
        reason: "MALFORMED_MESSAGE")
      actions.append(
        .send(
          socket, routingID: routingID,
          Envelope(callID: envelope.callID, .reject(error.status))))
    }
  }

  /// A message that libzmq let through and that is larger than any message may be. What it was for
  /// has a gap now, so the call that it names ends.
  /// - Parameter frames: those before the excess.
  mutating func receiveOversized(
    _ frames: [[UInt8]], on socket: ListenSocket, nowMs: Int64, into actions: inout [PeerAction]
  ) {
    malformedMessages += 1
    guard let routingID = frames.first else { return }
    let known = RoutingKey(socket, routingID: routingID).flatMap { ids[$0] }.flatMap { peers[$0] }
    known?.lastHeardMs = nowMs
    let callID: UInt64
    do {
      callID = try Envelope(frames: Array(frames.dropFirst()), limits: limits.wire).callID
    } catch {
      callID = error.callID
    }
    let error = EnvelopeError(
      .tooLarge,
      "a message has at most \(limits.wire.framesMax) frames and payloads of at most "
        + "\(limits.wire.frameBytesMax) bytes", frame: frames.count - 1, callID: callID)
    refuse(error, known, socket, routingID, into: &actions)
  }

  /// Messages that are none: within an open call they end it, or are ignored where the protocol says
  /// so; all others are rejected.
  private mutating func refuse(
    _ error: EnvelopeError, _ peer: Peer?, _ socket: ListenSocket, _ routingID: [UInt8],
    into actions: inout [PeerAction]
  ) {
    if let peer, peer.calls[error.callID] != nil {
      if case .unknownKind = error.code { return }
      fail(peer, error.callID, error.callError, into: &actions)
    } else {
      actions.append(
        .send(
          socket, routingID: routingID,
          Envelope(callID: error.callID, .reject(error.callError.status))))
    }
  }

  private mutating func newPeer(
    _ key: RoutingKey, _ routingID: [UInt8], _ userID: String?, _ caller: Caller, _ nowMs: Int64
  ) -> Peer? {
    guard counts[key.socket, default: 0] < limits.peersMax else { return nil }
    lastPeer += 1
    let peer = Peer(
      id: PeerID(rawValue: lastPeer), key: key, routingID: routingID, userID: userID,
      caller: caller, nowMs: nowMs)
    peers[peer.id] = peer
    ids[key] = peer.id
    counts[key.socket, default: 0] += 1
    return peer
  }
}

// Who may come in.
extension PeerTable {
  /// Takes a new list of keys. Whoever is not on it any more, or is there as somebody else, loses the
  /// calls that are open: a revoked key for good, and one that was changed to open them anew.
  mutating func allow(_ policy: AccessPolicy, into actions: inout [PeerAction]) {
    access = policy
    for peer in peers.values {
      let caller = policy.caller(peer.userID)
      guard caller != peer.caller else { continue }
      for (callID, call) in peer.calls.sorted(by: { $0.key < $1.key }) {
        if call.isKnownToCore, call.phase == .open {
          actions.append(.callRevoked(CallRef(peer: peer.id, call: callID)))
        }
        if call.isServed {
          fail(peer, callID, caller == nil ? .keyNotAuthorized : .keyChanged, into: &actions)
        } else {
          remove(peer, callID, into: &actions)
        }
      }
      if let caller {
        peer.caller = caller
      } else {
        // Not `forgotten`: it has been told.
        peers[peer.id] = nil
        ids[peer.key] = nil
        counts[peer.key.socket, default: 0] -= 1
        actions.append(.forgotten(peer.id))
      }
    }
  }

  /// What the caller of a call may ask; nil: it is gone.
  func caller(of instance: CallInstance) -> Caller? { peers[instance.call.peer]?.caller }
}

extension CallError {
  /// Clients come back by themselves.
  static let queueIsClosing = CallError(
    .unavailable, "the queue is shutting down; try again", reason: "QUEUE_CLOSING",
    retryAfter: .seconds(1))
}

extension Envelope {
  /// To somebody who believes to have a session.
  static let sessionLost = Envelope(
    callID: 0,
    .reject(
      CallError(
        .unavailable, "the queue knows no session of this connection: open a new one",
        reason: "SESSION_LOST"
      ).status))
}
