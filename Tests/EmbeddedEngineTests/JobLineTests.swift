import Testing

@testable import EmbeddedEngine

/// Which documents make up the next batch.
@Suite struct JobLineTests {
  private final class Job {
    let name: String
    init(_ name: String) { self.name = name }
  }

  private final class Model {}
  private let model = Model()
  private var line = JobLine<Job>()

  private mutating func append(_ name: String, _ tokenCounts: [Int], model: Model? = nil) {
    line.append(
      Job(name), model: ObjectIdentifier(model ?? self.model), tokenCounts: tokenCounts)
  }

  /// As "name: documents".
  private mutating func take(_ tokensMax: Int, freeLanes: Int = 1) -> [String] {
    line.takeBatch(tokensMax: tokensMax, freeLanes: freeLanes).map {
      "\($0.job.name): \($0.documents.map(String.init).joined(separator: " "))"
    }
  }

  @Test mutating func smallJobsShareABatch() {
    append("a", [30, 20])
    append("b", [40])
    append("c", [10])
    append("d", [1])
    #expect(take(100) == ["a: 0 1", "b: 0", "c: 0"])
    #expect(take(100) == ["d: 0"])
    #expect(line.isEmpty)
    #expect(take(100) == [])
  }

  @Test mutating func aLargeJobGoesToTheEndOfTheLineAfterItsTurn() {
    append("large", Array(repeating: 50, count: 5))
    append("small", [10, 10])
    append("other", [100])
    #expect(take(100) == ["large: 0 1"])
    // It fills what the small one leaves, where the next in line has no document that fits.
    #expect(take(100) == ["small: 0 1", "large: 2"])
    #expect(take(100) == ["other: 0"])
    #expect(take(100) == ["large: 3 4"])
    #expect(line.isEmpty)
  }

  @Test mutating func whoFillsABatchKeepsItsPlace() {
    append("first", [60])
    append("filler", [40, 40, 40, 40])
    append("last", [40])
    #expect(take(100) == ["first: 0", "filler: 0"])
    #expect(take(100) == ["filler: 1 2"])
    #expect(take(100) == ["last: 0", "filler: 3"])
  }

  @Test mutating func aBatchIsForOneModel() {
    let other = Model()
    append("a", [10, 10])
    append("b", [10], model: other)
    append("c", [10])
    #expect(take(15) == ["a: 0"])
    #expect(take(100) == ["b: 0"])
    #expect(take(100) == ["c: 0", "a: 1"])
  }

  @Test mutating func aDocumentAboveTheLimitGoesAlone() {
    append("a", [500, 3, 4])
    append("b", [5])
    #expect(take(100) == ["a: 0"])
    #expect(take(100) == ["b: 0", "a: 1 2"])
  }

  @Test mutating func whatWaitsIsSharedAmongFreeLanes() {
    append("a", Array(repeating: 10, count: 8))
    #expect(take(512, freeLanes: 4) == ["a: 0 1"])
    #expect(take(512, freeLanes: 3) == ["a: 2 3"])
    #expect(take(512, freeLanes: 2) == ["a: 4 5"])
    #expect(take(512, freeLanes: 1) == ["a: 6 7"])
    append("b", [10])
    append("c", [30, 20])
    #expect(take(512, freeLanes: 3) == ["b: 0"])
    #expect(take(512, freeLanes: 100) == ["c: 0"])
    #expect(take(512, freeLanes: 100) == ["c: 1"])
  }

  @Test mutating func whatIsTakenBackIsInNoBatch() {
    append("a", [10, 10])
    let gone = Job("gone")
    line.append(gone, model: ObjectIdentifier(model), tokenCounts: [10])
    line.remove(gone)
    #expect(take(100) == ["a: 0 1"])
    line.remove(gone)
    #expect(line.isEmpty)
  }

  @Test mutating func everyDocumentIsInOneBatchWithinTheLimit() {
    var left: [String: Int] = [:]
    for job in 0..<40 {
      let counts = (0..<(1 + job * 7 % 23)).map { 1 + (job * 37 + $0 * 11) % 120 }
      append("\(job)", counts)
      left["\(job)"] = counts.count
    }
    var turns = 0
    while !line.isEmpty {
      for part in line.takeBatch(tokensMax: 128, freeLanes: 2) {
        // In order, and none twice.
        left[part.job.name, default: 0] -= part.documents.count
        #expect(!part.documents.isEmpty)
      }
      turns += 1
    }
    #expect(left.values.allSatisfy { $0 == 0 })
    #expect(turns < 500)
  }
}
