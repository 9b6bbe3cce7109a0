import Foundation
import RerankdProtocol
import TestSupport
import Testing

@testable import rerankctl

@Suite struct JSONLinesFileTests {
  private static let outcome = #"{"job_id":"0-1","state":"succeeded"}"#
  private static let job = #"{"job_id":"0-2","state":"dead","submitted":"2026-11-25T00:00:00Z"}"#

  /// Goes on with a file, adds a line, and says what is in it then.
  private func added(
    to content: String, isOwn: (JSONLinesFile.Line) -> Bool = ResultsCommand.isOutcome
  ) throws -> String {
    let folder = try TemporaryFolder("lines")
    let path = try folder.write(content, to: "lines.jsonl")
    do {
      let file = try JSONLinesFile(path: path, resumes: true, isOwn: isOwn)
      try file.append("{}")
      try file.close()
    } catch {
      #expect(try String(contentsOfFile: path, encoding: .utf8) == content)
      throw error
    }
    return try String(contentsOfFile: path, encoding: .utf8)
  }

  @Test(arguments: ["", outcome + "\n", "{}\n" + outcome + "\n"])
  func wholeLinesStayAndTheNextFollowsThem(_ content: String) throws {
    #expect(try added(to: content) == content + "{}\n")
  }

  @Test func theBeginningOfALineIsCutOff() throws {
    #expect(
      try added(to: Self.outcome + "\n" + Self.outcome.dropLast(5)) == Self.outcome + "\n{}\n")
  }

  @Test(arguments: [outcome, outcome + "\n" + outcome])
  func aLineThatOnlyItsBreakIsMissingOfStays(_ content: String) throws {
    #expect(try added(to: content) == content + "\n{}\n")
  }

  @Test func linesLongerThanAPieceAreFound() throws {
    let long = #"{"job_id":"0-1","state":"\#(String(repeating: "é", count: 100_000))"}"#
    #expect(try added(to: "\n\(long)\n\(long.dropLast(2))") == "\n\(long)\n{}\n")
  }

  /// What the command did not write is refused, and no byte of it is changed.
  @Test(arguments: [
    "no line break", "a text\nof two lines\n", "\n", #"{"job_id":"0-1","sta"#, #"{"a": 1}"#,
    "[1]\n", outcome + "\n\n", outcome + "\nnot JSON\nrest", job + "\n", "\u{0}\u{1}",
  ])
  func aFileOfSomebodyElseIsLeftAsItIs(_ content: String) {
    #expect { try added(to: content) } throws: {
      "\($0)".contains("is left as it is: choose another name, or remove it")
    }
  }

  @Test func anExportGoesOnAfterItsOwnLastJobAlone() throws {
    #expect(JobsExportCommand.job(in: ["job_id": .string("0-1"), "state": .string("dead")]) == nil)
    let isOwn = { JobsExportCommand.job(in: $0)?.description == "0-2" }
    #expect(try added(to: Self.job + "\n", isOwn: isOwn) == Self.job + "\n{}\n")
    #expect(throws: InputError.self) { try added(to: Self.outcome + "\n", isOwn: isOwn) }
  }

  /// A gigabyte without a line break is refused after the part that a line can have.
  @Test func aLineBeyondAllMeasureIsRefusedWithoutReadingTheRest() throws {
    let folder = try TemporaryFolder("lines")
    let path = try folder.write("", to: "disk.img")
    let bytes = 1 << 30
    #expect(truncate(path, bytes) == 0)
    #expect {
      _ = try JSONLinesFile(path: path, resumes: true, isOwn: { _ in true })
    } throws: {
      "\($0)".hasSuffix("its last line has over 96 MiB")
    }
    let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
    #expect(size == bytes)
  }

  @Test func whatIsNoFileIsAnErrorAndNoCrash() throws {
    let folder = try TemporaryFolder("lines")
    #expect(mkfifo(folder.path("pipe"), 0o600) == 0)
    for path in [folder.path("pipe"), folder.url.path] {
      #expect(throws: InputError.self) {
        try JSONLinesFile(path: path, resumes: true, isOwn: { _ in true })
      }
    }
  }
}
