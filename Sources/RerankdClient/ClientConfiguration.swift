public import CallTransport
public import RerankdProtocol
public import ZeroMQ

/// How a `QueueClient` treats its queue.
public struct ClientConfiguration: Sendable {
  public var connection: ConnectionConfiguration
  /// For every call that is not given a time of its own.
  public var callTimeout: Duration = .seconds(30)
  /// Before a call is made again: random up to this, doubled every time…
  public var retryBackoff: Duration = .milliseconds(100)
  /// …up to this.
  public var retryBackoffMax: Duration = .seconds(2)
  /// Gives a job without an idempotency key one of its own, so that submitting it again after a
  /// lost answer returns the job that exists. Without it such a call is made once.
  public var makesIdempotencyKeys = true
  /// Bytes of jobs that one Submit call carries; a larger batch becomes several calls.
  public var submitBytesMax = 16 << 20
  /// Deliveries that a reply consumer holds at once, taken but not acknowledged ones included.
  public var deliveriesHeldMax = 64

  /// - Throws: `ZeroMQError` when the text is no endpoint.
  public init(endpoint: String = DefaultEndpoint.producers) throws(ZeroMQError) {
    connection = ConnectionConfiguration(endpoint: try Endpoint(endpoint))
  }
}
