internal import RerankdProtocol

// Calls.
extension PeerTable {
  /// - Returns: whether the call is open now.
  mutating func open(
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
    guard peer.caller.mayCall(method) else {
      deniedMessages += 1
      return refuse(.methodDenied(method, to: peer.caller))
    }
    guard peer.servedCalls < limits.wire.openCallsMax else {
      return refuse(
        CallError(
          .resourceExhausted, "\(limits.wire.openCallsMax) calls are open on this connection",
          reason: "TOO_MANY_CALLS"))
    }
    lastSerial += 1
    let timeoutMs = min(head.timeoutMs, limits.callTimeoutMax.wholeMilliseconds)
    let deadlineMs = timeoutMs == 0 ? nil : nowMs + Int64(timeoutMs)
    if let deadlineMs { earliestDeadlineMs = min(earliestDeadlineMs, deadlineMs) }
    peer.calls[callID] = PeerCall(
      method: method, serial: lastSerial, deadlineMs: deadlineMs, limits: limits.wire)
    return true
  }

  /// A payload of a call, or its END. Messages of calls that are not open are late, and ignored.
  mutating func feed(
    _ peer: Peer, _ callID: UInt64, _ payload: [UInt8]?, _ flags: Envelope.Flags,
    into actions: inout [PeerAction]
  ) {
    guard let call = peer.calls[callID], call.isServed else { return }
    guard !call.isHalfClosed else {
      guard payload != nil else { return }
      let error = CallError(
        .invalidArgument, "a message after the end of what the client sends on this call",
        reason: "MESSAGE_AFTER_END")
      return fail(peer, callID, error, into: &actions)
    }
    if let payload {
      let instance = CallInstance(call: CallRef(peer: peer.id, call: callID), serial: call.serial)
      let whole: [UInt8]?
      do throws(EnvelopeError) {
        whole = try assemble(peer, call, payload, more: flags.contains(.more), callID: callID)
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
  }

  /// - Returns: the whole message, when this was its last fragment.
  private mutating func assemble(
    _ peer: Peer, _ call: PeerCall, _ payload: [UInt8], more: Bool, callID: UInt64
  ) throws(EnvelopeError) -> [UInt8]? {
    guard call.window.receive(payload.count) else {
      throw EnvelopeError(
        .tooLarge, "\(payload.count) bytes exceed the call's window", frame: 1, callID: callID)
    }
    let before = call.assembler.pendingBytes
    // Whatever comes of it: a call that is ended for this gives back what it holds then.
    defer {
      let grown = call.assembler.pendingBytes - before
      peer.assemblingBytes += grown
      assemblingBytes += grown
    }
    let whole = try call.assembler.append(payload, more: more, callID: callID)
    let grown = call.assembler.pendingBytes - before
    guard peer.assemblingBytes + grown <= limits.assemblingBytesPerPeerMax,
      assemblingBytes + grown <= limits.assemblingBytesMax
    else {
      throw EnvelopeError(
        .tooLarge, "too many bytes of unfinished messages; send again later", frame: 1,
        callID: callID)
    }
    return whole
  }

  /// The client has ended a call: nothing more of it is taken or sent. The core is to have what the
  /// client said before, some of which may still be with the validator, then to hear of the end.
  mutating func cancel(
    _ peer: Peer, _ callID: UInt64, into actions: inout [PeerAction]
  ) {
    guard let call = peer.calls[callID], !call.isCancelled else { return }
    guard call.phase == .open, call.messages > 0 else {
      return remove(peer, callID, into: &actions)
    }
    call.isCancelled = true
    peer.cancelledCalls += 1
    dropUnfinishedMessage(peer, call)
    let instance = CallInstance(call: CallRef(peer: peer.id, call: callID), serial: call.serial)
    actions.append(.validate(.cancel(instance)))
  }

  /// Ends a call that this side finds fault with. Nothing that it waited for will be sent.
  mutating func fail(
    _ peer: Peer, _ callID: UInt64, _ error: CallError, into actions: inout [PeerAction]
  ) {
    guard peer.calls[callID]?.isServed == true else { return }
    actions.append(
      .send(peer.key.socket, routingID: peer.routingID, .failure(callID: callID, error)))
    remove(peer, callID, into: &actions)
  }

  mutating func remove(
    _ peer: Peer, _ callID: UInt64, into actions: inout [PeerAction]
  ) {
    guard let call = peer.calls.removeValue(forKey: callID) else { return }
    if call.isCancelled { peer.cancelledCalls -= 1 }
    dropUnfinishedMessage(peer, call)
    if call.isKnownToCore, call.phase == .open {
      actions.append(.callEnded(CallRef(peer: peer.id, call: callID)))
    }
  }

  private mutating func dropUnfinishedMessage(_ peer: Peer, _ call: PeerCall) {
    peer.assemblingBytes -= call.assembler.pendingBytes
    assemblingBytes -= call.assembler.pendingBytes
    call.assembler = MessageAssembler(limits: limits.wire)
  }
}
