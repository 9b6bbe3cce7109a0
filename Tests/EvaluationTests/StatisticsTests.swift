import Testing

@testable import Evaluation

@Suite struct StatisticsTests {
  @Test func theIntervalOfTwoValuesIsWhatTheBinomialSays() throws {
    // A resample of (0, 1) has the mean 0, ½ or 1 with the probabilities ¼, ½ and ¼.
    let narrow = try Bootstrap(confidence: 0.4).estimate([0, 1])
    #expect(narrow == Bootstrap.Estimate(mean: 0.5, low: 0.5, high: 0.5))
    let wide = try Bootstrap(confidence: 0.95).estimate([0, 1])
    #expect(wide == Bootstrap.Estimate(mean: 0.5, low: 0, high: 1))
    #expect(!wide.isSignificant)
  }

  @Test func theIntervalOfManyValuesIsThatOfTheNormalDistribution() throws {
    // 400 values, half 0 and half 1: the mean's standard error is 0.5 / 20 = 0.025.
    let values = (0..<400).map { Double($0 % 2) }
    let estimate = try Bootstrap(resamples: 2_000).estimate(values)
    #expect(estimate.mean == 0.5)
    #expect(abs(estimate.low - (0.5 - 1.96 * 0.025)) < 0.004)
    #expect(abs(estimate.high - (0.5 + 1.96 * 0.025)) < 0.004)
    #expect(estimate.isSignificant)
  }

  @Test func aSeedGivesTheSameIntervalAgainAndAnotherSeedAnother() throws {
    let values = (0..<50).map { Double($0 * $0 % 17) / 17 }
    let first = try Bootstrap(resamples: 500, seed: 7).estimate(values)
    #expect(try Bootstrap(resamples: 500, seed: 7).estimate(values) == first)
    #expect(try Bootstrap(resamples: 500, seed: 8).estimate(values) != first)
  }

  @Test func differencesThatAreAllEqualHaveNoWidth() throws {
    let estimate = try Bootstrap(resamples: 100).estimate([0.25, 0.25, 0.25])
    #expect(estimate == Bootstrap.Estimate(mean: 0.25, low: 0.25, high: 0.25))
    #expect(estimate.isSignificant)
    #expect(try Bootstrap().estimate([]) == Bootstrap.Estimate(mean: 0, low: 0, high: 0))
  }

  @Test func quantilesLieBetweenTheirNeighbours() {
    #expect(Bootstrap.quantile(0.25, of: [0, 1, 2, 3]) == 0.75)
    #expect(Bootstrap.quantile(1, of: [0, 1, 2, 3]) == 3)
    #expect(Bootstrap.quantile(0.5, of: [4]) == 4)
  }

  @Test func settingsOutOfRangeAreErrors() {
    #expect(throws: EvaluationError.self) { try Bootstrap(resamples: 0) }
    #expect(throws: EvaluationError.self) { try Bootstrap(resamples: 10_000_001) }
    #expect(throws: EvaluationError.self) { try Bootstrap(confidence: 1) }
  }

  @Test func calibrationComparesEachBinsProbabilityWithItsShareOfRelevantPairs() {
    var calibration = Calibration()
    // One bin: mean probability 0.25, half relevant.
    calibration.add(probability: 0.2, isRelevant: true)
    calibration.add(probability: 0.29999, isRelevant: false)
    // Another: certain, and right.
    calibration.add(probability: 1, isRelevant: true)
    calibration.add(probability: 0.95, isRelevant: true)
    #expect(calibration.pairs == 4)
    #expect(calibration.bins[2].pairs == 2)
    #expect(calibration.bins[9].pairs == 2)
    let first = abs(0.2 + 0.29999 - 1)
    let second = abs(1.95 - 2)
    #expect(abs(calibration.expectedError - (first + second) / 4) < 1e-12)
    let brier = (0.8 * 0.8 + 0.29999 * 0.29999 + 0 + 0.05 * 0.05) / 4
    #expect(abs(calibration.brierScore - brier) < 1e-12)
  }

  @Test func onlyDocumentsWithAProbabilityCountInCalibration() {
    var calibration = Calibration()
    let ranking = Ranking([
      ScoredDocument(id: "a", score: 2, probability: 0.9),
      ScoredDocument(id: "b", score: 1, probability: 0.1), ScoredDocument(id: "c", score: 0),
    ])
    calibration.add(ranking, grades: ["a": 1, "c": 1], relevanceLevel: 2)
    #expect(calibration.pairs == 2)
    #expect(calibration.bins[9].relevantPairs == 0)
    #expect(Calibration().expectedError == 0)
  }
}
