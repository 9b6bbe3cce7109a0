import Foundation
import Logging
import Synchronization
import Testing
import TraceContext
import Tracing

@testable import Observability

@Suite struct JSONLogTests {
  private func logged(_ body: (Logger) -> Void) throws -> [[String: Any]] {
    let lines = Mutex<[String]>([])
    var logger = Logger(label: "rerankd.queue") { label in
      JSONLogHandler(label: label, metadataProvider: .traceContext) { line in
        lines.withLock { $0.append(line) }
      }
    }
    logger[metadataKey: "shard"] = "3"
    body(logger)
    return try lines.withLock { $0 }.map { line in
      #expect(!line.contains("\n"))
      return try #require(
        try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
  }

  @Test func lineIsOneObjectWithItsMetadataFlattened() throws {
    let line = try #require(
      try logged {
        $0.warning(
          "a \"quoted\"\nmessage \u{1}",
          metadata: [
            "job_id": "0-17", "backend": ["name": "hub", "limits": ["rpm": "\(5)"]],
            "models": ["a", "b"], "level": "mine",
          ])
      }.first)
    #expect(line["level"] as? String == "warning")
    #expect(line["logger"] as? String == "rerankd.queue")
    #expect(line["message"] as? String == "a \"quoted\"\nmessage \u{1}")
    #expect(line["job_id"] as? String == "0-17")
    #expect(line["shard"] as? String == "3")
    #expect(line["backend.name"] as? String == "hub")
    #expect(line["backend.limits.rpm"] as? String == "5")
    #expect(line["models"] as? [String] == ["a", "b"])
    #expect(line["metadata.level"] as? String == "mine")
    let time = try #require(line["time"] as? String)
    #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
  }

  @Test func lineInsideOfASpanNamesItsTrace() throws {
    var context = InstrumentationContext.topLevel
    context.traceParent = TraceParent(
      traceID: String(repeating: "a", count: 32), spanID: String(repeating: "b", count: 16),
      isSampled: true)
    let line = try #require(
      try logged { logger in
        InstrumentationContext.$current.withValue(context) { logger.info("inside") }
      }.first)
    #expect(line["trace_id"] as? String == String(repeating: "a", count: 32))
    #expect(line["span_id"] as? String == String(repeating: "b", count: 16))
  }

  @Test(arguments: [
    (#"{"level":"info","message":"x"}"#, #"{"process":"worker-1","level":"info","message":"x"}"#),
    ("{}", #"{"process":"worker-1"}"#),
  ])
  func relayedObjectGetsItsProcess(_ line: String, _ relayed: String) {
    #expect(JSONLogLine.relayed(line, process: "worker-1") == relayed)
  }

  @Test(arguments: ["Fatal error: \"odd\"", "{ not JSON", "", "[1]"])
  func relayedTextBecomesAMessage(_ line: String) throws {
    let relayed = JSONLogLine.relayed(line, process: "worker-1")
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(relayed.utf8)) as? [String: Any])
    #expect(object["message"] as? String == line)
    #expect(object["process"] as? String == "worker-1")
    #expect(object["level"] as? String == "error")
  }
}
