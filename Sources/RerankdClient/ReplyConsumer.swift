internal import CallTransport
public import RerankdProtocol
internal import SwiftProtobuf

/// The results of a reply channel, as they come:
///
///     for try await delivery in client.receive(channel: "indexer") {
///       store(delivery.outcome)
///       await delivery.acknowledge()
///     }
///
/// What is not acknowledged within the queue's delivery lease is delivered again, to any consumer
/// of the channel, so one outcome may be seen twice. The consumer holds at most `deliveriesHeldMax`
/// deliveries; taking more waits for acknowledgements. When the queue restarts, the consumer
/// attaches anew, and goes on. For one reader; it ends with a `CallError`, with the reader's task,
/// or when it and all its deliveries are let go of.
public struct ReplyConsumer: AsyncSequence, Sendable {
  public typealias Element = ReceivedDelivery
  public typealias Failure = CallError

  let session: ReplySession

  public func makeAsyncIterator() -> Iterator { Iterator(session: session) }

  public struct Iterator: AsyncIteratorProtocol, Sendable {
    let session: ReplySession
    private var arrived: [Delivery] = []
    private var backoff: Backoff

    init(session: ReplySession) {
      self.session = session
      backoff = Backoff(
        base: session.configuration.retryBackoff, ceiling: session.configuration.retryBackoffMax)
    }

    public mutating func next() async throws(CallError) -> ReceivedDelivery? {
      try await next(isolation: nil)
    }

    public mutating func next(
      isolation actor: isolated (any Actor)?
    ) async throws(CallError) -> ReceivedDelivery? {
      while arrived.isEmpty {
        do {
          try await takeMessage()
        } catch {
          session.detach()
          guard session.mayReattach(after: error) else { throw error }
          try await pause(error.retryAfter ?? backoff.next())
        }
      }
      return ReceivedDelivery(arrived.removeLast(), session)
    }

    private mutating func takeMessage() async throws(CallError) {
      var messages = session.attached().messages
      guard let bytes = try await messages.next() else {
        throw CallError(.unavailable, "the queue ended the stream", reason: "STREAM_ENDED")
      }
      backoff.reset()
      let response: ReceiveResponse
      do {
        response = try ReceiveResponse(serializedBytes: bytes)
      } catch {
        throw CallError(.internal, "a delivery cannot be read: \(error)")
      }
      // Taken from the back, so reversed; those held already were delivered again by mistake.
      arrived = session.take(response.deliveries).reversed()
    }

    private func pause(_ duration: Duration) async throws(CallError) {
      do {
        try await Task.sleep(for: duration)
      } catch {
        throw CallError(.cancelled, "the consumer was cancelled")
      }
    }
  }
}

/// One result, and the way to say that it was dealt with.
public struct ReceivedDelivery: Sendable {
  public let outcome: JobOutcome
  /// 1 for the first time.
  public let deliveryAttempt: UInt32
  private let session: ReplySession

  init(_ delivery: Delivery, _ session: ReplySession) {
    outcome = delivery.outcome
    deliveryAttempt = delivery.deliveryAttempt
    self.session = session
  }

  public var jobID: JobID { JobID(rawValue: outcome.jobID) }

  /// Tells the queue not to deliver this again. Returns once it is on its way; should the
  /// connection break before it arrives, it goes out again with the next.
  public func acknowledge() async {
    await session.acknowledge(outcome)
  }
}

extension QueueClient {
  /// Consumes the results of jobs that named this channel in `spec.replyChannel`.
  public func receive(channel: String, tenant: String = "") -> ReplyConsumer {
    ReplyConsumer(session: ReplySession(connection, configuration, channel, tenant: tenant))
  }
}
