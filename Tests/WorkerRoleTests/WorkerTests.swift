import CallTransport
import Logging
import RerankdProtocol
import Scoring
import ServiceLifecycle
import SwiftProtobuf
import Synchronization
import TestSupport
import Testing
import ZeroMQ

@testable import WorkerRole

/// The whole worker against a queue's socket.
@Suite(.timeLimit(.minutes(1))) struct WorkerTests {
  @Test func assignedJobIsScoredAndAnswered() async throws {
    let queue = try WorkQueue()
    try await withWorker(queue, StubEngine()) { _ in
      let (stream, attach) = try await queue.accept()
      #expect(attach.workerID == "w-1")
      #expect(attach.models == ["m"])
      #expect(attach.version == "1.2.3")
      #expect(attach.processID != 0)
      try queue.assign([1: "some text"], on: stream)
      let outcome = try await queue.outcome(of: 1, on: stream)
      let result = try RerankResult(serializedBytes: outcome.completed)
      #expect(result.results.map(\.relevanceScore) == [0.009])
      #expect(result.engine == "stub")
      queue.record([1], on: stream)
    }
  }

  @Test func jobsRunSideBySide() async throws {
    let queue = try WorkQueue()
    let gates = Gates()
    try await withWorker(queue, StubEngine(behaviour: gates.behaviour)) { _ in
      let (stream, _) = try await queue.accept()
      try queue.assign([1: "first", 2: "second"], on: stream)
      gates.open("second")
      _ = try await queue.outcome(of: 2, on: stream)
      #expect(queue.messages(on: stream).flatMap(\.outcomes).count == 1)
      gates.open("first")
      _ = try await queue.outcome(of: 1, on: stream)
      queue.record([1, 2], on: stream)
    }
  }

  @Test func leaseLivesByTheEnginesProgressAlone() async throws {
    let queue = try WorkQueue()
    let gates = Gates()
    let engine = StubEngine { request, progress in
      guard request.documents[0].text == "moves" else {
        return try await gates.behaviour(request, progress)
      }
      while !gates.isOpen("moves") {
        progress()
        try await Task.sleep(for: .milliseconds(1))
      }
      return StubEngine.scores(of: request)
    }
    try await withWorker(queue, engine) { _ in
      let (stream, _) = try await queue.accept()
      try queue.assign([1: "moves", 2: "hangs"], on: stream)
      try await eventually("renewals") {
        queue.messages(on: stream).count { !$0.progress.isEmpty } >= 3
      }
      #expect(
        queue.messages(on: stream).flatMap(\.progress).allSatisfy { $0.jobID == 1 })
      gates.open("moves")
      gates.open("hangs")
      _ = try await queue.outcome(of: 1, on: stream)
      _ = try await queue.outcome(of: 2, on: stream)
      queue.record([1, 2], on: stream)
    }
  }

  @Test func workerGoesOnWhileTheQueueIsAwayAndTellsItAfterwards() async throws {
    let queue = try WorkQueue()
    let gates = Gates()
    try await withWorker(queue, StubEngine(behaviour: gates.behaviour)) { _ in
      let (stream, _) = try await queue.accept()
      try queue.assign([1: "slow", 2: "fast"], on: stream)
      try await eventually("both jobs in work") { gates.waiting == ["slow", "fast"] }
      await queue.stop()
      gates.open("fast")

      // The port is free when libzmq's own threads have closed it.
      let second = try await eventualValue("the port") { try? WorkQueue(at: queue.endpoint) }
      let (again, attach) = try await second.accept(epoch: 2, adopted: [1, 2])
      #expect(attach.held.map(\.jobID) == [1, 2])
      #expect(try await second.outcome(of: 2, on: again).lease.epoch == 1)
      gates.open("slow")
      #expect(try await second.outcome(of: 1, on: again).lease.epoch == 1)
      second.record([1, 2], on: again)
      try second.assign([3: "fast"], epoch: 2, on: again)
      _ = try await second.outcome(of: 3, on: again)
      second.record([3], on: again)
      return second
    }
  }

  @Test func revokedJobIsCancelledInTheEngine() async throws {
    let queue = try WorkQueue()
    let gates = Gates()
    try await withWorker(queue, StubEngine(behaviour: gates.behaviour)) { _ in
      let (stream, _) = try await queue.accept()
      try queue.assign([1: "revoked"], on: stream)
      try await eventually("the job in work") { gates.waiting.contains("revoked") }
      queue.send(
        .with {
          $0.revoked = [
            .with {
              $0.jobID = 1
              $0.attempt = 1
              $0.epoch = 1
            }
          ]
        }, on: stream)
      try await eventually("the cancellation") { gates.cancelled == ["revoked"] }
      #expect(queue.messages(on: stream).flatMap(\.outcomes).isEmpty)
    }
  }

  @Test func engineThatWedgesOrThrowsHarmsItsJobAlone() async throws {
    let queue = try WorkQueue()
    let engine = StubEngine { request, _ in
      switch request.documents[0].text {
      case "wedged": try await withUnsafeThrowingContinuation { _ in }
      case "throws": throw CancellationError()
      default: StubEngine.scores(of: request)
      }
    }
    try await withWorker(queue, engine, change: { $0.jobTimeout = .milliseconds(100) }) { _ in
      let (stream, _) = try await queue.accept()
      try queue.assign([1: "wedged", 2: "throws", 3: "good"], on: stream)
      #expect(try await !queue.outcome(of: 3, on: stream).completed.isEmpty)
      #expect(try await queue.outcome(of: 2, on: stream).failed.retryable)
      let wedged = try await queue.outcome(of: 1, on: stream)
      #expect(wedged.failed.status.code == StatusCode.deadlineExceeded.rawValue)
      queue.record([1, 2, 3], on: stream)
    }
  }

  // MARK: Engines that come late

  @Test func workerAttachesWhenItsFirstEngineIsReadyAndAnewWithTheNext() async throws {
    let queue = try WorkQueue()
    let late = EngineModel(
      name: "late", contextTokens: 9, reservedTokens: 0, acceptsImages: false)
    let engines = [
      StubEngine(telling: failing(1, before: .stub)), StubEngine(telling: failing(3, before: late)),
    ]
    try await withWorker(queue, engines[0], engines[1]) { _ in
      try await eventually("an Attach with both models") {
        queue.streams.contains { queue.messages(on: $0).first?.attach.models == ["late", "m"] }
      }
    }
  }

  @Test func engineThatNeverTellsItsModelsKeepsNobodyFromWorkingOrEnding() async throws {
    let queue = try WorkQueue()
    let wedged = StubEngine(telling: { try await withUnsafeThrowingContinuation { _ in } })
    try await withWorker(queue, wedged, StubEngine()) { _ in
      let (stream, _) = try await queue.accept()
      try queue.assign([1: "text"], on: stream)
      _ = try await queue.outcome(of: 1, on: stream)
      queue.record([1], on: stream)
    }
  }

  @Test func messageThatCannotBeReadCostsTheStreamAndNoMore() async throws {
    let queue = try WorkQueue()
    try await withWorker(queue, StubEngine()) { _ in
      let (stream, _) = try await queue.accept()
      queue.sendBytes([0xFF, 0xFF, 0xFF], on: stream)
      let (again, _) = try await queue.accept(1)
      try queue.assign([1: "text"], on: again)
      _ = try await queue.outcome(of: 1, on: again)
      queue.record([1], on: again)
    }
  }

  // MARK: The end

  @Test func gracefulShutdownFinishesWhatIsInWork() async throws {
    let queue = try WorkQueue()
    let gates = Gates()
    try await withWorker(queue, StubEngine(behaviour: gates.behaviour)) { group in
      let (stream, _) = try await queue.accept()
      try queue.assign([1: "last"], on: stream)
      try await eventually("the job in work") { gates.waiting.contains("last") }
      await group.triggerGracefulShutdown()
      try await eventually("the notice") { queue.messages(on: stream).contains(where: \.draining) }
      gates.open("last")
      #expect(try await !queue.outcome(of: 1, on: stream).completed.isEmpty)
      queue.record([1], on: stream)
    }
  }

  @Test func whatTheGracePeriodDoesNotFinishIsGivenBackUnspent() async throws {
    let queue = try WorkQueue()
    let gates = Gates()
    try await withWorker(
      queue, StubEngine(behaviour: gates.behaviour),
      change: { $0.shutdownGrace = .milliseconds(30) }
    ) { group in
      let (stream, _) = try await queue.accept()
      try queue.assign([1: "endless"], on: stream)
      try await eventually("the job in work") { gates.waiting.contains("endless") }
      await group.triggerGracefulShutdown()
      try await eventually("the release") {
        queue.messages(on: stream).flatMap(\.released).map(\.jobID) == [1]
      }
      queue.record([1], on: stream)
    }
    #expect(gates.cancelled == ["endless"])
  }

  @Test func secondSignalGivesBackAtOnce() async throws {
    let queue = try WorkQueue()
    let gates = Gates()
    let worker = try worker(queue, [StubEngine(behaviour: gates.behaviour)])
    let run = Task { try await worker.run() }
    let (stream, _) = try await queue.accept()
    try queue.assign([1: "endless"], on: stream)
    try await eventually("the job in work") { gates.waiting.contains("endless") }
    await worker.releaseNow()
    try await eventually("the release") {
      queue.messages(on: stream).flatMap(\.released).map(\.jobID) == [1]
    }
    queue.record([1], on: stream)
    try await run.value
  }

  @Test func cancelledWorkerGivesBackAtOnceAndEndsWithoutTheQueuesAnswer() async throws {
    let queue = try WorkQueue()
    let gates = Gates()
    let worker = try worker(queue, [StubEngine(behaviour: gates.behaviour)]) {
      $0.releaseTimeout = .milliseconds(50)
    }
    let run = Task { try await worker.run() }
    let (stream, _) = try await queue.accept()
    try queue.assign([1: "endless"], on: stream)
    try await eventually("the job in work") { gates.waiting.contains("endless") }
    run.cancel()
    try await run.value
    #expect(queue.messages(on: stream).flatMap(\.released).map(\.jobID) == [1])
  }

  @Test func drainByTheQueueEndsTheWorker() async throws {
    let queue = try WorkQueue()
    let worker = try worker(queue, [StubEngine()])
    let run = Task { try await worker.run() }
    let (stream, _) = try await queue.accept()
    queue.send(.with { $0.drain = true }, on: stream)
    try await run.value
  }

  @Test func workerWithoutAQueueEndsWhenTold() async throws {
    let queue = try WorkQueue()
    await queue.stop()
    try await withWorker(queue, StubEngine()) { group in
      await group.triggerGracefulShutdown()
    }
  }

  // MARK: -

  private func worker(
    _ queue: WorkQueue, _ engines: [any RerankEngine],
    change: (inout WorkerConfiguration) -> Void = { _ in }
  ) throws -> Worker {
    var configuration = WorkerConfiguration(workerID: "w-1")
    configuration.reattachBackoff = .milliseconds(5)
    configuration.reattachBackoffMax = .milliseconds(50)
    configuration.modelRefreshInterval = .milliseconds(20)
    change(&configuration)
    return try Worker(
      configuration, engines: engines,
      queue: ConnectionConfiguration(endpoint: Endpoint(queue.endpoint)), version: "1.2.3",
      logger: Self.logger)
  }

  /// Runs a worker in a service group around the body, and shuts it down in the end. What the body
  /// returns lives until then.
  private func withWorker<Value>(
    _ queue: WorkQueue, _ engines: any RerankEngine...,
    change: (inout WorkerConfiguration) -> Void = { _ in },
    _ body: (ServiceGroup) async throws -> Value
  ) async throws {
    let group = ServiceGroup(
      services: [try worker(queue, engines, change: change)], logger: Self.logger)
    let run = Task { try await group.run() }
    let value: Value
    do {
      value = try await body(group)
    } catch {
      run.cancel()
      throw error
    }
    await group.triggerGracefulShutdown()
    try await run.value
    withExtendedLifetime(value) {}
  }

  /// Cannot tell so many times, and then tells.
  private func failing(_ failures: Int, before model: EngineModel)
    -> @Sendable () async throws -> [EngineModel]
  {
    let left = Counter(failures)
    return {
      guard left.decrement() else { return [model] }
      throw EngineError(code: .unavailable, message: "not up yet", isRetryable: true)
    }
  }

  private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

/// Counts down to 0.
final class Counter: Sendable {
  private let left: Mutex<Int>

  init(_ count: Int) {
    left = Mutex(count)
  }

  /// - Returns: false at 0.
  func decrement() -> Bool {
    left.withLock { left in
      guard left > 0 else { return false }
      left -= 1
      return true
    }
  }
}

/// Holds jobs in the engine until the test lets them go, by the text of their first document.
final class Gates: Sendable {
  private struct State {
    var open: Set<String> = []
    var waiting: Set<String> = []
    var cancelled: Set<String> = []
  }

  private let state = Mutex(State())

  var waiting: Set<String> { state.withLock { $0.waiting } }
  var cancelled: Set<String> { state.withLock { $0.cancelled } }

  func open(_ text: String) {
    state.withLock { _ = $0.open.insert(text) }
  }

  func isOpen(_ text: String) -> Bool {
    state.withLock { $0.open.contains(text) }
  }

  var behaviour: StubEngine.Behaviour {
    { request, _ in
      let text = request.documents[0].text
      self.state.withLock { _ = $0.waiting.insert(text) }
      do {
        while !self.isOpen(text) { try await Task.sleep(for: .milliseconds(2)) }
      } catch {
        self.state.withLock { _ = $0.cancelled.insert(text) }
        throw error
      }
      return StubEngine.scores(of: request)
    }
  }
}
