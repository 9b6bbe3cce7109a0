import Foundation
import RerankdProtocol
import Testing
import WireTestSupport
import ZeroMQ

/// The client that PROTOCOL.md prints works as it stands there.
@Suite(.timeLimit(.minutes(1))) struct PythonClientTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appending(path: "../..").standardizedFileURL

  private static var hasPython: Bool {
    let probe =
      "import google.protobuf, zmq, shutil, sys; sys.exit(shutil.which('protoc') is None)"
    return (try? run(["/usr/bin/python3", "-c", probe]).status) == 0
  }

  @Test(.enabled(if: hasPython, "needs python3-zmq, python3-protobuf and protobuf-compiler"))
  func clientPrintedInTheSpecificationRanksDocuments() throws {
    let queue = try FakeJobs().queue()
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }

    let page = try String(
      contentsOf: Self.root.appending(path: "protocol/PROTOCOL.md"), encoding: .utf8)
    let program = try #require(
      page.components(separatedBy: "```python\n").dropFirst().first?
        .components(separatedBy: "```").first
    ).replacing(DefaultEndpoint.producers, with: queue.endpoint.text)
    let script = folder.appending(path: "client.py")
    try program.write(to: script, atomically: true, encoding: .utf8)

    let protos = ["envelope", "job", "queue"].map { "rerankd/v1/\($0).proto" }
    let generation = try Self.run(
      ["/usr/bin/env", "protoc", "-I", "protocol", "--python_out=\(folder.path)"] + protos)
    #expect(generation.status == 0, "\(generation.output)")
    let (status, output) = try Self.run(["/usr/bin/python3", script.path])
    #expect(status == 0, "\(output)")
    #expect(output == "1 0.0\n0 0.0\n")
    #expect(queue.arrivals.count == 1)
  }

  private static func run(_ command: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: command[0])
    process.arguments = Array(command.dropFirst())
    process.currentDirectoryURL = root
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }
}
