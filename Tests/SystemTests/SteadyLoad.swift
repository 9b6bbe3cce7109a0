import Foundation
import RerankdClient
import RerankdProtocol
import Synchronization
import TestSupport

/// A producer and consumers that go on while processes die around them.
final class SteadyLoad: Sendable {
  let history = JobHistory()
  let channel = "steady"
  private let models: [String]
  private let documents: ClosedRange<Int>
  private let production = Mutex(Production.runs)

  private enum Production {
    case runs
    case isToEnd
    case hasEnded
  }

  private static let batchJobs = 8
  /// Jobs under way; more would only wait.
  private static let outstandingMax = 200

  /// - Parameters:
  ///   - models: the jobs take turns over them.
  ///   - documents: how many a job has.
  init(models: [String] = ["builtin"], documents: ClosedRange<Int> = 2...2) {
    self.models = models
    self.documents = documents
  }

  /// Produces and consumes until the body is over, and every outcome was told. Then the ledger is
  /// held to the history.
  ///
  /// - Parameter pauses: one consumer each, and what it waits before each acknowledgement.
  /// - Returns: how many jobs there were.
  func run(
    on system: RunningSystem, seed: UInt64, pauses: [@Sendable () -> Duration] = [{ .zero }],
    _ body: @escaping @Sendable () async throws -> Void
  ) async throws -> Int {
    try await withThrowingTaskGroup(of: Int?.self) { group in
      group.addTask {
        try await self.produce(to: system, seed: seed)
        return nil
      }
      for pause in pauses {
        group.addTask {
          try await self.consume(from: system, pause: pause)
          return nil
        }
      }
      group.addTask {
        try await body()
        self.production.withLock { $0 = .isToEnd }
        try await eventually("every outcome", timeout: .seconds(180)) {
          self.production.withLock { $0 == .hasEnded } && self.history.outstanding == 0
        }
        return try await system.withClient { try await self.history.verify(against: $0) }
      }
      defer { group.cancelAll() }
      while let ended = try await group.next() {
        if let jobs = ended { return jobs }
      }
      throw BrokenPromise("the load ended before its time")
    }
  }

  private var isProducing: Bool { production.withLock { $0 == .runs } }

  // MARK: Producing

  /// Submits batches, again and again until each is acknowledged; a batch in four once more, as if its
  /// answer had been lost.
  private func produce(to system: RunningSystem, seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    // Each call is made once, and short: lost answers are this producer's to deal with.
    let client = try system.client(timeout: .seconds(2))
    var number = 0
    while isProducing {
      try await eventually("room for more jobs", timeout: .seconds(120)) {
        !isProducing || history.outstanding < Self.outstandingMax
      }
      let keys = (number..<number + Self.batchJobs).map { "key-\($0)" }
      number += keys.count
      var jobs: [RerankJob] = []
      for (key, model) in zip(keys, (0..<keys.count).map { models[$0 % models.count] }) {
        let count = Int.random(in: documents, using: &random)
        let texts = ["Paris is its capital."] + (1..<count).map { "this is \($0) of \(key)" }
        history.willSend(key, documents: count, channel: channel)
        try jobs.append(.make(documents: texts, model: model, key: key, channel: channel))
      }
      try await submit(jobs, keys, client)
      if Int.random(in: 0..<4, using: &random) == 0 {
        history.noteResubmission()
        try await submit(jobs, keys, client)
      }
    }
    await client.close()
    production.withLock { $0 = .hasEnded }
  }

  private func submit(_ jobs: [RerankJob], _ keys: [String], _ client: QueueClient) async throws {
    let deadline = ContinuousClock.now + .seconds(120)
    while true {
      do {
        try history.note(await client.submit(jobs), of: keys)
        return
      } catch let error as CallError
        where [.unavailable, .deadlineExceeded].contains(error.code) && .now < deadline
      {
        history.noteResubmission()
        try await Task.sleep(for: .milliseconds(50))
      }
    }
  }

  // MARK: Consuming

  /// Acknowledges outcomes until it is cancelled.
  private func consume(
    from system: RunningSystem, pause: @Sendable () -> Duration
  ) async throws {
    let client = try system.client()
    do {
      for try await delivery in client.receive(channel: channel) {
        try history.note(delivery.outcome)
        let wait = pause()
        if wait > .zero { try await Task.sleep(for: wait) }
        await delivery.acknowledge()
      }
    } catch  where Task.isCancelled {}
    await client.close()
  }
}
