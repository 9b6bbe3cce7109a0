import Evaluation

/// What an evaluation found, as it is printed.
struct EvaluationView: Encodable {
  var queries: Int
  var queriesWithoutJudgements: Int
  var queriesWithoutCandidates: Int
  var candidates: String
  var pairs: Int
  var relevanceLevel: Int
  var baseline: String
  var bootstrap: BootstrapView
  var rankers: [RankerView]

  struct BootstrapView: Encodable {
    var resamples: Int
    var seed: UInt64
    var confidence: Double
  }

  struct RankerView: Encodable {
    var name: String
    var metrics: [EstimateView]
    /// The ranker's values less the baseline's; nil for the baseline itself.
    var differences: [EstimateView]?
    var calibration: CalibrationView?
    var shortenedDocuments: Int
    var unrankedDocuments: Int
    var seconds: Double
    var perQuery: [QueryView]?
  }

  /// A mean over queries with its bootstrap interval.
  struct EstimateView: Encodable {
    var metric: String
    var mean: Double
    var low: Double
    var high: Double

    init(_ metric: Metric, _ estimate: Bootstrap.Estimate) {
      self.metric = metric.description
      (mean, low, high) = (estimate.mean, estimate.low, estimate.high)
    }

    /// Of a difference: what it says about the ranker.
    var verdict: String {
      if low > 0 { return "ahead" }
      if high < 0 { return "behind" }
      return low == 0 && high == 0 ? "same" : "undecided"
    }
  }

  struct CalibrationView: Encodable {
    var pairs: Int
    var expectedCalibrationError: Double
    var brierScore: Double
    var bins: [BinView]

    struct BinView: Encodable {
      var pairs: Int
      var meanProbability: Double?
      var relevantShare: Double?
    }

    init(_ calibration: Calibration) {
      pairs = calibration.pairs
      expectedCalibrationError = calibration.expectedError
      brierScore = calibration.brierScore
      bins = calibration.bins.map { bin in
        let count = Double(bin.pairs)
        return bin.pairs == 0
          ? BinView(pairs: 0)
          : BinView(
            pairs: bin.pairs, meanProbability: bin.probabilitySum / count,
            relevantShare: Double(bin.relevantPairs) / count)
      }
    }
  }

  struct QueryView: Encodable {
    var query: String
    var values: [String: Double]
  }

  /// - Parameter baseline: a ranker's name; nil for the first.
  init(
    _ task: EvaluationTask, _ outcomes: [RankerOutcome], metrics: [Metric], relevanceLevel: Int,
    baseline: String?, bootstrap: Bootstrap, withCalibration: Bool, perQuery: Bool
  ) {
    queries = task.queries.count
    queriesWithoutJudgements = task.queriesWithoutJudgements
    queriesWithoutCandidates = task.queriesWithoutCandidates
    candidates = task.candidateSource
    pairs = task.pairs
    self.relevanceLevel = relevanceLevel
    self.bootstrap = BootstrapView(
      resamples: bootstrap.resamples, seed: bootstrap.seed, confidence: bootstrap.confidence)
    let base = outcomes.firstIndex { $0.name == baseline } ?? 0
    self.baseline = outcomes[base].name
    // Of each ranker, metric and query.
    let values = outcomes.map { outcome in
      metrics.map { metric in
        zip(task.queries, outcome.rankings).map { query, ranking in
          metric.value(of: ranking, grades: query.grades, relevanceLevel: relevanceLevel)
        }
      }
    }
    rankers = outcomes.indices.map { index in
      let outcome = outcomes[index]
      var view = RankerView(
        name: outcome.name,
        metrics: zip(metrics, values[index]).map { EstimateView($0, bootstrap.estimate($1)) },
        shortenedDocuments: outcome.shortenedDocuments,
        unrankedDocuments: outcome.unrankedDocuments, seconds: outcome.duration / .seconds(1))
      if index != base {
        view.differences = metrics.indices.map { metric in
          let pairs = zip(values[index][metric], values[base][metric])
          return EstimateView(metrics[metric], bootstrap.estimate(pairs.map { $0 - $1 }))
        }
      }
      if withCalibration {
        var calibration = Calibration()
        for (query, ranking) in zip(task.queries, outcome.rankings) {
          calibration.add(ranking, grades: query.grades, relevanceLevel: relevanceLevel)
        }
        if calibration.pairs > 0 { view.calibration = CalibrationView(calibration) }
      }
      if perQuery {
        view.perQuery = task.queries.indices.map { query in
          let named = metrics.indices.map { (metrics[$0].description, values[index][$0][query]) }
          return QueryView(
            query: task.queries[query].id, values: Dictionary(named) { first, _ in first })
        }
      }
      return view
    }
  }
}
