internal import Ledger
internal import Logging
internal import RerankdProtocol
internal import ZeroMQ

// From the open batch to the ledger and the sockets.
extension QueueLoop {
  func commitAndSend() {
    repeat {
      if let commit = pipeline.seal(nowMs: nowMs, hurries: isClosing) {
        let (mailbox, metrics) = (mailbox, metrics)
        let (writes, start) = (commit.writes.count, LoopClock.monotonicNanoseconds)
        ledger.commit(
          LedgerBatch(writes: commit.writes, reads: commit.reads),
          onDurable: {
            mailbox.post(.durable(commit.sequence))
            metrics.committed(writes: writes, sinceNanoseconds: start)
          },
          onRead: { mailbox.post(.read(ticket: $0, $1)) })
      }
      // While the ledger syncs.
      pipeline.withLastSealed { encode(&$0) }
      while let batch = pipeline.takeLeaving() { leave(batch) }
      // A peer that turned out to be gone has ended its calls, for which the core may want writes.
      performActions()
    } while pipeline.canSeal
  }

  private func encode(_ batch: inout OutgoingBatch) {
    batch.encode(frameTarget: configuration.messageBytesTarget, limits: configuration.peers.wire)
  }

  private func leave(_ batch: OutgoingBatch) {
    var batch = batch
    encode(&batch)
    for item in batch.items {
      switch item {
      case .envelopes(let instance, let envelopes, let endsCall):
        guard let (socket, routingID) = peers.address(of: instance) else { continue }
        for envelope in envelopes { send(envelope, socket, routingID, to: instance.call.peer) }
        if endsCall { peers.endCall(instance) }
      case .push(let endpoint, let outcome):
        guard let message = outcome.message(result: { batch.results[$0] }) else {
          counters.pushRepliesDropped += 1
          continue
        }
        pushReplies.push(message, to: endpoint, nowMs: nowMs)
      case .worker, .consumer: continue
      }
    }
    if !batch.unreadable.isEmpty {
      // The jobs keep their places: leases and delivery leases run out, and they are tried again.
      logger.error(
        "payloads that the ledger should have could not be read",
        metadata: ["jobs": "\(batch.unreadable.prefix(10).map(\.description))"])
    }
  }

  /// - Parameter peer: nil for somebody who has no call here, to whom nothing is owed.
  func send(
    _ envelope: Envelope, _ socket: ListenSocket, _ routingID: [UInt8], to peer: PeerID?
  ) {
    let frames = [routingID] + envelope.frames()
    if let peer, outboxes.isWaiting(peer) {
      keep(frames, for: peer)
      return
    }
    switch outcome(of: frames, on: socket) {
    case .sent: break
    case .wouldBlock: if let peer { keep(frames, for: peer) }
    case .unreachable: if let peer { peers.forget(peer, into: &actions) }
    }
  }

  /// Nothing is kept for a peer that was forgotten: if its connection is still full, it is told when
  /// it says something the next time.
  func tellLost(_ socket: ListenSocket, _ routingID: [UInt8]) {
    let frames = [routingID] + Envelope.sessionLost.frames()
    if outcome(of: frames, on: socket) != .wouldBlock { peers.haveTold(socket, routingID) }
  }

  /// Sends what waits, as far as the connections take it now.
  func flushOutboxes() {
    for peer in outboxes.peers {
      guard let (socket, _) = peers.address(of: peer) else {
        outboxes.forget(peer)
        continue
      }
      sending: while let frames = outboxes.first(peer) {
        switch outcome(of: frames, on: socket) {
        case .sent: outboxes.removeFirst(peer)
        case .wouldBlock: break sending
        case .unreachable:
          peers.forget(peer, into: &actions)
          break sending
        }
      }
    }
  }

  private func outcome(of frames: [[UInt8]], on socket: ListenSocket) -> Socket.SendOutcome {
    do {
      return try sockets.socket(socket).send(frames)
    } catch {
      logger.error("a message could not be sent", metadata: ["error": "\(error)"])
      return .unreachable
    }
  }

  private func keep(_ frames: [[UInt8]], for peer: PeerID) {
    guard !outboxes.append(frames, for: peer) else { return }
    logger.warning(
      "a peer does not take what it is sent; its calls are ended",
      metadata: ["peer": "\(peer.rawValue)"])
    peers.forget(peer, into: &actions)
  }
}
