import Foundation
import RerankdClient
import RerankdProtocol
import Synchronization
import TestSupport

/// A producer and a consumer that go on while processes die around them, and remember what they were
/// told.
final class KillLoopLoad: Sendable {
  private struct State {
    var isProducing = true
    /// Key → id, of every job that the queue said it has.
    var acknowledged: [String: UInt64] = [:]
    /// Id → result, of every outcome that came.
    var delivered: [UInt64: Data] = [:]
    var resubmissions = 0
    var redeliveries = 0
  }

  private let state = Mutex(State())

  private static let channel = "kill-loop"
  private static let batchJobs = 8
  /// Jobs under way; more would only wait.
  private static let outstandingMax = 200

  var acknowledged: [String: UInt64] { state.withLock(\.acknowledged) }
  var delivered: [UInt64: Data] { state.withLock(\.delivered) }
  var deliveredCount: Int { state.withLock(\.delivered.count) }
  var resubmissions: Int { state.withLock(\.resubmissions) }
  var redeliveries: Int { state.withLock(\.redeliveries) }

  func stopProducing() {
    state.withLock { $0.isProducing = false }
  }

  private var isProducing: Bool { state.withLock(\.isProducing) }

  // MARK: Producing

  /// Submits batches, again and again until each is acknowledged; a batch in four once more, as if its
  /// answer had been lost.
  func produce(to system: RunningSystem, seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    // Each call is made once, and short: lost answers are this producer's to deal with.
    let client = try system.client(timeout: .seconds(2))
    var number = 0
    while isProducing {
      try await eventually("room for more jobs", timeout: .seconds(120)) {
        !isProducing
          || state.withLock { $0.acknowledged.count - $0.delivered.count }
            < Self.outstandingMax
      }
      let keys = (number..<number + Self.batchJobs).map { "key-\($0)" }
      number += keys.count
      let jobs = try keys.map { key in
        try RerankJob.make(
          documents: ["Paris is its capital.", "this is document \(key)"], key: key,
          channel: Self.channel)
      }
      try await submit(jobs, keys, client)
      if Int.random(in: 0..<4, using: &random) == 0 {
        state.withLock { $0.resubmissions += 1 }
        try await submit(jobs, keys, client)
      }
    }
    await client.close()
  }

  private func submit(_ jobs: [RerankJob], _ keys: [String], _ client: QueueClient) async throws {
    let deadline = ContinuousClock.now + .seconds(120)
    while true {
      do {
        let outcomes = try await client.submit(jobs)
        try note(outcomes, keys)
        return
      } catch let error as CallError
        where [.unavailable, .deadlineExceeded].contains(error.code) && .now < deadline
      {
        state.withLock { $0.resubmissions += 1 }
        try await Task.sleep(for: .milliseconds(50))
      }
    }
  }

  private func note(_ outcomes: [SubmitOutcome], _ keys: [String]) throws {
    try state.withLock { state in
      for (key, outcome) in zip(keys, outcomes) {
        guard !outcome.hasError else {
          throw BrokenPromise("\(key) was refused: \(outcome.error.message)")
        }
        let former = state.acknowledged.updateValue(outcome.jobID, forKey: key)
        guard former == nil || former == outcome.jobID else {
          throw BrokenPromise("\(key) is job \(former ?? 0) and job \(outcome.jobID)")
        }
      }
    }
  }

  // MARK: Consuming

  /// Acknowledges outcomes until production is over and each acknowledged job's has come.
  func consume(from system: RunningSystem) async throws {
    let client = try system.client()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        do {
          for try await delivery in client.receive(channel: Self.channel) {
            try self.note(delivery)
            await delivery.acknowledge()
          }
        } catch let error as CallError where error.code == .cancelled {}
      }
      group.addTask {
        try await eventually("the end of production", timeout: .seconds(3_600)) {
          !self.isProducing
        }
        try await eventually("every outcome", timeout: .seconds(180)) {
          self.state.withLock { state in
            state.acknowledged.values.allSatisfy { state.delivered[$0] != nil }
          }
        }
        try await eventually("the acknowledgement of every outcome", timeout: .seconds(60)) {
          let counts = try await client.status().models
          return counts.allSatisfy { $0.ready + $0.leased + $0.delayed == 0 }
        }
      }
      try await group.next()
      group.cancelAll()
      try await group.waitForAll()
    }
    await client.close()
  }

  private func note(_ delivery: ReceivedDelivery) throws {
    let outcome = delivery.outcome
    guard outcome.state == .succeeded else {
      throw BrokenPromise(
        "job \(delivery.jobID) ended as \(outcome.state): \(outcome.error.message)")
    }
    try state.withLock { state in
      let former = state.delivered.updateValue(outcome.result, forKey: outcome.jobID)
      guard let former else { return }
      state.redeliveries += 1
      guard former == outcome.result else {
        throw BrokenPromise("job \(delivery.jobID) ended twice, with two results")
      }
    }
  }
}

struct BrokenPromise: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) {
    self.description = description
  }
}
