/// How far a ranker's probabilities can be taken at their word, over all pairs that it scored. A
/// pair is relevant when its document's grade reaches the relevance level; without a judgement it
/// is not.
public struct Calibration: Sendable, Equatable {
  /// Probabilities of one tenth of 0 to 1, the lower end included; 1 belongs to the last.
  public struct Bin: Sendable, Equatable {
    public var pairs = 0
    public var probabilitySum = 0.0
    public var relevantPairs = 0

    public init() {}
  }

  public static let binCount = 10

  public private(set) var bins = [Bin](repeating: Bin(), count: Self.binCount)
  private var squareSum = 0.0

  public init() {}

  public mutating func add(probability: Double, isRelevant: Bool) {
    let index = min(Int(max(probability, 0) * Double(Self.binCount)), Self.binCount - 1)
    bins[index].pairs += 1
    bins[index].probabilitySum += probability
    bins[index].relevantPairs += isRelevant ? 1 : 0
    let error = probability - (isRelevant ? 1 : 0)
    squareSum += error * error
  }

  /// Adds every document of the ranking that has a probability.
  public mutating func add(_ ranking: Ranking, grades: [String: Int], relevanceLevel: Int = 1) {
    for document in ranking.documents {
      guard let probability = document.probability else { continue }
      let isRelevant = grades[document.id].map { $0 >= relevanceLevel } ?? false
      add(probability: Double(probability), isRelevant: isRelevant)
    }
  }

  public var pairs: Int { bins.reduce(0) { $0 + $1.pairs } }

  /// The mean over pairs of how far their bin's mean probability is from its share of relevant
  /// pairs. Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
  /// binning" (2015).
  public var expectedError: Double {
    guard pairs > 0 else { return 0 }
    return bins.reduce(0) { $0 + abs($1.probabilitySum - Double($1.relevantPairs)) } / Double(pairs)
  }

  /// The mean squared error of the probabilities. Brier, "Verification of forecasts expressed in
  /// terms of probability" (1950).
  public var brierScore: Double { pairs > 0 ? squareSum / Double(pairs) : 0 }
}
