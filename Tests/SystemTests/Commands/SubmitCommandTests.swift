import Foundation
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// `rerankctl submit` and `results`.
  @Suite struct SubmitCommandTests {
    private func line(_ number: Int) -> String {
      #"{"query": "q\#(number)", "documents": ["one", "two"]}"#
    }

    private func file(_ system: RunningSystem, _ count: Int) throws -> String {
      try system.folder.write(
        (1...count).map { line($0) + "\n" }.joined(), to: "jobs-\(count).jsonl")
    }

    @Test func submittedJobsComeBackOnTheirReplyChannelOnce() async throws {
      try await RunningSystem.run { system in
        let file = try file(system, 2)
        let submit = ["submit", file, "--reply-channel", "demo", "--key-prefix", "q"]
        let first = try await system.control(submit)
        try #require(first.exit == .status(0), "\(first.error)")
        #expect(first.output.hasPrefix("2 submitted, 0 known already, 0 refused"))
        let second = try await system.json(submit, as: "submit")
        #expect(second.items.map { $0["duplicate"] } == [.bool(true), .bool(true)])
        #expect(second.items.map { $0["line"].number } == [1, 2])

        let results = try await system.lines(
          ["results", "--reply-channel", "demo", "--count", "2"], as: "results")
        #expect(results.compactMap { $0["idempotency_key"].text }.sorted() == ["q-1", "q-2"])
        #expect(results.allSatisfy { $0["state"].text == "succeeded" })

        // What was acknowledged does not come again.
        let rest = try await system.control(["results", "--reply-channel", "demo", "--idle", "1s"])
        #expect(rest.exit == .status(0))
        #expect(rest.output == "")
      }
    }

    @Test func followWritesWhatComesUntilItIsEnded() async throws {
      try await RunningSystem.run { system in
        let file = try file(system, 3)
        let path = system.folder.path("outcomes.jsonl")
        let follow = try system.startControl([
          "results", "--reply-channel", "live", "--follow", "--file", path,
        ])
        let printing = try system.startControl(["results", "--reply-channel", "live", "-f"])
        // Consumers of one channel compete: each of the outcomes goes to one of the two.
        func taken() -> (file: [JSON], printed: [Substring]) {
          let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
          return (
            text.split(separator: "\n").compactMap { try? JSON($0) },
            printing.text(of: .output).split(separator: "\n")
          )
        }
        for round in 1...2 {
          _ = try await system.control([
            "submit", file, "--reply-channel", "live", "--key-prefix", "r\(round)",
          ])
          try await eventually("the outcomes of round \(round)", timeout: .seconds(60)) {
            let (file, printed) = taken()
            return file.count + printed.count == round * 3
          }
        }
        #expect(
          taken().printed.allSatisfy { $0.contains("  succeeded  0:") || $0.contains("  1:") })
        for process in [follow, printing] {
          #expect(process.exit == nil)
          process.signal(SIGINT)
          #expect(try await process.waitForExit() == .signal(SIGINT))
        }
        for job in taken().file {
          #expect(job["state"].text == "succeeded")
        }
      }
    }

    /// Every line that was submitted has its job, and one alone, whatever the first run met.
    @Test func theSameCommandAgainSubmitsTheRest() async throws {
      try await RunningSystem.run(workers: 0) { system in
        let lines = (1...5).map(line)
        let broken = lines[..<3] + [#"{"query": "q4"}"#] + lines[4...]
        let path = try system.folder.write(broken.joined(separator: "\n"), to: "jobs.jsonl")
        let submit = ["submit", path, "--key-prefix", "nightly"]
        let first = try await system.control(submit)
        #expect(first.exit == .status(65))
        #expect(first.error.contains("jobs.jsonl:4: \"documents\" is missing"))
        #expect(first.error.contains("the same command again submits the rest"))
        #expect(first.output.hasPrefix("3 submitted"))

        try system.folder.write(lines.joined(separator: "\n"), to: "jobs.jsonl")
        let second = try await system.lines(submit, as: "submit")
        #expect(second.map { $0["duplicate"].bool } == [true, true, true, false, false])
        #expect(Set(second.compactMap { $0["job_id"].text }).count == 5)

        // From standard input it is the same again; without keys it would be five more.
        let piped = try await system.control(
          ["submit", "-", "--key-prefix", "nightly"], inputFile: path)
        #expect(piped.output.hasPrefix("0 submitted, 5 known already, 0 refused"))
        let refused = try await system.control(
          ["submit", "-", "--model", "none", "-o", "jsonl"], inputFile: path)
        #expect(refused.exit == .status(1))
        #expect(
          try refused.lines(as: "submit").allSatisfy { $0["error"]["code"].text == "NOT_FOUND" })
        #expect(refused.error.contains("NOT_FOUND: model \"none\""))
      }
    }

    /// A queue that is killed in the middle is waited for.
    @Test func submittingGoesOnAfterTheQueuesRestart() async throws {
      try await RunningSystem.run(workers: 0) { system in
        let count = 3_000
        let file = try file(system, count)
        let submit = try system.startControl(["submit", file, "--key-prefix", "k", "-o", "jsonl"])
        _ = try await submit.line(containing: "job_id")
        try await system.kill("queue")
        try await system.startQueue()
        #expect(try await submit.waitForExit(timeout: .seconds(120)) == .status(0))
        let printed = submit.text(of: .output).split(separator: "\n")
        #expect(printed.count == count)
        let listed = try await system.lines(["jobs", "list", "--all"], as: "jobs-list")
        let ids = Set(listed.compactMap { $0["job_id"].text })
        #expect(ids.count == count)
        #expect(Set(try printed.compactMap { try JSON($0)["job_id"].text }) == ids)
      }
    }

    @Test func aTerminalShowsHowFarItIsHowFastAndHowLongYet() async throws {
      try await RunningSystem.run(workers: 0) { system in
        let file = try file(system, 1_000)
        let terminal = try PseudoTerminal(columns: 100, rows: 30)
        let submit = try system.startControl(["submit", file], on: terminal)
        #expect(try await submit.waitForExit(timeout: .seconds(60)) == .status(0))
        let shown = submit.text(of: .output)
        let progress = /\[#+\.*\] \d+ %  [\d,]+ jobs, [\d,.]+ a second, \d+ s left/
        #expect(shown.contains(progress), "\(shown)")
        // The bar is gone at the end, and the summary stands alone.
        let end = try #require(shown.split(separator: "\u{1B}[K").last)
        #expect(
          end.contains(/^1,?000 submitted, 0 known already, 0 refused, [\d,.]+ a second\r\n$/))
        let piped = try await system.control(["submit", file])
        #expect(piped.error == "")
      }
    }
  }
}
