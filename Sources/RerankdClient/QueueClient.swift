internal import CallTransport
public import RerankdProtocol
internal import SwiftProtobuf
internal import Synchronization
public import ZeroMQ

/// What producers, reply consumers and operators link: the calls of one queue, as Swift functions.
///
///     let client = try QueueClient()
///     let result = try await client.rerank(
///       RerankRequest(query: "what is a panda?", documents: ["hi", "The giant panda…"]),
///       model: "default")
///
/// One client keeps one connection and serves any number of tasks. A queue that has answered before
/// and is away now is taken to be restarting: calls that may safely be made again are, until their
/// time is over. A queue that never answered is an error at once. All errors are `CallError`.
public final class QueueClient: Sendable {
  public let configuration: ClientConfiguration
  let connection: CallConnection
  private let hasBeenAnswered = Atomic(false)

  /// Returns at once; the connection is made in the background.
  /// - Throws: `ZeroMQError` when the process is out of sockets, files or threads.
  public init(_ configuration: ClientConfiguration) throws(ZeroMQError) {
    self.configuration = configuration
    connection = try CallConnection(configuration.connection)
  }

  /// A client of the queue at an endpoint, with everything else as it comes.
  public convenience init(endpoint: String = DefaultEndpoint.producers) throws(ZeroMQError) {
    try self.init(ClientConfiguration(endpoint: endpoint))
  }

  /// Ends what is open and waits until the connection is gone.
  public func close() async {
    await connection.close()
  }

  /// Whether a call can be made twice without doing anything twice.
  enum Repeatable {
    case yes
    case no
  }

  /// Makes a unary call, again and again while it is repeatable and the queue is restarting.
  func call<Answer: SwiftProtobuf.Message>(
    _ method: Method, _ request: some SwiftProtobuf.Message, _ repeatable: Repeatable,
    timeout: Duration?
  ) async throws(CallError) -> Answer {
    let payload: [UInt8]
    do {
      payload = try request.serializedBytes()
    } catch {
      throw CallError(.invalidArgument, "the request cannot be serialized: \(error)")
    }
    let deadline = ContinuousClock.now + (timeout ?? configuration.callTimeout)
    var backoff = Backoff(
      base: configuration.retryBackoff, ceiling: configuration.retryBackoffMax)
    var setback: CallError?
    while true {
      do {
        let answer = try await connection.call(
          method, payload, timeout: deadline - ContinuousClock.now)
        hasBeenAnswered.store(true, ordering: .relaxed)
        return try decoded(answer, of: method)
      } catch {
        if error.code == .deadlineExceeded, let setback {
          // That the time is over says little to somebody whose queue is away.
          throw CallError(.deadlineExceeded, "\(error.message); before that: \(setback.message)")
        }
        setback = error
        let wait = error.retryAfter ?? backoff.next()
        guard isWorthRepeating(error, repeatable), ContinuousClock.now + wait < deadline else {
          throw error
        }
        do {
          try await Task.sleep(for: wait)
        } catch {
          throw CallError(.cancelled, "the call was cancelled")
        }
      }
    }
  }

  private func isWorthRepeating(_ error: CallError, _ repeatable: Repeatable) -> Bool {
    guard error.code == .unavailable else {
      // Whatever else it says, a queue said it.
      if error.code != .deadlineExceeded, error.code != .cancelled {
        hasBeenAnswered.store(true, ordering: .relaxed)
      }
      return false
    }
    // A queue that drains will not take the job a moment later; its operator has to say so first.
    if error.isOfDraining {
      hasBeenAnswered.store(true, ordering: .relaxed)
      return false
    }
    if error.details.reason != "NO_QUEUE" { hasBeenAnswered.store(true, ordering: .relaxed) }
    return repeatable == .yes && hasBeenAnswered.load(ordering: .relaxed)
  }

  private func decoded<Answer: SwiftProtobuf.Message>(
    _ bytes: [UInt8], of method: Method
  ) throws(CallError) -> Answer {
    do {
      return try Answer(serializedBytes: bytes)
    } catch {
      throw CallError(
        .internal, "the queue's answer to \(method.rawValue) cannot be read: \(error)")
    }
  }
}
