import Synchronization
import Testing

@testable import WorkerRole

/// What was called back, in order.
private final class Calls: Sendable {
  private let names = Mutex<[String]>([])
  private let stream = AsyncStream<String>.makeStream()

  func note(_ name: String) {
    names.withLock { $0.append(name) }
    stream.continuation.yield(name)
  }

  var all: [String] { names.withLock { $0 } }

  /// The next one; a test that waits in vain runs into its time limit.
  func next() async -> String? {
    var iterator = stream.stream.makeAsyncIterator()
    return await iterator.next()
  }
}

@Suite(.timeLimit(.minutes(1)))
struct DeadlinesTests {
  private let deadlines = Deadlines()
  private let calls = Calls()

  private func call(_ name: String, in duration: Duration) -> Deadlines.Ticket {
    deadlines.call(at: .now + duration) { [calls] in calls.note(name) }
  }

  @Test func deadlineCallsBackWhenItHasPassed() async {
    let due = ContinuousClock.now + .milliseconds(20)
    _ = deadlines.call(at: due) { [calls] in calls.note("due") }
    #expect(await calls.next() == "due")
    #expect(ContinuousClock.now >= due)
  }

  @Test func deadlineInThePastCallsBackAtOnce() async {
    _ = call("past", in: .seconds(-1))
    #expect(await calls.next() == "past")
  }

  @Test func earlierDeadlineDoesNotWaitForTheOneBeforeIt() async {
    let far = call("far", in: .seconds(3_600))
    _ = call("near", in: .milliseconds(10))
    #expect(await calls.next() == "near")
    deadlines.cancel(far)
  }

  @Test func laterDeadlineIsNotForgottenAfterTheEarlierOne() async {
    _ = call("first", in: .milliseconds(10))
    _ = call("second", in: .milliseconds(40))
    #expect(await calls.next() == "first")
    #expect(await calls.next() == "second")
  }

  @Test func cancelledDeadlineIsNotCalled() async {
    let cancelled = call("cancelled", in: .milliseconds(10))
    _ = call("kept", in: .milliseconds(30))
    deadlines.cancel(cancelled)
    #expect(await calls.next() == "kept")
    #expect(calls.all == ["kept"])
  }

  @Test func deadlineAfterACancelledOneStillCallsBack() async {
    deadlines.cancel(call("cancelled", in: .milliseconds(10)))
    _ = call("later", in: .milliseconds(60))
    #expect(await calls.next() == "later")
  }
}
