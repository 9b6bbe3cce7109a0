import Ledger
import RerankdProtocol
import Testing

@testable import QueueRole

/// A new configuration while the queue runs.
@Suite struct CoreReloadTests {
  private func changed(
    _ queue: CoreHarness, _ change: (inout QueueConfiguration) -> Void
  ) -> QueueConfiguration {
    var new = queue.core.configuration
    change(&new)
    return new
  }

  @Test func aLoweredAdmissionLimitHoldsForTheNextSubmit() throws {
    let queue = CoreHarness()
    let first = try queue.submit(NewJob(model: "m1"))
    queue.send(.configured(changed(queue) { $0.liveJobsMax = 1 }))
    let second = try queue.submitted([.valid(NewJob(model: "m1"))])
    #expect(second.first?.error.code == StatusCode.resourceExhausted.rawValue)
    #expect(queue.state(first)?.state == .ready)
  }

  @Test func aRaisedConcurrencyGrantsWhatWaited() throws {
    let queue = CoreHarness.withHub(BackendLimits(concurrentRequestsMax: 1))
    let worker = queue.attach()
    let jobs = try (0..<2).map { _ in
      Lease(job: try queue.submit(NewJob(model: "m1")), attempt: 1, epoch: 1)
    }
    #expect(queue.ask(worker.call, 1, for: jobs[0]).granted(to: worker.call) == [1])
    #expect(queue.ask(worker.call, 2, for: jobs[1]).granted(to: worker.call) == [])
    let new = changed(queue) {
      $0.backends = [
        CatalogueBackend(name: "hub", limits: BackendLimits(concurrentRequestsMax: 2))
      ]
    }
    #expect(queue.send(.configured(new)).granted(to: worker.call) == [2])
    #expect(try queue.hub().concurrentRequestsMax == 2)
  }

  @Test func theCatalogueAndTheSocketsStayAsTheyWereMade() {
    let queue = CoreHarness()
    let models = queue.core.configuration.models
    let new = changed(queue) {
      $0.models = []
      $0.shell.peers.peersMax = 1
      $0.backends = [CatalogueBackend(name: "new")]
      $0.retryCapMs = 5_000
    }
    queue.send(.configured(new))
    #expect(queue.core.configuration.models == models)
    #expect(queue.core.configuration.shell.peers.peersMax != 1)
    #expect(queue.core.configuration.backends == [])
    #expect(queue.core.configuration.retryCapMs == 5_000)
  }

  @Test func newBoundsOfABreakerBeginItsCountAnew() {
    let limits = BackendLimits()
    var configuration = QueueConfiguration(models: [])
    let backend = Backend(
      index: 0, name: "hub", isDeclared: true, limits: limits, configuration: configuration,
      nowMs: 0)
    var trips = [backend.breaker.recordFailure()]
    configuration.breaker.failuresInARowMax = 2
    backend.configure(limits: limits, configuration, nowMs: 0)
    trips += [backend.breaker.recordFailure(), backend.breaker.recordFailure()]
    backend.configure(limits: limits, configuration, nowMs: 0)
    trips += [backend.breaker.recordFailure()]
    // The same bounds again leave the count as it is.
    #expect(trips == [false, false, true, true])
  }
}
