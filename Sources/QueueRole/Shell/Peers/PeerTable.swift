internal import RerankdProtocol

/// What the shell does about a message that came in. The order counts.
enum PeerAction {
  /// Leaves at once: it depends on nothing that must be durable.
  case send(ListenSocket, routingID: [UInt8], Envelope)
  case validate(IntakeItem)
  /// The core hears `callEnded`.
  case callEnded(CallRef)
  /// The core hears `heard`.
  case heard(PeerID)
  /// Nothing is sent to this peer any more.
  case forgotten(PeerID)
}

/// The queue's connections and their open calls: a state machine without I/O. Messages and the time
/// go in, `PeerAction`s come out. It keeps the grammar of PROTOCOL.md and every limit of `PeerLimits`;
/// what a call means is the core's business.
struct PeerTable {
  let limits: PeerLimits
  private(set) var malformedMessages: UInt64 = 0
  /// No new calls: the queue is going down.
  var isClosing = false

  /// The core hears of a peer's life no more often: it thinks in seconds.
  private let heardIntervalMs: Int64 = 250
  var peers: [PeerID: Peer] = [:]
  var ids: [RoutingKey: PeerID] = [:]
  var counts: [ListenSocket: Int] = [:]
  private var lastPeer: UInt64 = 0
  private var lastSerial: UInt64 = 0
  private var assemblingBytes = 0

  init(limits: PeerLimits) {
    self.limits = limits
  }

  /// - Parameter frames: as they came from the ROUTER: the routing id, then the message.
  mutating func receive(
    _ frames: [[UInt8]], on socket: ListenSocket, nowMs: Int64, into actions: inout [PeerAction]
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
    if let known, nowMs - known.reportedHeardMs >= heardIntervalMs {
      known.reportedHeardMs = nowMs
      actions.append(.heard(known.id))
    }
    switch envelope.body {
    case .ping: actions.append(.send(socket, routingID: routingID, .pong))
    case .pong: break
    case .open(let head, let payload):
      let opener = known ?? newPeer(key, routingID, nowMs)
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
      guard let known else { return }
      feed(known, envelope.callID, payload, envelope.flags, into: &actions)
    case .cancel:
      guard let known else { return }
      remove(known, envelope.callID, into: &actions)
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

  /// A message that libzmq let through and that is larger than any message may be.
  mutating func receiveOversized(
    _ frames: [[UInt8]], on socket: ListenSocket, into actions: inout [PeerAction]
  ) {
    malformedMessages += 1
    guard let routingID = frames.first else { return }
    let error = CallError(
      .resourceExhausted,
      "a message has at most \(limits.wire.framesMax) frames and payloads of at most "
        + "\(limits.wire.frameBytesMax) bytes", reason: "MESSAGE_TOO_LARGE")
    actions.append(.send(socket, routingID: routingID, Envelope(callID: 0, .reject(error.status))))
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

  private mutating func newPeer(_ key: RoutingKey, _ routingID: [UInt8], _ nowMs: Int64) -> Peer? {
    guard counts[key.socket, default: 0] < limits.peersMax else { return nil }
    lastPeer += 1
    let peer = Peer(id: PeerID(rawValue: lastPeer), key: key, routingID: routingID, nowMs: nowMs)
    peers[peer.id] = peer
    ids[key] = peer.id
    counts[key.socket, default: 0] += 1
    return peer
  }
}

// Calls.
extension PeerTable {
  /// - Returns: whether the call is open now.
  private mutating func open(
    _ peer: Peer, _ envelope: Envelope, _ head: CallHead, _ nowMs: Int64,
    into actions: inout [PeerAction]
  ) -> Bool {
    let callID = envelope.callID
    func refuse(_ error: CallError) -> Bool {
      actions.append(
        .send(peer.key.socket, routingID: peer.routingID, .failure(callID: callID, error)))
      return false
    }
    guard peer.calls[callID] == nil else {
      malformedMessages += 1
      // A STATUS would end the call that has this id rightly.
      let error = CallError(
        .invalidArgument, "call id \(callID) is in use by an open call", reason: "CALL_ID_IN_USE")
      actions.append(
        .send(
          peer.key.socket, routingID: peer.routingID,
          Envelope(callID: callID, .reject(error.status))))
      return false
    }
    guard !isClosing else { return refuse(.queueIsClosing) }
    guard let method = RerankdProtocol.Method(rawValue: head.method) else {
      return refuse(
        CallError(
          .unimplemented, "unknown method '\(head.method.prefix(utf8Bytes: 200))'",
          reason: "UNKNOWN_METHOD"))
    }
    guard peer.key.socket.serves(method) else {
      return refuse(
        CallError(
          .permissionDenied,
          "\(method.rawValue) is served on the queue's other socket "
            + "(\(peer.key.socket == .workers ? "producers" : "workers"))", reason: "WRONG_SOCKET"))
    }
    guard peer.calls.count < limits.wire.openCallsMax else {
      return refuse(
        CallError(
          .resourceExhausted, "\(limits.wire.openCallsMax) calls are open on this connection",
          reason: "TOO_MANY_CALLS"))
    }
    lastSerial += 1
    let timeoutMs = min(head.timeoutMs, limits.callTimeoutMax.wholeMilliseconds)
    peer.calls[callID] = PeerCall(
      method: method, serial: lastSerial,
      deadlineMs: timeoutMs == 0 ? nil : nowMs + Int64(timeoutMs),
      assembler: MessageAssembler(limits: limits.wire), window: ReceiveWindow(limits: limits.wire))
    return true
  }

  /// A payload of a call, or its END. Messages of calls that are not open are late, and ignored.
  private mutating func feed(
    _ peer: Peer, _ callID: UInt64, _ payload: [UInt8]?, _ flags: Envelope.Flags,
    into actions: inout [PeerAction]
  ) {
    guard var call = peer.calls[callID], call.phase == .open else { return }
    guard !call.isHalfClosed else {
      guard payload != nil else { return }
      let error = CallError(
        .invalidArgument, "a message after the end of what the client sends on this call",
        reason: "MESSAGE_AFTER_END")
      return fail(peer, callID, error, into: &actions)
    }
    if let payload {
      let instance = CallInstance(call: CallRef(peer: peer.id, call: callID), serial: call.serial)
      let pendingBefore = call.assembler.pendingBytes
      let whole: [UInt8]?
      do throws(EnvelopeError) {
        guard call.window.receive(payload.count) else {
          throw EnvelopeError(
            .tooLarge, "\(payload.count) bytes exceed the call's window", frame: 1, callID: callID)
        }
        whole = try call.assembler.append(payload, more: flags.contains(.more), callID: callID)
        let grown = call.assembler.pendingBytes - pendingBefore
        guard peer.assemblingBytes + grown <= limits.assemblingBytesPerPeerMax,
          assemblingBytes + grown <= limits.assemblingBytesMax
        else {
          throw EnvelopeError(
            .tooLarge, "too many bytes of unfinished messages; send again later", frame: 1,
            callID: callID)
        }
        peer.assemblingBytes += grown
        assemblingBytes += grown
      } catch {
        return fail(peer, callID, error.callError, into: &actions)
      }
      if let whole {
        let isFirst = call.messages == 0
        call.messages += 1
        call.isHalfClosed = !call.method.isStream
        actions.append(
          .validate(
            .message(
              instance, call.method, whole, isFirst: isFirst,
              windowBytes: call.method.isStream ? payload.count : 0)))
      } else if let grant = call.window.release(payload.count) {
        // What the assembler holds is bounded by limits of its own.
        actions.append(
          .send(
            peer.key.socket, routingID: peer.routingID,
            Envelope(callID: callID, .window(bytes: grant))))
      }
    }
    if flags.contains(.end), !call.isHalfClosed {
      call.isHalfClosed = true
      guard call.method.isStream else {
        let error = CallError(.invalidArgument, "the call has no request message")
        return fail(peer, callID, error, into: &actions)
      }
      let instance = CallInstance(call: CallRef(peer: peer.id, call: callID), serial: call.serial)
      actions.append(.validate(.end(instance)))
    }
    peer.calls[callID] = call
  }

  /// Ends a call that this side finds fault with. Nothing that it waited for will be sent.
  mutating func fail(
    _ peer: Peer, _ callID: UInt64, _ error: CallError, into actions: inout [PeerAction]
  ) {
    guard peer.calls[callID]?.phase == .open else { return }
    actions.append(
      .send(peer.key.socket, routingID: peer.routingID, .failure(callID: callID, error)))
    remove(peer, callID, into: &actions)
  }

  mutating func remove(
    _ peer: Peer, _ callID: UInt64, into actions: inout [PeerAction]
  ) {
    guard let call = peer.calls.removeValue(forKey: callID) else { return }
    peer.assemblingBytes -= call.assembler.pendingBytes
    assemblingBytes -= call.assembler.pendingBytes
    if call.isKnownToCore, call.phase == .open {
      actions.append(.callEnded(CallRef(peer: peer.id, call: callID)))
    }
  }
}

extension CallError {
  /// Clients come back by themselves.
  static let queueIsClosing = CallError(
    .unavailable, "the queue is shutting down; try again", reason: "QUEUE_CLOSING",
    retryAfter: .seconds(1))
}
