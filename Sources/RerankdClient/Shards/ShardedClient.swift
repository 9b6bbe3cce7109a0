internal import CallTransport
public import RerankdProtocol
internal import Synchronization
public import ZeroMQ

/// A client of all the queues (shards) of a deployment, which has `QueueClient`'s calls; of one
/// queue alone it is no more than that queue's client.
///
/// A job with an idempotency key always goes to the same shard, found by hashing its tenant and
/// key, and fails with UNAVAILABLE when that one is away: elsewhere the key would be a new one. A
/// job without a key goes to any shard that answers. A job's id names its shard. Reply consumers
/// receive from all shards, and what is asked about everything is asked of all and put together
/// from those that answer.
public final class ShardedClient: Sendable {
  public let configuration: ShardedConfiguration
  /// In the order of their numbers.
  public let shards: [QueueClient]
  let health: ShardHealth
  /// Shards that have said their number, and said the right one.
  private let placed = Mutex<Set<Int>>([])

  /// Returns at once; the connections are made in the background.
  /// - Throws: `ZeroMQError` when the process is out of sockets, files or threads.
  public init(_ configuration: ShardedConfiguration) throws(ZeroMQError) {
    self.configuration = configuration
    var shards: [QueueClient] = []
    for endpoint in configuration.endpoints {
      var client = configuration.client
      client.connection.endpoint = endpoint
      shards.append(try QueueClient(client))
    }
    self.shards = shards
    health = ShardHealth(count: shards.count, interval: configuration.awayInterval) {
      [shards] shard in
      do throws(CallError) {
        _ = try await shards[shard].models(timeout: .seconds(5))
        return true
      } catch {
        return error.code != .unavailable && error.code != .deadlineExceeded
      }
    }
  }

  /// Ends what is open and waits until the connections are gone.
  public func close() async {
    health.close()
    await withTaskGroup { group in
      for shard in shards { group.addTask { await shard.close() } }
    }
  }

  /// The shard that a job's id names.
  /// - Throws: `CallError` NOT_FOUND for an id of a shard that is not in the list.
  public func shard(of id: JobID) throws(CallError) -> QueueClient {
    shards[try number(of: id)]
  }

  func number(of id: JobID) throws(CallError) -> Int {
    // A single queue may have any number.
    guard shards.count > 1 else { return 0 }
    guard Int(id.shard) < shards.count else {
      throw CallError(
        .notFound, "job \(id) is of shard \(id.shard), and there are \(shards.count) queues",
        reason: "SHARD_UNKNOWN", resource: "\(id)")
    }
    return Int(id.shard)
  }

  /// Makes sure, once, that a queue is the shard that the list says: a list in another order would
  /// send the same key to different queues.
  func checkPlace(_ number: Int) async throws(CallError) {
    guard shards.count > 1, !placed.withLock({ $0.contains(number) }) else { return }
    guard let shard = try await shards[number].shardNumber() else { return }
    guard shard == number else {
      throw CallError(
        .failedPrecondition,
        "the queue at \(configuration.endpoints[number]) is shard \(shard), and stands in the list "
          + "of queues as shard \(number): list them in the order of their numbers, from 0",
        reason: "SHARD_MISPLACED")
    }
    placed.withLock { _ = $0.insert(number) }
  }
}

/// What one of several queues answered.
public struct ShardAnswer<Value: Sendable>: Sendable {
  /// Its place in the list of queues.
  public let shard: Int
  public let endpoint: Endpoint
  public let result: Result<Value, CallError>
}

extension ShardedClient {
  /// Asks all queues at the same time.
  /// - Returns: what each of them answered, in their order.
  public func each<Value: Sendable>(
    _ body: @escaping @Sendable (QueueClient) async throws(CallError) -> Value
  ) async -> [ShardAnswer<Value>] {
    await withTaskGroup(of: ShardAnswer<Value>.self) { group in
      for (number, client) in shards.enumerated() {
        let endpoint = configuration.endpoints[number]
        group.addTask {
          let result: Result<Value, CallError>
          do throws(CallError) {
            result = .success(try await body(client))
          } catch {
            result = .failure(error)
          }
          return ShardAnswer(shard: number, endpoint: endpoint, result: result)
        }
      }
      var answers: [ShardAnswer<Value>] = []
      for await answer in group { answers.append(answer) }
      return answers.sorted { $0.shard < $1.shard }
    }
  }

  /// What those say that answer.
  /// - Throws: `CallError`, the first queue's, when none does.
  func answered<Value: Sendable>(
    _ body: @escaping @Sendable (QueueClient) async throws(CallError) -> Value
  ) async throws(CallError) -> [Value] {
    let answers = await each(body)
    let values = answers.compactMap { try? $0.result.get() }
    if values.isEmpty, case .failure(let error)? = answers.first?.result { throw error }
    return values
  }

  /// Has all queues do something.
  /// - Throws: `CallError`, naming the queue, when one did not.
  func all<Value: Sendable>(
    _ body: @escaping @Sendable (QueueClient) async throws(CallError) -> Value
  ) async throws(CallError) -> [Value] {
    var values: [Value] = []
    for answer in await each(body) {
      switch answer.result {
      case .success(let value): values.append(value)
      case .failure(let error): throw shards.count == 1 ? error : error.from(answer.endpoint)
      }
    }
    return values
  }
}

extension CallError {
  func from(_ endpoint: Endpoint) -> CallError {
    CallError(code, "\(endpoint): \(message)", details: details)
  }
}
