import RerankdProtocol
import Testing

@testable import QueueRole

@Suite struct CoreSupervisorTests {
  private func supervise(
    _ queue: CoreHarness, _ id: String = "host-1", running: UInt32 = 2, wanted: UInt32 = 2,
    max: UInt32 = 8
  ) throws -> UInt32? {
    let call = queue.call()
    let report = SupervisorReport(
      supervisorID: id, host: "host", processID: 7, workersRunning: running, workersWanted: wanted,
      workersMax: max)
    let response = try queue.send(.supervise(call, report))
      .answer(to: call, SuperviseResponse.self)
    return response.hasWorkersWanted ? response.workersWanted : nil
  }

  private func scale(
    _ id: String? = nil, to workers: UInt32, _ queue: CoreHarness
  ) -> Result<SupervisorStatus, CallError> {
    let call = queue.call()
    let effects = queue.send(.scaleWorkers(call, supervisorID: id, workers: workers))
    if let error = effects.failure(of: call) { return .failure(error) }
    return Result {
      try effects.answer(to: call, ScaleWorkersResponse.self).supervisor
    }.mapError { CallError(.internal, "\($0)") }
  }

  private func code(_ result: Result<SupervisorStatus, CallError>) -> StatusCode? {
    if case .failure(let error) = result { error.code } else { nil }
  }

  @Test func askedNumberIsToldUntilTheSupervisorHasTakenItUp() throws {
    let queue = CoreHarness()
    #expect(try supervise(queue) == nil)
    let asked = try scale(to: 5, queue).get()
    #expect(asked.workersWanted == 5 && asked.workersRunning == 2 && asked.host == "host")
    #expect(try supervise(queue) == 5)
    // The answer may have been lost.
    #expect(try supervise(queue) == 5)
    #expect(try supervise(queue, running: 3, wanted: 5) == nil)
    // From here on the number is the supervisor's own again.
    #expect(try supervise(queue, running: 5, wanted: 4) == nil)
    #expect(try queue.status().supervisors.map(\.workersWanted) == [4])
  }

  /// The supervisor has taken up the first number, and has not said so yet.
  @Test func goingBackToTheFormerNumberIsToldToo() throws {
    let queue = CoreHarness()
    #expect(try supervise(queue, wanted: 1) == nil)
    #expect(try scale(to: 3, queue).get().workersWanted == 3)
    #expect(try supervise(queue, wanted: 1) == 3)
    #expect(try scale(to: 1, queue).get().workersWanted == 1)
    #expect(try supervise(queue, wanted: 3) == 1)
    #expect(try supervise(queue, wanted: 1) == nil)
  }

  @Test func scalingWithoutASupervisorSaysWhatToDo() throws {
    let queue = CoreHarness()
    guard case .failure(let error) = scale(to: 1, queue) else {
      Issue.record("scaling found a supervisor")
      return
    }
    #expect(error.code == .notFound && error.message.contains("rerankd up"))
    #expect(code(scale("other", to: 1, queue)) == .notFound)
  }

  @Test func oneOfSeveralSupervisorsHasToBeNamed() throws {
    let queue = CoreHarness()
    _ = try supervise(queue, "a")
    _ = try supervise(queue, "b")
    guard case .failure(let error) = scale(to: 1, queue) else {
      Issue.record("scaling chose a supervisor")
      return
    }
    #expect(error.code == .failedPrecondition && error.message.contains("\"a\", \"b\""))
    #expect(try scale("b", to: 1, queue).get().supervisorID == "b")
    #expect(try supervise(queue, "a") == nil)
    #expect(try supervise(queue, "b") == 1)
  }

  @Test func moreThanTheSupervisorRunsAtMostIsRefused() throws {
    let queue = CoreHarness()
    _ = try supervise(queue, max: 4)
    #expect(code(scale(to: 5, queue)) == .invalidArgument)
    #expect(try scale(to: 4, queue).get().workersWanted == 4)
    #expect(try scale(to: 0, queue).get().workersWanted == 0)
  }

  @Test func silentSupervisorIsForgotten() throws {
    let queue = CoreHarness()
    _ = try supervise(queue)
    _ = try scale(to: 5, queue).get()
    queue.pass(ms: queue.configuration.supervisorSilenceMs - 1)
    #expect(try queue.status().supervisors.count == 1)
    queue.pass(ms: 1)
    #expect(try queue.status().supervisors.isEmpty)
    #expect(code(scale(to: 1, queue)) == .notFound)
    #expect(try supervise(queue) == nil)
  }

  @Test func supervisorsAreBounded() throws {
    let queue = CoreHarness { $0.supervisorsMax = 1 }
    _ = try supervise(queue, "a")
    let call = queue.call()
    let report = SupervisorReport(
      supervisorID: "b", host: "", processID: 0, workersRunning: 0, workersWanted: 0, workersMax: 0)
    #expect(queue.send(.supervise(call, report)).failure(of: call)?.code == .resourceExhausted)
    queue.pass(ms: queue.configuration.supervisorSilenceMs)
    _ = try supervise(queue, "b")
    #expect(queue.core.supervisors.count == 1)
  }
}
