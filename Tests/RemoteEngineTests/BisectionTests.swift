import TestSupport
import Testing

@testable import RemoteEngine

struct BisectionTests {
  @Test func aSingleCulpritCostsTwoRequestsALevelAtMost() {
    for count in [2, 3, 4, 5, 7, 8, 31, 64, 100, 1_000] {
      for culprit in Set([0, 1, count / 3, count / 2, count - 1]) {
        let found = bisect(0..<count, culprits: [culprit])
        #expect(found.culprits == [culprit])
        #expect(found.requests <= 2 * levels(count))
        #expect(found.scored == Set(0..<count).subtracting([culprit]))
      }
    }
  }

  @Test(arguments: 1...50)
  func allCulpritsAreFoundAndEverythingElseIsScored(seed: Int) {
    var random = SeededGenerator(seed: UInt64(seed))
    let count = Int.random(in: 2...300, using: &random)
    let start = Int.random(in: 0...1_000, using: &random)
    let range = start..<start + count
    let culprits = Set(
      (0..<Int.random(in: 1...6, using: &random)).map { _ in
        Int.random(in: range, using: &random)
      })
    let found = bisect(range, culprits: culprits)
    #expect(Set(found.culprits) == culprits)
    #expect(found.culprits.count == culprits.count)
    #expect(found.requests <= 2 * levels(count) * culprits.count)
    #expect(found.scored == Set(range).subtracting(culprits))
  }

  @Test func documentsThatFailOnlyTogetherAreAllScored() {
    var bisection = Bisection(0..<8)
    var scored: Set<Int> = []
    while let part = bisection.next() {
      scored.formUnion(part)
      bisection.record(failed: false)
    }
    #expect(bisection.culprits.isEmpty)
    #expect(scored == Set(0..<8))
  }

  private func bisect(
    _ range: Range<Int>, culprits: Set<Int>
  ) -> (culprits: [Int], requests: Int, scored: Set<Int>) {
    var bisection = Bisection(range)
    var requests = 0
    var scored: Set<Int> = []
    while let part = bisection.next() {
      requests += 1
      let failed = !culprits.isDisjoint(with: part)
      if !failed { scored.formUnion(part) }
      bisection.record(failed: failed)
    }
    return (bisection.culprits, requests, scored)
  }

  private func levels(_ count: Int) -> Int {
    Int.bitWidth - (count - 1).leadingZeroBitCount
  }
}
