import ArgumentParser
import RerankdClient
import RerankdProtocol

struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Sends jobs to a queue and says how many a second it does, and how fast each.",
    discussion: """
      rerankctl bench
      rerankctl bench --jobs 5000 --concurrency 64 --documents 50 --words 100 --model my-reranker
      rerankctl bench --file jobs.jsonl --concurrency 16 --priority -100
      rerankctl bench -o json | jq .latency.p99_us

      A job's latency is from the call to its answer, its waiting behind others in it. Jobs that do not
      end within --timeout are cancelled and have failed. Ended ones stay in the ledger for as long as
      any others. With --file the lines are sent in their order, and from the first again; keys, reply
      channels and addresses, and not_before_ms of the lines do not count.

      Exit codes: 0 all jobs succeeded; 1 some did not; 65 wrong input; 69 no queue answers.
      """)

  @Option(help: "How many jobs; 200 by default, or each line of --file once.")
  var jobs: Int?

  @Option(name: [.short, .long], help: "How many at a time.")
  var concurrency = 8

  @Option(help: "Documents of each job that is made up.")
  var documents = 20

  @Option(help: "Words of each of these documents.")
  var words = 50

  @Option(
    help: "Jobs as rerankctl submit takes them, in place of made-up ones; \"-\": standard input.",
    completion: .file(extensions: ["jsonl"]))
  var file: String?

  @OptionGroup var job: JobOptions
  @OptionGroup var connection: ConnectionOptions

  private static let jobsDefault = 200
  private static let jobsMax = 1_000_000
  /// A client has not many more calls open at once.
  private static let concurrencyMax = 1_000
  private static let documentsMax = 10_000
  private static let wordsMax = 10_000
  private static let jobWordsMax = 1_000_000
  /// What is kept of a file while it is sent.
  private static let fileJobsMax = 10_000
  private static let fileBytesMax = 256 << 20

  func validate() throws {
    try check("--jobs", jobs ?? 1, Self.jobsMax)
    try check("--concurrency", concurrency, Self.concurrencyMax)
    try check("--documents", documents, Self.documentsMax)
    try check("--words", words, Self.wordsMax)
    guard documents * words <= Self.jobWordsMax else {
      throw ValidationError("a job has at most \(Self.jobWordsMax) words in all its documents")
    }
  }

  private func check(_ name: String, _ value: Int, _ most: Int) throws {
    guard (1...most).contains(value) else {
      throw ValidationError("\(name) is from 1 to \(most)")
    }
  }

  func run() async throws {
    try await connection.withClient { client in
      let bench = try makeBench(client)
      // That none answers is no result.
      _ = try await client.models()
      let view = try await bench.run()
      try connection.printer.object(view) { view.text(palette: connection.printer.palette) }
      guard view.failed == 0 else { throw CommandFailure.unsuccessful }
    }
  }

  private func makeBench(_ client: ShardedClient) throws -> Bench {
    let defaults = job.defaults
    guard let file else {
      let synthetic = SyntheticJobs(documents: documents, wordsPerDocument: words)
      return Bench(client: client, jobs: jobs ?? Self.jobsDefault, concurrency: concurrency) {
        number in
        var line = defaults
        line.request = synthetic.request(number, in: line.request)
        return try BenchJob(line)
      }
    }
    let lines = try read(file, defaults)
    return Bench(client: client, jobs: jobs ?? lines.count, concurrency: concurrency) { number in
      lines[number % lines.count]
    }
  }

  private func read(_ file: String, _ defaults: JobLine) throws -> [BenchJob] {
    var reader = try LineReader(path: file)
    var found: [BenchJob] = []
    var bytes = 0
    while let line = reader.next() {
      guard line.contains(where: { !$0.isWhitespace }) else { continue }
      let job = try BenchJob(JobLine(line, at: reader.place, defaults: defaults))
      bytes += job.job.request.count
      guard found.count < Self.fileJobsMax, bytes <= Self.fileBytesMax else {
        throw InputError(
          "\(file): at most \(Self.fileJobsMax) jobs and \(Self.fileBytesMax >> 20) MiB are kept: "
            + "give fewer, and --jobs for how many are sent")
      }
      found.append(job)
    }
    if let error = reader.error { throw error }
    guard !found.isEmpty else { throw InputError("\(file): there is no job in it") }
    return found
  }
}
