import Foundation
import TestSupport
import Testing

@testable import rerankctl

@Suite struct LineReaderTests {
  private func lines(of bytes: [UInt8]) throws -> (lines: [String], error: InputError?) {
    let folder = try TemporaryFolder()
    let path = folder.path("lines")
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    var reader = try LineReader(path: path)
    var lines: [String] = []
    while let line = reader.next() { lines.append(line) }
    return (lines, reader.error)
  }

  @Test func linesEndWithAnyNewlineAndTheLastNeedsNone() throws {
    let read = try lines(of: Array("a\r\nb\n\nlast".utf8))
    #expect(read.lines == ["a", "b", "", "last"])
    #expect(read.error == nil)
  }

  @Test func linesLongerThanOneReadStayWhole() throws {
    let long = String(repeating: "x", count: 3_000_000)
    let read = try lines(of: Array("a\n\(long)\nb\n".utf8))
    #expect(read.lines == ["a", long, "b"])
  }

  @Test func invalidUTF8IsAnErrorWithItsLine() throws {
    let read = try lines(of: Array("a\n".utf8) + [0xff, 0x0a])
    #expect(read.lines == ["a"])
    #expect(read.error?.description.hasSuffix(":2: not valid UTF-8") == true)
  }

  @Test func aMissingFileIsAnError() {
    #expect(throws: InputError.self) { try LineReader(path: "/no/such/file") }
  }
}
