public import ZeroMQ

/// Which queues a `ShardedClient` has, and how it treats them.
public struct ShardedConfiguration: Sendable {
  /// Where the queues are; the place in the list is the shard's number (`queue.shard`), unless
  /// there is one queue alone. All clients of a deployment have the same list.
  public var endpoints: [Endpoint]
  /// How each is called; the endpoint in it is of no account.
  public var client: ClientConfiguration
  /// How often a queue that is away is asked whether it is back.
  public var awayInterval: Duration = .milliseconds(500)

  public static let shardsMax = 256

  /// - Throws: `ZeroMQError` for a text that is no endpoint, for none, for too many, and for one
  ///   that is named twice.
  public init(endpoints texts: [String]) throws(ZeroMQError) {
    guard let first = texts.first, texts.count <= Self.shardsMax else {
      throw .invalid("name 1 to \(Self.shardsMax) queues, not \(texts.count)")
    }
    client = try ClientConfiguration(endpoint: first)
    endpoints = []
    for text in texts {
      let endpoint = try Endpoint(text)
      guard !endpoints.contains(endpoint) else { throw .invalid("\(endpoint) is named twice") }
      endpoints.append(endpoint)
    }
  }
}
