import Testing

@testable import rerankd

@Suite struct RestartPolicyTests {
  @Test func pausesDoubleUpToTheLongest() {
    var policy = RestartPolicy()
    let pauses = (0..<10).map { _ in policy.pause(afterRunOf: .seconds(1)) }
    #expect(
      pauses.prefix(4) == [
        .milliseconds(200), .milliseconds(400), .milliseconds(800), .milliseconds(1600),
      ])
    #expect(pauses.last == policy.longest)
  }

  @Test func aLongRunCountsAsWell() {
    var policy = RestartPolicy()
    for _ in 0..<6 { _ = policy.pause(afterRunOf: .seconds(1)) }
    #expect(policy.pause(afterRunOf: .seconds(60)) == policy.first)
    #expect(policy.pause(afterRunOf: .seconds(59)) == policy.first * 2)
  }

  @Test func neverOverflowsHoweverOftenItFails() {
    var policy = RestartPolicy()
    for _ in 0..<1000 { #expect(policy.pause(afterRunOf: .zero) <= policy.longest) }
  }
}
