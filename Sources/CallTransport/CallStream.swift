public import RerankdProtocol

/// A bidirectional stream. Letting go of it, like cancelling the task that reads it, cancels the
/// call.
public final class CallStream: Sendable {
  private let ticket: CallTicket
  private let inbox: StreamInbox
  private let mailbox: CommandMailbox

  init(ticket: CallTicket, inbox: StreamInbox, mailbox: CommandMailbox) {
    self.ticket = ticket
    self.inbox = inbox
    self.mailbox = mailbox
  }

  deinit {
    ticket.cancel()
  }

  /// Sends a message, and waits while more than `streamOutboxBytesMax` of this stream is unsent.
  ///
  /// - Parameter end: nothing more will be sent.
  /// - Throws: the call's own error once it is over; FAILED_PRECONDITION if it had ended well.
  public func send(_ message: [UInt8], end: Bool = false) async throws(CallError) {
    try await post(message, end: end)
  }

  /// Says that nothing more will be sent; messages go on coming in until the queue ends the call.
  public func finish() async throws(CallError) {
    try await post(nil, end: true)
  }

  private func post(_ message: [UInt8]?, end: Bool) async throws(CallError) {
    try checkOpen()
    let callID = ticket.callID
    await withCheckedContinuation { continuation in
      mailbox.post(
        .send(callID: callID, message, end: end) { continuation.resume() })
    }
    try checkOpen()
  }

  private func checkOpen() throws(CallError) {
    guard let end = inbox.end else { return }
    throw end.error ?? CallError(.failedPrecondition, "the call has ended already")
  }

  /// Whether the call goes on, as far as this side has heard.
  public var isOpen: Bool { inbox.end == nil }

  /// Ends the call from this side.
  public func cancel() {
    ticket.cancel()
  }

  /// The whole messages that come in, in order. For one reader. It ends when the queue ends the
  /// call with OK and throws `CallError` for every other status.
  public var messages: Messages { Messages(stream: self) }

  public struct Messages: AsyncSequence, AsyncIteratorProtocol, Sendable {
    public typealias Element = [UInt8]
    public typealias Failure = CallError

    /// Keeps the call alive for as long as somebody reads.
    let stream: CallStream

    public func makeAsyncIterator() -> Messages { self }

    public mutating func next() async throws(CallError) -> [UInt8]? {
      try await next(isolation: nil)
    }

    public mutating func next(
      isolation actor: isolated (any Actor)?
    ) async throws(CallError) -> [UInt8]? {
      let stream = stream
      let result = await withTaskCancellationHandler {
        await withCheckedContinuation(isolation: actor) { continuation in
          stream.inbox.take(continuation)
        }
      } onCancel: {
        stream.ticket.cancel()
      }
      return try result.get()
    }
  }
}
