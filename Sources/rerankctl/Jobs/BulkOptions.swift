import ArgumentParser
import Foundation
import RerankdClient
import RerankdProtocol

/// Jobs by their ids or by what they have in common, and how sure one has to be.
struct BulkOptions: ParsableArguments {
  @Argument(help: "The jobs' ids, such as 0-17; without any, the filters say which.")
  var jobs: [JobID] = []

  @OptionGroup(title: "Filters") var filter: JobFilter

  @Flag(help: "All that it can be done to, without a filter.")
  var all = false

  @Option(help: "At most so many, the newest first.")
  var limit: Int?

  @Flag(help: "Do nothing: say what would be done.")
  var dryRun = false

  @Flag(name: .shortAndLong, help: "Do not ask. Needed without ids where nobody can be asked.")
  var yes = false

  func validate() throws {
    let isFiltered = !filter.isEmpty || all
    if !jobs.isEmpty, isFiltered || limit != nil {
      throw ValidationError("give ids or filters, not both")
    }
    if jobs.isEmpty, !isFiltered {
      throw ValidationError(
        "which jobs? Name them, or say which by filters such as --state and --older-than; "
          + "--all takes every one")
    }
    if let limit, limit < 1 { throw ValidationError("--limit must be at least 1") }
    if !jobs.isEmpty || dryRun || yes { return }
    if isatty(STDIN_FILENO) != 1 {
      throw ValidationError("nobody can be asked here: see what --dry-run says, then give --yes")
    }
  }
}

/// Finds the jobs, asks, and does it, at most a thousand a call.
struct BulkCommand {
  typealias Call = @Sendable (ShardedClient, [JobID]) async throws -> [JobVerdict]

  let action: BulkAction
  let options: BulkOptions
  let printer: Printer
  let call: Call

  /// What one call takes.
  static let jobsMax = 1_000

  func run(_ queues: Queues) async throws {
    if options.dryRun {
      let (survey, failures) = try await survey(queues)
      try printer.object(survey) {
        survey.text(widthMax: Printer.terminalWidth, palette: printer.palette)
      }
      try QueueFailure.report(failures)
      if !survey.impossible.isEmpty { throw CommandFailure.unsuccessful }
      return
    }
    if options.jobs.isEmpty, !options.yes {
      let (survey, _) = try await survey(queues)
      guard survey.jobs > 0 else { return printer.write("no such job\n") }
      guard confirmed(survey) else { throw InputError("nothing was done") }
    }
    var report = BulkReport(action: action)
    let failures: [QueueFailure]
    do {
      failures = try await act(queues, &report)
    } catch {
      if report.done + report.failed > 0 {
        CommandFailure.say("\(report.summary), then it stopped; the same again does the rest")
      }
      throw error
    }
    try finish(report)
    try QueueFailure.report(failures)
  }

  private func finish(_ report: BulkReport) throws {
    switch printer.format {
    case .table: printer.write(report.summary + "\n")
    case .json: printer.write(try Printer.json(report, pretty: true) + "\n")
    case .jsonl: break
    }
    if report.failed > 0 { throw CommandFailure.unsuccessful }
  }

  // MARK: Doing it

  /// - Returns: the queues whose jobs could not be looked for.
  private func act(
    _ queues: Queues, _ report: inout BulkReport
  ) async throws -> [QueueFailure] {
    guard options.jobs.isEmpty else {
      for start in stride(from: 0, to: options.jobs.count, by: Self.jobsMax) {
        let ids = options.jobs[start..<min(start + Self.jobsMax, options.jobs.count)]
        try show(await call(queues.client, Array(ids)), &report)
      }
      return []
    }
    var listing = listing(queues)
    var left = options.limit ?? Int.max
    while left > 0 {
      let found = try await listing.next(min(Self.jobsMax, left))
      guard !found.isEmpty else { break }
      left -= found.count
      try show(await call(queues.client, found.map { JobID(rawValue: $0.jobID) }), &report)
    }
    return listing.failures
  }

  private func show(_ verdicts: [JobVerdict], _ report: inout BulkReport) throws {
    report.add(verdicts)
    switch printer.format {
    case .table:
      // Who named jobs hears of each; who took thousands, of those that it could not be done to.
      let shown = options.jobs.isEmpty ? verdicts.filter { $0.error != nil } : verdicts
      guard !shown.isEmpty else { return }
      printer.write(
        JobVerdict.table(shown, action)
          .text(widthMax: Printer.terminalWidth, palette: printer.palette))
    case .json: break
    case .jsonl:
      for verdict in verdicts { printer.write(try Printer.json(verdict, pretty: false) + "\n") }
    }
  }

  // MARK: Looking before

  private func listing(_ queues: Queues) -> JobListing {
    JobListing(
      queues.all, options.filter.request(states: action.states),
      pageMax: options.limit ?? .max)
  }

  private func survey(_ queues: Queues) async throws -> (BulkSurvey, [QueueFailure]) {
    var survey = BulkSurvey(action: action)
    if options.jobs.isEmpty {
      var listing = listing(queues)
      var left = options.limit ?? Int.max
      while left > 0, let next = try await listing.next() {
        survey.add(next)
        left -= 1
      }
      return (survey, listing.failures)
    }
    for id in options.jobs {
      do {
        let job = try await queues.queue(of: id).client.job(id)
        guard !action.possibleStates.contains(job.state) else {
          survey.add(job)
          continue
        }
        let words = action.possibleStates.map(\.word).joined(separator: ", ")
        let error = CallError(
          .failedPrecondition, "job \(id) is \(job.state.word); it would have to be \(words)")
        survey.impossible.append(JobVerdict(id, state: job.state, error: error.status))
      } catch let error as CallError where error.code == .notFound || queues.all.count > 1 {
        survey.impossible.append(JobVerdict(id, error: error.status))
      }
    }
    return (survey, [])
  }

  private func confirmed(_ survey: BulkSurvey) -> Bool {
    FileHandle.standardError.write(Data("\(action.rawValue) \(survey.counts)? [y/N] ".utf8))
    let answer = readLine()?.lowercased() ?? ""
    return answer == "y" || answer == "yes"
  }
}
