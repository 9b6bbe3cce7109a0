import ArgumentParser
import EmbeddedEngine
import Evaluation
import RerankdClient

struct EvalCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval",
    abstract: "Says how well rankers rank your own data, and whether the differences are real.",
    discussion: """
      rerankctl eval --queries queries.jsonl --qrels qrels.tsv --corpus corpus.jsonl
      rerankctl eval … --ranker bm25 --ranker builtin --ranker folder:my-model
      rerankctl eval … --candidates bm25.trec --ranker first-stage --ranker builtin
      rerankctl eval … --ranker queue:builtin --metric ndcg@20 --save-run runs

      All rankers rank the same candidates: those of --candidates, or else BM25's
      first of --corpus. They are:
        first-stage   the candidates' own order
        bm25          with the statistics of --corpus
        builtin       the model inside this binary
        folder:PATH   a Hugging Face folder, scored on this machine
        queue:MODEL   through a running queue (--endpoint, --timeout, --wait)
        run:FILE      a TREC run, of which the candidates count

      Numbers are those that trec_eval gives for the saved runs: linear gains; ties by
      document id, descending; a document without a judgement is not relevant; a query
      without a relevant document has 0, and counts. Queries without judgements or
      candidates are left out. What a ranker does not rank, it has not retrieved.
      """)

  @Option(help: "BEIR's queries.jsonl: a line {\"_id\", \"text\"} each.")
  var queries: String

  @Option(help: "Judgements: BEIR's qrels.tsv, or TREC's qrels.")
  var qrels: String

  @Option(help: "BEIR's corpus.jsonl: a line {\"_id\", \"title\", \"text\"} each.")
  var corpus: String?

  @Option(help: "A TREC run, or JSONL with a line {\"query-id\", \"doc-ids\"} a query.")
  var candidates: String?

  @Option(name: .customLong("ranker"), help: "What to measure; more than one may be given.")
  var rankers: [RankerChoice] = [.firstStage, .builtIn]

  @Option(help: "The ranker that the others are compared with; the first unless it is given.")
  var baseline: RankerChoice?

  @Option(
    name: .customLong("metric"), help: "ndcg@K, mrr@K or recall@K; more than one may be given.")
  var metrics: [Metric] = Metric.defaults

  @Option(help: "The lowest grade that is relevant to mrr, recall and the calibration.")
  var relevanceLevel = 1

  @Option(help: "At most so many candidates a query, from the top.")
  var depth = 100

  @Option(help: "Only the first so many of the judged queries.")
  var limitQueries: Int?

  @Option(help: "An instruction for models that take one.")
  var instruction: String?

  @Option(help: "Threads that builtin and folder: score on; all cores but one unless it is given.")
  var lanes: Int?

  @Option(
    help: ArgumentHelp(
      "What builtin and folder: compute with: auto, fp32, bf16, w8a16 or int8.",
      discussion: "To compare two, save the run of one and give it to the other as run:FILE."))
  var precision: PrecisionSetting = .auto

  @Flag(
    help: "Say how far scores that are probabilities can be trusted: ECE of 10 bins, Brier score.")
  var calibration = false

  @Flag(help: "Print every query's values too, with --output json.")
  var perQuery = false

  @Option(help: "Write each ranker's ranking into this folder, as a TREC run.")
  var saveRun: String?

  @Option(help: "Resamples of the bootstrap.")
  var resamples = Bootstrap.defaultResamples

  @Option(help: "Of the bootstrap: the same seed gives the same intervals.")
  var seed: UInt64 = 1

  @OptionGroup var bm25: BM25Options
  @OptionGroup var connection: ConnectionOptions

  /// A job takes no more documents than that.
  private static let depthMax = 100_000

  func validate() throws {
    guard candidates != nil || corpus != nil else {
      throw ValidationError("give --candidates, or --corpus to have them found by BM25, or both")
    }
    if corpus == nil, let reader = rankers.first(where: \.readsTexts) {
      throw ValidationError("--ranker \(reader) reads the documents' texts: give --corpus")
    }
    for (index, ranker) in rankers.enumerated() where rankers[..<index].contains(ranker) {
      throw ValidationError("--ranker \(ranker) is given twice")
    }
    if let baseline, !rankers.contains(baseline) {
      throw ValidationError("--baseline \(baseline) is none of the rankers")
    }
    guard (1...Self.depthMax).contains(depth) else {
      throw ValidationError("--depth must be from 1 to \(Self.depthMax)")
    }
    if let limitQueries, limitQueries < 1 {
      throw ValidationError("--limit-queries must be at least 1")
    }
    if perQuery, connection.output == .table {
      throw ValidationError("--per-query needs --output json or jsonl")
    }
  }

  func run() async throws {
    guard rankers.contains(where: \.needsQueue) else {
      return try await CommandFailure.reporting { try await evaluate(client: nil) }
    }
    try await connection.withClient { try await evaluate(client: $0) }
  }

  private func evaluate(client: ShardedClient?) async throws {
    let bootstrap = try Bootstrap(resamples: resamples, seed: seed)
    let task = try EvaluationTask.load(
      files, depth: depth, limitQueries: limitQueries, bm25: bm25.parameters,
      ranksByBM25: rankers.contains(.bm25))
    let settings = RankerSettings(
      instruction: instruction, lanes: lanes, precision: precision, client: client)
    // Made before the first one runs, so that a wrong path is known at once.
    let made = try rankers.map { try $0.makeRanker(for: task, settings) }
    var outcomes: [RankerOutcome] = []
    for (choice, ranker) in zip(rankers, made) {
      outcomes.append(try await RankerOutcome.ranking(task, by: ranker, named: "\(choice)"))
    }
    if let saveRun { try RunFolder(path: saveRun).save(outcomes, of: task) }
    let view = EvaluationView(
      task, outcomes, metrics: metrics, relevanceLevel: relevanceLevel,
      baseline: baseline.map { "\($0)" }, bootstrap: bootstrap, withCalibration: calibration,
      perQuery: perQuery)
    try connection.printer.object(view) { view.text }
  }

  private var files: EvaluationTask.Files {
    EvaluationTask.Files(queries: queries, qrels: qrels, corpus: corpus, candidates: candidates)
  }
}

/// How BM25 counts, for the candidates that it finds and for `--ranker bm25`.
struct BM25Options: ParsableArguments {
  @Option(help: "How soon a repeated word stops counting.")
  var bm25K1 = BM25Index.Parameters().k1

  @Option(help: "How much a document's length counts, from 0 to 1.")
  var bm25B = BM25Index.Parameters().b

  @Option(
    help: "english stems words and leaves out function words; plain takes them as they stand.")
  var bm25Text = BM25Index.Parameters().analysis

  var parameters: BM25Index.Parameters {
    var parameters = BM25Index.Parameters()
    (parameters.k1, parameters.b, parameters.analysis) = (bm25K1, bm25B, bm25Text)
    return parameters
  }
}
