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
  private let largeEvery: Int?
  private let limitedEvery: Int?
  private let production = Mutex(Production.runs)

  private enum Production {
    case runs
    case isToEnd
    case hasEnded
  }

  private static let batchJobs = 8
  /// Together more than a piece of a call, or of a body in the ledger, may have.
  private static let largeDocuments = 300
  private static let longText = String(repeating: " glaciers deform", count: 256)
  /// Jobs under way; more would only wait.
  private static let outstandingMax = 200

  /// - Parameters:
  ///   - models: the jobs take turns over them.
  ///   - documents: how many a job has.
  ///   - largeEvery: of how many jobs one is so large that it travels, and is stored, in pieces.
  ///   - limitedEvery: of how many jobs one has few attempts, and two little time.
  init(
    models: [String] = ["builtin"], documents: ClosedRange<Int> = 2...2, largeEvery: Int? = nil,
    limitedEvery: Int? = nil
  ) {
    self.models = models
    self.documents = documents
    self.largeEvery = largeEvery
    self.limitedEvery = limitedEvery
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
          self.production.withLock { $0 == .hasEnded } && self.history.outstanding.isEmpty
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
        !isProducing || history.outstanding.count < Self.outstandingMax
      }
      let jobs = try (number..<number + Self.batchJobs).map { try job($0, &random) }
      number += jobs.count
      for job in jobs { try history.willSend(job) }
      let keys = jobs.map(\.spec.idempotencyKey)
      try await submit(jobs, keys, client)
      if Int.random(in: 0..<4, using: &random) == 0 {
        history.noteResubmission()
        try await submit(jobs, keys, client)
      }
    }
    await client.close()
    production.withLock { $0 = .hasEnded }
  }

  private func job(_ number: Int, _ random: inout SeededGenerator) throws -> RerankJob {
    let key = "key-\(number)"
    let isLarge = largeEvery.map { number % $0 == 0 } ?? false
    let count = isLarge ? Self.largeDocuments : Int.random(in: documents, using: &random)
    let ending = isLarge ? Self.longText : ""
    let texts = ["Paris is its capital."] + (1..<count).map { "this is \($0) of \(key)\(ending)" }
    let turn = limitedEvery.map { number % $0 }
    let (attempts, milliseconds) = (
      UInt32.random(in: 1...3, using: &random), UInt64.random(in: 200...5_000, using: &random)
    )
    return try .make(
      documents: texts, model: models[number % models.count], key: key, channel: channel
    ) {
      if turn == 1 { $0.spec.maxAttempts = attempts }
      if turn == 2 || turn == 5 { $0.spec.deadlineMs = milliseconds }
    }
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
    } catch where Task.isCancelled {}
    await client.close()
  }
}
