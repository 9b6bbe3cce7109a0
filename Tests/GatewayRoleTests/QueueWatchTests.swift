import Foundation
import NIOHTTP1
import RerankdProtocol
import TestSupport
import Testing

@testable import GatewayRole

/// What all open pages share: one look at the queue, and its last minutes.
@Suite struct QueueWatchTests {
  private func watch(
    _ queues: [StubOperatedQueue], period: Duration = .zero
  ) -> QueueWatch {
    QueueWatch(queues, period: period, idlePeriod: .seconds(60), span: .seconds(600))
  }

  private func sight(
    epoch: UInt64 = 1, succeeded: UInt64, ready: UInt64 = 0, workers: [String] = [],
    error: CallError? = nil
  ) -> QueueWatch.Sight {
    var status = StatusResponse()
    status.epoch = epoch
    status.counters.succeeded = succeeded
    var model = ModelStatus()
    model.model.name = "m"
    model.ready = ready
    status.models = [model]
    let infos = workers.map { id in
      var info = WorkerInfo()
      info.workerID = id
      return info
    }
    return QueueWatch.Sight(seenUnixMs: 1, status: status, workers: infos, error: error)
  }

  private func column(_ name: String, _ history: QueueHistory) throws -> [UInt64?] {
    let index = try #require(QueueHistory.columns.firstIndex(of: name)) - 2
    return history.rows.map { $0.figures?[index] }
  }

  @Test func allWhoAskWithinAPeriodShareOneLook() async {
    let queue = StubOperatedQueue()
    let watch = watch([queue], period: .seconds(60))
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<20 { group.addTask { _ = await watch.current() } }
    }
    #expect(queue.calls == ["status"])
    await watch.expire()
    _ = await watch.current()
    #expect(queue.calls == ["status", "status"])
  }

  @Test func aQueueThatIsAwayIsShownAsItWas() async throws {
    let queue = StubOperatedQueue()
    queue.setStatus { $0.version = "1" }
    let watch = watch([queue])
    _ = await watch.current()
    queue.fail(CallError(.unavailable, "nobody answers"))
    let sight = try #require(await watch.current().sights.first)
    #expect(sight.status?.version == "1")
    #expect(sight.seenUnixMs != nil)
    #expect(sight.error?.message == "nobody answers")
    #expect(await watch.history.rows.map { $0.figures == nil } == [false, true])
    queue.fail(nil)
    #expect(await watch.current().sights.first?.error == nil)
  }

  @Test func itLooksWhileNobodyAsks() async throws {
    let queue = StubOperatedQueue()
    let watch = QueueWatch(
      [queue], period: .zero, idlePeriod: .milliseconds(1), span: .seconds(600))
    let task = Task { await watch.run() }
    try await eventually("three looks") { queue.calls.count >= 3 }
    task.cancel()
    await task.value
  }

  @Test func countersGrowOnWhenAQueueStartsAnew() throws {
    var history = QueueHistory(queueCount: 1, span: .seconds(600))
    for (time, sight) in [
      sight(succeeded: 100), sight(succeeded: 110),
      sight(succeeded: 110, error: .init(.unavailable, "")),
      sight(epoch: 2, succeeded: 4), sight(epoch: 2, succeeded: 5),
    ].enumerated() {
      history.add([sight], atUnixMs: Int64(time))
    }
    #expect(try column("succeeded", history) == [0, 10, nil, 14, 15])
  }

  @Test func severalQueuesAreAddedUpAndOneThatIsAwayKeepsItsFigures() throws {
    var history = QueueHistory(queueCount: 2, span: .seconds(600))
    history.add([sight(succeeded: 5, ready: 1), sight(succeeded: 50, ready: 2)], atUnixMs: 0)
    history.add(
      [
        sight(succeeded: 6, ready: 3),
        sight(succeeded: 50, ready: 2, error: .init(.unavailable, "")),
      ],
      atUnixMs: 1)
    #expect(try column("ready", history) == [3, 5])
    #expect(try column("succeeded", history) == [0, 1])
    #expect(history.rows.map(\.waiting) == [["m": 3], ["m": 5]])
  }

  @Test func aWorkerOfSeveralQueuesIsOne() throws {
    var history = QueueHistory(queueCount: 2, span: .seconds(600))
    history.add(
      [sight(succeeded: 0, workers: ["a", "b"]), sight(succeeded: 0, workers: ["b", "c"])],
      atUnixMs: 0)
    #expect(try column("workers", history) == [3])
  }

  @Test func theHistoryIsBoundedByTimeAndCount() {
    var history = QueueHistory(queueCount: 1, span: .seconds(10))
    for second in 0..<30 { history.add([sight(succeeded: 0)], atUnixMs: Int64(second) * 1_000) }
    #expect(history.rows.map(\.number) == Array(19...29))
    #expect(history.rows(after: 27).map(\.number) == [28, 29])
    #expect(history.rows(after: 29).isEmpty)
    #expect(history.rows(after: nil).count == 11)
    for _ in 0..<2 * QueueHistory.rowsMax { history.add([sight(succeeded: 0)], atUnixMs: 30_000) }
    #expect(history.rows.count == QueueHistory.rowsMax)
  }

  @Test func aPageIsSentWhatItDoesNotHave() async throws {
    let queue = StubOperatedQueue()
    var worker = WorkerInfo()
    worker.workerID = "w-1"
    queue.attach(worker)
    try await RunningGateway.run(
      operated: [queue], configure: { $0.pageStatusPeriod = .nanoseconds(1) }
    ) {
      gateway in
      func rows(_ reply: RunningGateway.Reply) throws -> [Int] {
        let history = try #require(try reply.json()["history"] as? [String: Any])
        return (history["rows"] as? [[Any]] ?? []).compactMap { $0.first as? Int }
      }
      let first = try await gateway.send(.GET, "/ui/api/status")
      let json = try first.json()
      let queues = try #require(json["queues"] as? [[String: Any]])
      #expect((queues[0]["workers"] as? [[String: Any]])?.first?["workerId"] as? String == "w-1")
      #expect((queues[0]["status"] as? [String: Any])?["epoch"] as? String == "1")
      let run = try #require(json["gateway"] as? String)
      let last = try #require(try rows(first).last)
      let next = try await gateway.send(.GET, "/ui/api/status?gateway=\(run)&since=\(last)")
      #expect(try rows(next) == [last + 1])
      // Another run's numbers mean nothing here.
      let other = try await gateway.send(.GET, "/ui/api/status?gateway=other&since=\(last)")
      #expect(try rows(other).first == 0)
    }
  }
}
