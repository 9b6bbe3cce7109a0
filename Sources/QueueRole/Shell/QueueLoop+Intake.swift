internal import Ledger
internal import RerankdProtocol

// From the sockets to the core.
extension QueueLoop {
  /// Has what was read decoded and checked: here when it is little and nothing waits before it, for
  /// then another thread would cost more than it saves; else by the validator.
  func checkDrained() {
    guard !unchecked.isEmpty else { return }
    let items = unchecked
    unchecked = []
    let bytes = items.reduce(0) { $0 + $1.bytes }
    if validatorItems == 0, bytes <= configuration.inlineBytesMax {
      checked += items.map { IntakeQueue.result(of: $0, decoder) }
    } else {
      validatorItems += items.count
      validatorBytes += bytes
      intake.submit(items)
    }
  }

  /// Gives the core what has been checked, as far as the open batch has room.
  func admitChecked() {
    if !checked.isEmpty { lookAtSpace() }
    var admitted = 0
    while admitted < checked.count, !pipeline.isFull {
      admit(checked[admitted])
      admitted += 1
    }
    checked.removeFirst(admitted)
  }

  private func admit(_ result: IntakeResult) {
    guard let origin = result.origin else {
      if case .inputs(let inputs) = result.outcome { inputs.forEach { apply($0) } }
      return
    }
    switch result.outcome {
    case .inputs(let inputs):
      // The call may have ended meanwhile: then nobody waits for what it asked.
      guard peers.admitToCore(origin), let caller = peers.caller(of: origin) else { return }
      do throws(CallError) {
        for input in inputs {
          switch input {
          case .status, .ledgerTask: applyGauges()
          default: break
          }
          apply(try caller.scoped(input))
        }
      } catch {
        counters.permissionDenied += 1
        peers.fail(origin, error, into: &actions)
      }
      peers.release(result.windowBytes, of: origin, into: &actions)
    case .refused(let error):
      counters.malformedMessages += error.details.reason == "MALFORMED_MESSAGE" ? 1 : 0
      peers.fail(origin, error, into: &actions)
    case .ended:
      // The client's half of a stream is over, and with it the stream.
      guard peers.admitToCore(origin) else { return }
      apply(.callEnded(origin.call))
      take(.finish(origin.call))
    case .cancelled:
      peers.endCancelled(origin, into: &actions)
    }
  }

  /// The figures that only the shell has, for the status call that follows.
  func applyGauges() {
    let status = ledger.status()
    var gauges = LedgerStatus()
    gauges.fileBytes = status.fileBytes
    gauges.walBytes = status.walBytes
    gauges.commits = status.commits
    gauges.commitP50Us = status.commitP50Microseconds
    gauges.commitP99Us = status.commitP99Microseconds
    gauges.freeBytes = status.freeBytes
    gauges.acceptsSubmits = status.acceptsSubmits
    var totals = counters
    totals.malformedMessages += peers.malformedMessages
    totals.permissionDenied += peers.deniedMessages + (sockets.handshakes?.refused ?? 0)
    totals.pushRepliesSent = pushReplies.sent
    totals.pushRepliesDropped += pushReplies.dropped
    apply(.gauges(gauges, totals))
  }

  /// Carries out what the peer table wants done. Doing it may make the table want more: a peer that
  /// cannot be reached loses its calls.
  func performActions() {
    var next = 0
    while next < actions.count {
      let action = actions[next]
      next += 1
      switch action {
      case .send(let socket, let routingID, let envelope):
        send(envelope, socket, routingID, to: peers.peer(socket, routingID))
      case .tellLost(let socket, let routingID):
        tellLost(socket, routingID)
      case .validate(let item):
        unchecked.append(item)
      case .callEnded(let call):
        apply(.callEnded(call))
      case .callRevoked(let call):
        apply(.callRevoked(call))
      case .heard(let peer):
        apply(.heard(peer))
      case .forgotten(let peer):
        outboxes.forget(peer)
      }
    }
    actions.removeAll(keepingCapacity: true)
  }
}
