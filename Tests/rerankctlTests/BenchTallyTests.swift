import RerankdProtocol
import Testing

@testable import rerankctl

struct BenchTallyTests {
  @Test func quantilesAreLatenciesThatJobsHad() throws {
    var tally = BenchTally()
    for milliseconds in (1...200).shuffled() {
      tally.add(.success(3), after: .milliseconds(milliseconds))
    }
    let latency = try #require(tally.latency)
    #expect((latency.p50Us, latency.p90Us) == (100_000, 180_000))
    #expect((latency.p99Us, latency.maxUs, latency.count) == (198_000, 200_000, 200))
    #expect(tally.pairs == 600)
  }

  @Test func oneJobIsEveryQuantile() throws {
    var tally = BenchTally()
    #expect(tally.latency == nil)
    tally.add(.success(1), after: .milliseconds(7))
    let latency = try #require(tally.latency)
    #expect((latency.p50Us, latency.p99Us, latency.maxUs) == (7_000, 7_000, 7_000))
  }

  @Test func failuresCountInNoRateAndAreToldByTheirCode() {
    var tally = BenchTally()
    tally.add(.success(10), after: .milliseconds(5))
    for _ in 0..<2 {
      tally.add(.failure(CallError(.unavailable, "away")), after: .milliseconds(900))
    }
    tally.add(.failure(CallError(.notFound, "no model")), after: .milliseconds(900))
    let view = BenchView(tally, concurrency: 2, took: .seconds(2))
    #expect((view.jobs, view.succeeded, view.failed) == (4, 1, 3))
    #expect(view.jobsPerSecond == 0.5 && view.pairsPerSecond == 5)
    #expect(view.latency?.maxUs == 5_000)
    #expect(
      view.errors == [
        BenchErrorView(code: "UNAVAILABLE", message: "away", count: 2),
        BenchErrorView(code: "NOT_FOUND", message: "no model", count: 1),
      ])
    #expect(view.text(palette: .plain).contains("2 × UNAVAILABLE: away"))
  }

  @Test func madeUpJobsAreTheSameAgainAndNoTwoDocumentsAreAlike() {
    let jobs = SyntheticJobs(documents: 5, wordsPerDocument: 12)
    let made = (0..<20).map { jobs.request($0, in: RerankRequest()) }
    #expect(made == (0..<20).map { jobs.request($0, in: RerankRequest()) })
    let texts = made.flatMap { $0.documents.map(\.parts[0].text) }
    #expect(Set(texts).count == 100)
    #expect(texts.allSatisfy { $0.split(separator: " ").count == 12 })
    #expect(Set(made.map(\.query.parts[0].text)).count == 20)
  }
}
