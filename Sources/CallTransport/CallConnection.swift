public import RerankdProtocol
internal import Synchronization
public import ZeroMQ

/// A client's connection to one queue, for any number of calls at once. Safe to use from every
/// task.
///
/// A thread of its own owns the context and the DEALER socket; `CallMultiplexer` decides
/// everything, and `ConnectionLoop` carries it out. A connection that breaks or falls silent is
/// opened anew by itself, with a random, growing wait; calls that had begun fail with UNAVAILABLE,
/// and it is for the caller to know whether they may be made again.
public final class CallConnection: Sendable {
  public let configuration: ConnectionConfiguration
  private let mailbox: CommandMailbox
  private let nextCallID = Atomic<UInt64>(1)

  /// Returns at once; the connection is made in the background.
  /// - Throws: `ZeroMQError` when a setting cannot work, which it names, or when the process is out
  ///   of sockets, files or threads.
  public init(_ configuration: ConnectionConfiguration) throws(ZeroMQError) {
    if let problem = configuration.firstProblem {
      throw .invalid("the connection's \(problem.key) \(problem.message)")
    }
    self.configuration = configuration
    let parts = try LoopParts(poller: Poller(), context: Context())
    let mailbox = CommandMailbox(wakeUp: parts.poller.wakeUp)
    self.mailbox = mailbox
    try SocketThread.start(named: "rk-calls") {
      ConnectionLoop(
        configuration, mailbox: mailbox, poller: parts.poller, context: parts.context
      ).run()
    }
  }

  deinit {
    mailbox.post(.close(nil))
  }

  /// Makes a unary call and waits for its answer.
  ///
  /// Cancelling the task cancels the call, and the queue is told.
  /// - Parameter timeout: for the whole call; it travels with it. Nil waits for as long as the
  ///   connection stands.
  /// - Returns: the serialized answer.
  /// - Throws: `CallError`.
  public func call(
    _ method: Method, _ payload: [UInt8], timeout: Duration?, metadata: [String: String] = [:]
  ) async throws(CallError) -> [UInt8] {
    let ticket = CallTicket(takeCallID(), mailbox)
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let start = CallStart(
          method: method, metadata: metadata, message: payload, timeout: timeout,
          sink: .unary(continuation))
        if !ticket.open(start) {
          continuation.resume(returning: .failure(CallTicket.cancelled))
        }
      }
    } onCancel: {
      ticket.cancel()
    }
    return try result.get()
  }

  /// Opens a stream. It exists at once; whether the queue takes it shows in its messages and end.
  ///
  /// - Parameters:
  ///   - first: the first message, which then travels with the opening.
  ///   - timeout: for the whole stream; nil for none.
  public func stream(
    _ method: Method, first: [UInt8]? = nil, timeout: Duration? = nil,
    metadata: [String: String] = [:]
  ) -> CallStream {
    let inbox = StreamInbox(bytesMax: configuration.streamInboxBytesMax)
    let ticket = CallTicket(takeCallID(), mailbox)
    let stream = CallStream(ticket: ticket, inbox: inbox, mailbox: mailbox)
    let start = CallStart(
      method: method, metadata: metadata, message: first, timeout: timeout, sink: .stream(inbox))
    _ = ticket.open(start)
    return stream
  }

  /// Ends all calls with CANCELLED, sends what the queue must be told of it, and waits until socket
  /// and thread are gone. Calls made afterwards fail.
  public func close() async {
    await withCheckedContinuation { continuation in
      mailbox.post(.close { continuation.resume() })
    }
  }

  private func takeCallID() -> UInt64 {
    nextCallID.add(1, ordering: .relaxed).oldValue
  }
}

/// What the thread of the loop takes over. Unchecked because a poller is for one thread: the
/// connection's initializer makes it, and lets go of it before the thread begins.
private struct LoopParts: @unchecked Sendable {
  let poller: Poller
  let context: Context
}
