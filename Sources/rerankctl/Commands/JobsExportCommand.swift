import ArgumentParser
import Foundation
import RerankdClient
import RerankdProtocol

struct JobsExportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Writes jobs with their requests, attempts and results as JSONL.",
    discussion: """
      rerankctl jobs export --state dead --file dead.jsonl
      rerankctl jobs export --older-than 30d --file archive.jsonl --resume
      jq -c '.request | del(.idempotency_key)' dead.jsonl | rerankctl submit -

      A line a job, newest first, shard after shard: as `jobs show --request` prints it. --resume goes
      on after the last whole line of the file, as long as the filters are the same. Submitted again
      with its key, a job is known already for as long as the queue has the first.
      """)

  @OptionGroup(title: "Filters") var filter: JobFilter

  @Option(help: "At most so many.")
  var limit: Int?

  @Option(help: "Where to; \"-\" is standard output.", completion: .file(extensions: ["jsonl"]))
  var file = "-"

  @Flag(help: "Go on with a file that an earlier export left.")
  var resume = false

  @OptionGroup var connection: ConnectionOptions

  /// Jobs that are fetched at once: what is held in memory is so many requests and results.
  private static let fetchedMax = 8

  func validate() throws {
    if resume, file == "-" { throw ValidationError("--resume needs --file") }
    if let limit, limit < 1 { throw ValidationError("--limit must be at least 1") }
  }

  func run() async throws {
    try await connection.withQueues { queues in
      let file = try JSONLinesFile(path: file, resumes: resume) { Self.job(in: $0) != nil }
      let last = file.lastLine.flatMap(Self.job)
      var progress = CountProgress(noun: "job")
      var left = limit ?? Int.max
      for (queue, before) in try queues.inOrder(from: last) {
        var listing = JobListing([queue], filter.request(), before: before, pageMax: left)
        while left > 0 {
          let jobs = try await listing.next(min(left, Self.fetchedMax))
          guard !jobs.isEmpty else { break }
          left -= jobs.count
          for line in try await lines(jobs.map { JobID(rawValue: $0.jobID) }, queue.client) {
            try file.append(line)
          }
          progress.add(jobs.count)
        }
      }
      try file.close()
      progress.finish()
      if self.file != "-" {
        CommandFailure.say("\(Quantity.count(progress.count, "job")) written to \(self.file)")
      }
    }
  }

  /// In the order of the ids; those that retention removed meanwhile are left out.
  private func lines(_ ids: [JobID], _ client: QueueClient) async throws -> [String] {
    try await withThrowingTaskGroup(of: (Int, String?).self) { group in
      for (index, id) in ids.enumerated() {
        group.addTask { (index, try await Self.line(id, client)) }
      }
      var lines: [(Int, String?)] = []
      for try await line in group { lines.append(line) }
      return lines.sorted { $0.0 < $1.0 }.compactMap(\.1)
    }
  }

  private static func line(_ id: JobID, _ client: QueueClient) async throws -> String? {
    do {
      let details = try await client.job(id, withRequest: true, withAttempts: true)
      var view = JobView(details)
      view.request = try JobLineView(details)
      return try Printer.json(view, pretty: false)
    } catch let error as CallError where error.code == .notFound {
      return nil
    }
  }

  /// nil where the line is none of an export: an outcome, which `results` writes, has no time.
  static func job(in line: JSONLinesFile.Line) -> JobID? {
    guard case .string(let id)? = line["job_id"], case .string? = line["submitted"] else {
      return nil
    }
    return JobID(id)
  }
}
