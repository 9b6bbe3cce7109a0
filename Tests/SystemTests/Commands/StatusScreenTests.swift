import Foundation
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// `rerankctl status --watch` on a terminal.
  @Suite struct StatusScreenTests {
    /// The picture that was drawn last and whole: its lines without their styles.
    private func picture(_ process: ChildProcess) -> [String] {
      let text = process.text(of: .output)
      guard let end = text.range(of: "\u{1B}[?2026l", options: .backwards),
        let start = text.range(
          of: "\u{1B}[?2026h\u{1B}[H", options: .backwards,
          range: text.startIndex..<end.lowerBound)
      else { return [] }
      return text[start.upperBound..<end.lowerBound].components(separatedBy: "\r\n").map {
        // The terminal's driver has put a carriage return of its own before each line feed.
        $0.replacing(/\u{1B}\[[0-9;]*[A-Za-z]/, with: "").trimmingCharacters(in: .newlines)
      }
    }

    private func withWatch(
      columns: Int, rows: Int, workers: Int = 1, _ arguments: [String] = [],
      _ body: (RunningSystem, PseudoTerminal, ChildProcess) async throws -> Void
    ) async throws {
      try await RunningSystem.run(workers: workers) { system in
        let terminal = try PseudoTerminal(columns: columns, rows: rows)
        let watch = try system.startControl(
          ["status", "--watch", "--interval", "100ms"] + arguments, on: terminal)
        try await eventually("the first picture") {
          picture(watch).first?.hasPrefix("rerankd ") == true
        }
        try await body(system, terminal, watch)
      }
    }

    @Test func thePictureFillsTheTerminalAndFollowsItsSize() async throws {
      try await withWatch(columns: 120, rows: 40) { system, terminal, watch in
        for (columns, rows) in [(120, 40), (80, 24), (40, 12), (20, 3), (1, 1), (120, 40)] {
          terminal.resize(columns: columns, rows: rows)
          try await eventually("a picture of \(columns) by \(rows)") {
            let lines = picture(watch)
            return lines.count == rows && lines.allSatisfy { $0.count <= columns }
              && (columns < 20 || lines[rows - 1].hasPrefix("q quits"))
          }
        }
        let lines = picture(watch)
        #expect(lines[0].hasPrefix("rerankd 0.1.0 at "))
        #expect(lines.contains { $0.hasPrefix("w0 ") && $0.contains("idle") })
        #expect(try await system.control(["rerank", "q", "a"]).exit == .status(0))
        try await eventually("the job in the picture") {
          picture(watch).contains { $0.hasPrefix("builtin") && $0.contains(" / ") }
        }
      }
    }

    @Test func keysScrollWhatDoesNotFitAndEndTheView() async throws {
      try await withWatch(columns: 100, rows: 6, workers: 2) { _, terminal, watch in
        let top = picture(watch)[0]
        try await eventually("the hint") { picture(watch)[5].contains("scroll") }
        terminal.type("G")
        try await eventually("the end") { picture(watch)[4].hasPrefix("w1 ") }
        terminal.type("\u{1B}[H")
        try await eventually("the beginning") { picture(watch)[0].prefix(10) == top.prefix(10) }
        terminal.type("\u{1B}[B")
        try await eventually("a line further") { picture(watch)[0].hasPrefix("jobs ") }
        terminal.type("q")
        #expect(try await watch.waitForExit() == .status(0))
      }
    }

    /// However it ends, the screen, the cursor and the keys are as they were.
    @Test(arguments: ["\u{3}", "q", "SIGTERM"])
    func theTerminalIsGivenBack(_ end: String) async throws {
      try await withWatch(columns: 80, rows: 24) { _, terminal, watch in
        #expect(!terminal.isCooked)
        if end == "SIGTERM" {
          try Self.signalProgram(below: watch.processID, SIGTERM)
        } else {
          terminal.type(end)
        }
        let status = try await watch.waitForExit()
        #expect(status == .status(end == "SIGTERM" ? 128 + SIGTERM : 0))
        let text = watch.text(of: .output)
        #expect(text.hasSuffix("\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"))
        #expect(terminal.isCooked)
      }
    }

    /// The program is the child of the one that gave it its terminal.
    private static func signalProgram(below process: Int32, _ signal: Int32) throws {
      let path = "/proc/\(process)/task/\(process)/children"
      let children = try String(contentsOfFile: path, encoding: .utf8)
      kill(try #require(Int32(children.trimmingCharacters(in: .whitespaces))), signal)
    }

    @Test func aQueueThatIsAwayIsSaidAndShownAsItWas() async throws {
      try await withWatch(columns: 120, rows: 30) { system, _, watch in
        try await system.kill("queue")
        try await eventually("the banner") {
          picture(watch).contains { $0.contains("AWAY") && $0.contains("no queue answers") }
        }
        #expect(picture(watch).contains { $0.hasPrefix("builtin") })
        try await system.startQueue()
        try await eventually("the second epoch") { picture(watch)[0].contains("epoch 2") }
        #expect(!picture(watch).contains { $0.contains("AWAY") })
      }
    }
  }
}
