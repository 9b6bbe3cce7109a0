internal import CallTransport
public import RerankdProtocol
internal import Synchronization

/// The results of a reply channel from all queues, as they come; see `ReplyConsumer`. A queue that
/// is away is attached to when it comes back, while the others go on.
public struct ShardedReplyConsumer: AsyncSequence, Sendable {
  public typealias Element = ReceivedDelivery
  public typealias Failure = CallError

  private let shards: [ReplyConsumer]
  private let configuration: ShardedConfiguration

  init(shards: [ReplyConsumer], configuration: ShardedConfiguration) {
    self.shards = shards
    self.configuration = configuration
  }

  public func makeAsyncIterator() -> Iterator {
    // What waits here is bounded: each consumer holds at most `deliveriesHeldMax` that were not
    // acknowledged.
    let (stream, continuation) = AsyncStream.makeStream(
      of: Result<ReceivedDelivery, CallError>.self)
    let absences = Absences(
      // A queue that is away fails once in so long; twice that leaves nobody out.
      window: (configuration.client.connection.connectTimeout + configuration.awayInterval) * 2,
      count: shards.count)
    let readers = shards.indices.map { shard in
      Task { await read(shard, absences, continuation) }
    }
    continuation.onTermination = { _ in
      for reader in readers { reader.cancel() }
    }
    return Iterator(deliveries: stream.makeAsyncIterator())
  }

  private func read(
    _ shard: Int, _ absences: Absences,
    _ continuation: AsyncStream<Result<ReceivedDelivery, CallError>>.Continuation
  ) async {
    var iterator = shards[shard].makeAsyncIterator()
    while !Task.isCancelled {
      do throws(CallError) {
        guard let delivery = try await iterator.next() else { break }
        absences.noteDelivery()
        continuation.yield(.success(delivery))
      } catch {
        guard error.code == .unavailable, !absences.noteFailure(of: shard) else {
          continuation.yield(.failure(error))
          return continuation.finish()
        }
        try? await Task.sleep(for: configuration.awayInterval)
      }
    }
  }

  public struct Iterator: AsyncIteratorProtocol {
    fileprivate var deliveries: AsyncStream<Result<ReceivedDelivery, CallError>>.Iterator

    public mutating func next() async throws(CallError) -> ReceivedDelivery? {
      try await next(isolation: nil)
    }

    public mutating func next(
      isolation actor: isolated (any Actor)?
    ) async throws(CallError) -> ReceivedDelivery? {
      guard let delivery = await deliveries.next(isolation: actor) else {
        guard !Task.isCancelled else { throw CallError(.cancelled, "the consumer was cancelled") }
        return nil
      }
      return try delivery.get()
    }
  }
}

/// As with a single queue, it is an error that no queue answers, unless one has before.
private final class Absences: Sendable {
  private struct State {
    var hasDelivered = false
    var failedAt: [Int: ContinuousClock.Instant] = [:]
  }

  private let window: Duration
  private let count: Int
  private let state = Mutex(State())

  init(window: Duration, count: Int) {
    self.window = window
    self.count = count
  }

  func noteDelivery() { state.withLock { $0.hasDelivered = true } }

  /// - Returns: whether there is nobody to wait for.
  func noteFailure(of shard: Int) -> Bool {
    state.withLock { state in
      guard count > 1 else { return true }
      let now = ContinuousClock.now
      state.failedAt[shard] = now
      let away = state.failedAt.values.count { now - $0 <= window }
      return !state.hasDelivered && away == count
    }
  }
}

extension ShardedClient {
  /// Consumes the results of jobs that named this channel in `spec.replyChannel`.
  public func receive(channel: String, tenant: String = "") -> ShardedReplyConsumer {
    ShardedReplyConsumer(
      shards: shards.map { $0.receive(channel: channel, tenant: tenant) },
      configuration: configuration)
  }
}
