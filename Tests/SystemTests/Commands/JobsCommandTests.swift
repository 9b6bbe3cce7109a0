import Foundation
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// `rerankctl jobs list` and `show`.
  @Suite struct JobsCommandTests {
    /// A job in each of the states that can be had without waiting, by the state's name.
    private func jobs(_ system: RunningSystem) async throws -> [String: String] {
      try await system.withClient { client in
        let long = String(repeating: "glaciers carve valleys ", count: 400)
        let ended = try await client.submit([
          .make { $0.spec.tenant = "a" }, .make(documents: [long]) { $0.spec.tenant = "a" },
        ]).map(\.id)
        try await system.waitForEnd(of: ended)
        try await client.setPaused(true)
        let held = try await client.submit([
          .make(key: "k") { ($0.spec.tenant, $0.spec.priority) = ("b", 7) },
          .make { $0.spec.notBeforeMs = 3_600_000 }, .make { $0.spec.deadlineMs = 1 }, .make(),
        ]).map(\.id)
        _ = try await client.cancel(held[3])
        try await system.waitForEnd(of: [held[2]])
        let states = ["succeeded", "dead", "ready", "delayed", "expired", "cancelled"]
        return Dictionary(
          uniqueKeysWithValues: zip(states, (ended + held).map(\.description)))
      }
    }

    @Test func filtersChooseByStateModelTenantAgeAndError() async throws {
      try await RunningSystem.run { system in
        let jobs = try await jobs(system)
        func listed(_ filters: String...) async throws -> [String] {
          try await system.json(["jobs", "list"] + filters, as: "jobs-list").items
            .compactMap { $0["job_id"].text }
        }
        let all = ["cancelled", "expired", "delayed", "ready", "dead", "succeeded"]
          .compactMap { jobs[$0] }
        #expect(try await listed() == all)
        for (state, id) in jobs { #expect(try await listed("--state", state) == [id]) }
        #expect(try await listed("--state", "dead", "--state", "ready") == [all[3], all[4]])
        #expect(try await listed("--tenant", "b") == [jobs["ready"]])
        #expect(try await listed("--model", "builtin").count == 6)
        #expect(try await listed("--model", "other") == [])
        #expect(try await listed("--older-than", "1h") == [])
        #expect(try await listed("--newer-than", "1h").count == 6)
        #expect(try await listed("--error-code", "invalid_argument") == [jobs["dead"]])
        #expect(
          try await listed("--error-code", "4", "--error-code", "CANCELLED")
            == [jobs["cancelled"], jobs["expired"]])
        #expect(try await listed("--error-contains", "TOKENS", "--tenant", "a") == [jobs["dead"]])

        // Page after page.
        #expect(try await listed("--limit", "2") == Array(all[..<2]))
        #expect(try await listed("--limit", "2", "--before", all[1]) == Array(all[2..<4]))
        let page = try await system.control(["jobs", "list", "--limit", "2"])
        #expect(page.error == "rerankctl: there are more: --before \(all[1])\n")
        let lines = try await system.lines(["jobs", "list", "--all"], as: "jobs-list")
        #expect(lines.compactMap { $0["job_id"].text } == all)
      }
    }

    @Test func tablesAndShowSayWhatAJobIs() async throws {
      try await RunningSystem.run { system in
        let jobs = try await jobs(system)
        let table = try await system.control(["jobs", "list"])
        #expect(
          table.rows[0]
            == [
              "JOB", "STATE", "MODEL", "TENANT", "PRIO", "TRIES", "BYTES", "SUBMITTED", "ERROR",
            ])
        #expect(table.rows.count == 7)
        let ready = try #require(table.rows.first { $0[1] == "ready" })
        #expect(ready[..<6] == [jobs["ready"] ?? "", "ready", "builtin", "b", "7", "0/100"])
        let dead = try #require(table.rows.first { $0[1] == "dead" })
        #expect(dead.last?.hasPrefix("INVALID_ARGUMENT: ") == true)

        for (state, id) in jobs {
          let job = try await system.json(["jobs", "show", id], as: "jobs-show")
          #expect(job["state"].text == state && job["request"] == .null)
        }
        let shown = try await system.json(
          ["jobs", "show", try #require(jobs["succeeded"]), "--request"], as: "jobs-show")
        #expect(shown["attempt_records"].items.map { $0["worker"].text } == ["w0"])
        #expect(shown["attempt_records"].items.map { $0["end"].text } == ["succeeded"])
        #expect(shown["request"]["documents"][0].text == "Paris is its capital.")
        #expect(shown["outcome"]["results"][0]["index"].number == 0)
        let delayed = try await system.control(["jobs", "show", try #require(jobs["delayed"])])
        #expect(delayed.output.contains(/ready in +59 min/))
        let text = try await system.control(["jobs", "show", try #require(jobs["dead"])])
        #expect(text.rows.contains { $0.first == "state" && $0.last == "dead" })
        #expect(text.rows.contains { $0.first == "error" && $0[1].hasPrefix("INVALID_ARGUMENT") })
        #expect(text.rows.contains { $0.first == "ATTEMPT" })
      }
    }
  }
}
