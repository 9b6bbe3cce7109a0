import Foundation
import TestSupport
import Testing

extension SystemTests {
  /// How commands of every noun fail, and how what they print is coloured.
  @Suite struct CommandFailureTests {
    @Test func failuresAreOneLineAndAnExitCode() async throws {
      try await RunningSystem.run { system in
        let notes = try system.folder.write("notes, not outcomes", to: "notes")
        let cases: [([String], Int32, String)] = [
          (["results", "--reply-channel", "c", "--file", notes], 65, "is left as it is"),
          (["jobs", "export", "--file", notes, "--resume"], 65, "is left as it is"),
          (["jobs", "show", "0-99"], 65, "NOT_FOUND: there is no job 0-99"),
          (["rerank", "q", "a", "--model", "none"], 65, "NOT_FOUND: model \"none\""),
          (["rerank", "q"], 65, "no documents"),
          (["submit", system.folder.path("absent.jsonl")], 65, "absent.jsonl"),
          (
            [
              "ledger", "restore", system.folder.path("absent.sqlite"), "--to",
              system.folder.path("new.sqlite"),
            ], 1, "absent"
          ),
          (["ledger", "check", "--file", system.folder.path("absent.sqlite")], 1, "absent"),
          (["models", "show", "none"], 65, "none is neither a folder"),
          (["backends", "pause", "none"], 65, "NOT_FOUND"),
          (["workers", "scale", "2"], 65, "rerankd up"),
          (["status", "--endpoint", "nowhere"], 65, "--endpoint: "),
          (["jobs", "show", "seventeen"], 64, "seventeen"),
          (["jobs", "list", "--state", "lost"], 64, "lost"),
          (["jobs", "list", "--error-code", "OK"], 64, "OK"),
          (["status", "--output", "xml"], 64, "xml"),
          (["frobnicate"], 64, "frobnicate"),
        ]
        for (arguments, code, message) in cases {
          let end = try await system.control(arguments)
          #expect(end.exit == .status(code), "\(arguments): \(end.error)")
          #expect(end.error.contains(message), "\(arguments): \(end.error)")
          #expect(end.output == "", "\(arguments)")
          if code != 64 { #expect(end.error.split(separator: "\n").count == 1) }
        }
        #expect(try String(contentsOfFile: notes, encoding: .utf8) == "notes, not outcomes")
      }
    }

    /// Every verb that asks a queue says within a moment that none is there, and what to do.
    @Test func whereNoQueueIsEveryVerbSaysSo() async throws {
      let system = try RunningSystem()
      let file = try system.folder.write(#"{"query": "q", "documents": ["d"]}"#, to: "jobs.jsonl")
      let verbs = [
        ["rerank", "q", "d"], ["submit", file], ["results", "--reply-channel", "c"], ["status"],
        ["jobs", "list"], ["jobs", "show", "0-1"], ["jobs", "retry", "0-1"],
        ["jobs", "cancel", "--all", "--yes"], ["jobs", "purge", "--all", "--dry-run"],
        ["jobs", "export"], ["workers", "list"], ["workers", "pause", "w"],
        ["workers", "drain", "--all"], ["workers", "scale", "2"], ["models", "list"],
        ["models", "show", "other"], ["backends", "list"], ["backends", "pause", "b"],
        ["queue", "pause"], ["queue", "drain", "--until-empty"], ["ledger", "check"],
        ["ledger", "backup"], ["ledger", "stats"],
      ]
      for verb in verbs {
        let end = try await system.control(verb)
        #expect(end.exit == .status(69), "\(verb): \(end.error)")
        #expect(
          end.error == """
            rerankctl: UNAVAILABLE: no queue answers at \(system.producersEndpoint): is `rerankd up` \
            or `rerankd queue` running?

            """, "\(verb)")
        #expect(end.output == "", "\(verb)")
      }
    }

    @Test func coloursAreForTerminalsAndNeverForNoColor() async throws {
      try await RunningSystem.run { system in
        func status(_ arguments: [String], _ environment: [String: String] = [:]) async throws
          -> String
        {
          let terminal = try PseudoTerminal(columns: 100, rows: 30)
          let status = try system.startControl(
            ["status"] + arguments, environment: environment, on: terminal)
          #expect(try await status.waitForExit() == .status(0))
          return status.text(of: .output)
        }
        #expect(try await status([]).contains("\u{1B}[1mrerankd "))
        #expect(!(try await status([], ["NO_COLOR": "1"])).contains("\u{1B}"))
        #expect(try await status([], ["NO_COLOR": ""]).contains("\u{1B}[1m"))
        #expect(!(try await status(["--color", "never"])).contains("\u{1B}"))
        #expect(!(try await status([], ["TERM": "dumb"])).contains("\u{1B}"))
        #expect(!(try await status(["-o", "json"])).contains("\u{1B}"))
        #expect(!(try await system.control(["status"])).output.contains("\u{1B}"))
        let always = try await system.control(
          ["status", "--color", "always"], environment: ["NO_COLOR": "1"])
        #expect(always.output.contains("\u{1B}[1m"))
      }
    }
  }
}
