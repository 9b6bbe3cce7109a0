import RerankdClient
import RerankdProtocol

/// A queue and what it is called.
struct NamedQueue: Sendable {
  var endpoint: String
  var client: QueueClient
}

/// The queues (shards) of a command, for what is asked of each by itself; their place in the list is
/// their number, unless there is one alone.
struct Queues: Sendable {
  let all: [NamedQueue]
  private let client: ShardedClient

  init(_ client: ShardedClient) {
    self.client = client
    all = zip(client.configuration.endpoints, client.shards).map {
      NamedQueue(endpoint: "\($0)", client: $1)
    }
  }

  /// The only queue there is.
  ///
  /// - Throws: ``InputError`` where several were named and the command is about one.
  var only: NamedQueue {
    get throws {
      guard all.count == 1 else {
        throw InputError("this is about one queue: name it by --endpoint")
      }
      return all[0]
    }
  }

  func queue(of job: JobID) throws -> NamedQueue {
    // For its error.
    _ = try client.shard(of: job)
    return all.count > 1 ? all[Int(job.shard)] : all[0]
  }

  /// Ids by who keeps them; their order stays.
  func grouped(_ ids: some Sequence<JobID>) throws -> [(client: QueueClient, ids: [JobID])] {
    guard all.count > 1 else { return [(all[0].client, Array(ids))] }
    return try Dictionary(grouping: ids, by: \.shard).sorted { $0.key < $1.key }
      .map { (try client.shard(of: $0.value[0]), $0.value) }
  }

  /// The queues by their shards, and in each where to go on.
  ///
  /// - Parameter last: the job that was dealt with last; queues before its own are left out.
  func inOrder(from last: JobID?) throws -> [(queue: NamedQueue, before: JobID?)] {
    guard let last, all.count > 1 else { return all.map { ($0, last) } }
    let own = try queue(of: last)
    return all[Int(last.shard)...].map { ($0, $0.endpoint == own.endpoint ? last : nil) }
  }
}

extension Queues {
  /// One after the other, in their order.
  func each<Value>(_ body: (NamedQueue) async throws -> Value) async throws -> [Value] {
    var values: [Value] = []
    for queue in all { values.append(try await body(queue)) }
    return values
  }
}
