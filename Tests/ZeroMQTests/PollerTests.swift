import Foundation
import Testing
import ZeroMQ

@Suite struct PollerTests {
  @Test func waitEndsWithItsTimeoutWhenNothingHappens() throws {
    let poller = try Poller()
    let elapsed = try ContinuousClock().measure { try poller.wait(timeout: .milliseconds(20)) }
    #expect(elapsed >= .milliseconds(20))
  }

  @Test func signalFromAnotherThreadEndsTheWait() throws {
    let poller = try Poller()
    let wakeUp = poller.wakeUp
    Thread.detachNewThread { wakeUp.signal() }
    let elapsed = try ContinuousClock().measure { try poller.wait(timeout: .seconds(30)) }
    #expect(elapsed < .seconds(20))
  }

  @Test func signalsAreForgottenByOneWait() throws {
    let poller = try Poller()
    poller.wakeUp.signal()
    poller.wakeUp.signal()
    try poller.wait(timeout: .seconds(30))
    let elapsed = try ContinuousClock().measure { try poller.wait(timeout: .milliseconds(20)) }
    #expect(elapsed >= .milliseconds(20))
    poller.wakeUp.signal()
    try poller.wait(timeout: .seconds(30))
  }

  @Test func interestDecidesWhatIsReported() throws {
    let context = try Context()
    let pull = try Socket(.pull, in: context)
    let push = try Socket(.push, in: context)
    try push.connect(pull.bind(Endpoint("tcp://127.0.0.1:*")))
    let poller = try Poller()
    poller.add(pull)
    poller.add(push, .writable)
    try poller.wait(timeout: .seconds(5))
    #expect(poller.events(of: push) == .writable)
    #expect(poller.events(of: pull) == [])

    poller.setInterest([], on: push)
    #expect(try push.send([[1]]) == .sent)
    try poller.wait(timeout: .seconds(5))
    #expect(poller.events(of: push) == [])
    #expect(poller.events(of: pull) == .readable)
    // Level-triggered: what was not taken is ready still.
    try poller.wait(timeout: .seconds(5))
    #expect(poller.events(of: pull) == .readable)

    poller.remove(pull)
    let elapsed = try ContinuousClock().measure { try poller.wait(timeout: .milliseconds(20)) }
    #expect(elapsed >= .milliseconds(20))
  }
}
