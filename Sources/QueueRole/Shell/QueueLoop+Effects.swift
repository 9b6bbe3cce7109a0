internal import Ledger
internal import Logging
internal import RerankdProtocol
internal import SwiftProtobuf
internal import TraceContext

// From the core into the open batch.
extension QueueLoop {
  func apply(_ input: QueueInput) {
    core.apply(input, at: clock.moment(atMs: nowMs), into: &effects)
    for effect in effects { take(effect) }
    effects.removeAll(keepingCapacity: true)
  }

  func take(_ effect: QueueEffect) {
    switch effect {
    case .write(let write):
      remember(write)
      pipeline.open.write(write)
    case .read(let ticket, let read):
      pipeline.open.read(ticket, read)
    case .perform(let ticket, let task):
      ledger.perform(task) { [mailbox] in mailbox.post(.performed(ticket, $0)) }
    case .answer(let call, let message):
      end(call) { answer(call.call, message) }
    case .fail(let call, let error):
      end(call) { [Envelope.failure(callID: call.call, error)] }
    case .finish(let call):
      end(call) { [Envelope(callID: call.call, .status(CallStatus(), payload: nil))] }
    case .attached(let call, let notice):
      tellWorker(call) { $0.add(notice) }
    case .workerNotice(let call, let notice):
      tellWorker(call) { $0.add(notice) }
    case .assign(let call, let orders):
      guard peers.instance(of: call) != nil else { return }
      let orders = waitSpans?.traced(orders) ?? orders
      for order in orders {
        logAssignment(order)
        pipeline.open.needBody(order.lease.job, cached: bodies[order.lease.job])
        if order.hasPartialScores { pipeline.open.needPartialScores(order.lease.job) }
      }
      tellWorker(call) { $0.add(orders) }
    case .deliver(let call, let orders):
      guard let instance = peers.instance(of: call) else { return }
      for order in orders { needResult(order.outcome) }
      pipeline.open.deliver(instance, orders)
    case .deliveriesRecorded(let call, let jobs):
      guard let instance = peers.instance(of: call) else { return }
      pipeline.open.acknowledge(instance, recorded: jobs)
    case .push(let endpoint, let outcome):
      needResult(outcome)
      pipeline.open.push(endpoint, outcome)
    case .forgetBody(let job):
      bodies.remove(job)
    case .forgetResult(let job):
      results.remove(job)
    }
  }

  private func logAssignment(_ order: AssignmentOrder) {
    guard logger.logLevel <= .debug else { return }
    var metadata: Logger.Metadata = [
      "job_id": "\(order.lease.job)", "attempt": "\(order.lease.attempt)",
      "model": "\(order.model)",
    ]
    if let place = order.traceparent.flatMap({ TraceParent($0) }) {
      metadata["trace_id"] = "\(place.traceID)"
      metadata["span_id"] = "\(place.spanID)"
    }
    logger.debug("assigned", metadata: metadata)
  }

  /// Bodies and results pass by here on their way to the ledger, and will be sent soon.
  private func remember(_ write: LedgerWrite) {
    switch write {
    case .insertJob(let job, let body?) where !job.state.state.isTerminal:
      bodies.insert(body, for: job.id)
    case .insertAttempt(let attempt):
      if let result = attempt.result { results.insert(result, for: attempt.jobID) }
    default: break
    }
  }

  private func needResult(_ outcome: OutcomeOrder) {
    guard outcome.hasResult else { return }
    pipeline.open.needResult(outcome.job, cached: results[outcome.job])
  }

  private func tellWorker(_ call: CallRef, _ change: (inout WorkerDraft) -> Void) {
    guard let instance = peers.instance(of: call) else { return }
    pipeline.open.tellWorker(instance, change)
  }

  /// The call is over for the core; what it is told leaves with the batch.
  private func end(_ call: CallRef, _ envelopes: () -> [Envelope]) {
    guard let instance = peers.instance(of: call) else { return }
    peers.beginEnding(call)
    pipeline.open.send(instance, envelopes(), endsCall: true)
  }

  private func answer(_ callID: UInt64, _ message: any Message & Sendable) -> [Envelope] {
    let limits = configuration.peers.wire
    do {
      let bytes: [UInt8] = try message.serializedBytes()
      guard bytes.count <= limits.messageBytesMax else {
        let error = CallError(
          .resourceExhausted,
          "the answer has \(bytes.count) bytes, and a message at most \(limits.messageBytesMax): "
            + "ask for less", reason: "ANSWER_TOO_LARGE")
        return [.failure(callID: callID, error)]
      }
      return Envelope.answer(callID: callID, bytes, limits: limits)
    } catch {
      logger.error("an answer could not be serialized", metadata: ["error": "\(error)"])
      return [.failure(callID: callID, CallError(.internal, "the answer could not be serialized"))]
    }
  }
}
