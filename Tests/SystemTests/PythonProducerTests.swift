import Foundation
import RerankdClient
import RerankdProtocol
import TestSupport
import Testing

extension SystemTests {
  /// PROTOCOL.md is enough to write a producer in another language: the one in Python/producer.py
  /// uses nothing of this package but the .proto files.
  @Suite(
    .enabled(
      if: Python.hasPackages,
      "python3-zmq, python3-protobuf or protoc is missing: deploy/prerequisites --tests"))
  struct PythonProducerTests {
    private func run(_ way: String, _ endpoint: String) async throws -> [String] {
      let script = PackageFolder.url.appending(path: "Tests/SystemTests/Python/producer.py").path
      let producer = try ChildProcess(
        Python.executable,
        arguments: [
          script, way, endpoint, "What is the capital of France?", "Bread is made of flour.",
          "Paris is the capital of France.",
        ])
      let exit = try await producer.waitForExit(timeout: .seconds(90))
      try #require(exit == .status(0), "\(producer.text(of: .error))")
      return producer.text(of: .output).split(separator: "\n").map { String($0) }
    }

    @Test func aJobByCallsIsRankedDeliveredAndAcknowledged() async throws {
      try await RunningSystem.run { system in
        let lines = try await run("call", system.producersEndpoint)
        try #require(lines.count == 2)
        #expect(lines[0].hasSuffix("Paris is the capital of France."))
        #expect(lines[1].hasSuffix("Bread is made of flour."))
        try await system.withClient { client in
          let job = try #require(try await client.jobs(.init()).jobs.first)
          #expect(job.state == .succeeded)
          #expect(job.delivery == .acknowledged)
        }
      }
    }

    @Test func aBareJobIsRankedAndItsOutcomePushed() async throws {
      try await RunningSystem.run { system in
        let lines = try await run("bare", system.intakeEndpoint)
        #expect(lines.count == 2)
        #expect(lines.first?.hasSuffix("Paris is the capital of France.") == true)
        try await system.withClient { client in
          let counters = try await client.status().counters
          #expect(counters.bareAccepted == 1)
          #expect(counters.pushRepliesSent == 1)
        }
      }
    }
  }
}

/// Debian's Python, which has Debian's packages.
private enum Python {
  static let executable = "/usr/bin/python3"

  static let hasPackages: Bool = {
    let probe = Process()
    probe.executableURL = URL(filePath: "/bin/sh")
    probe.arguments = [
      "-c", "\(executable) -c 'import zmq, google.protobuf' && protoc --version >/dev/null",
    ]
    probe.standardError = FileHandle.nullDevice
    guard (try? probe.run()) != nil else { return false }
    probe.waitUntilExit()
    return probe.terminationStatus == 0
  }()
}
