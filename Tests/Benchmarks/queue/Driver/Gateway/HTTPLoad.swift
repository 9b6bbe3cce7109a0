import Foundation
import Glibc
import Scoring
import Synchronization

/// Clients that send the same rerank request over and over, each on a connection and a thread of
/// its own, and wait for each answer.
struct HTTPLoad: Sendable {
  struct Result: Sendable {
    var latencies = LatencyHistogram()
    var seconds: Double
  }

  private let port: UInt16
  private let request: [UInt8]

  init(port: UInt16, documents: Int) {
    self.port = port
    let texts = (0..<documents).map {
      "\"document \($0): ice deforms under its own weight and slides over its bed\""
    }
    let body =
      "{\"model\":\"\(NullEngine.model.name)\",\"query\":\"how do glaciers move?\","
      + "\"documents\":[\(texts.joined(separator: ","))]}"
    let head =
      "POST /v1/rerank HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      + "Content-Length: \(body.utf8.count)\r\n\r\n"
    request = Array((head + body).utf8)
  }

  var requestBytes: Int { request.count }

  /// - Parameter requestsMax: of all clients together.
  /// - Throws: ``BenchmarkError`` at the first answer that is not 200.
  func run(clients: Int, seconds: Double, requestsMax: Int) async throws -> Result {
    let start = monotonicNanoseconds()
    let deadline = seconds.isFinite ? start + Int64(seconds * 1e9) : .max
    let left = Budget(requestsMax)
    let histograms = try await withThrowingTaskGroup(of: LatencyHistogram.self) { group in
      for _ in 0..<clients {
        group.addTask {
          try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
              continuation.resume(with: Swift.Result { try drive(until: deadline, left) })
            }
          }
        }
      }
      return try await group.reduce(into: LatencyHistogram()) { $0.add($1) }
    }
    return Result(
      latencies: histograms, seconds: Double(monotonicNanoseconds() - start) / 1e9)
  }

  private func drive(until deadline: Int64, _ left: Budget) throws -> LatencyHistogram {
    let descriptor = try Loopback.connect(to: port)
    defer { close(descriptor) }
    var histogram = LatencyHistogram()
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while monotonicNanoseconds() < deadline, left.take() {
      let start = monotonicNanoseconds()
      guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
        throw BenchmarkError(system: "send")
      }
      try receiveAnswer(descriptor, &buffer)
      histogram.record(nanoseconds: monotonicNanoseconds() - start)
    }
    return histogram
  }

  private func receiveAnswer(_ descriptor: Int32, _ buffer: inout [UInt8]) throws {
    var received = 0
    var expected = Int.max
    while received < expected {
      let count = buffer.withUnsafeMutableBytes {
        recv(descriptor, $0.baseAddress.map { $0 + received }, $0.count - received, 0)
      }
      guard count > 0 else { throw BenchmarkError(system: "recv") }
      received += count
      if expected == .max, let length = Self.answerBytes(buffer[..<received]) {
        guard length <= buffer.count else { throw BenchmarkError("an answer of \(length) bytes") }
        expected = length
      }
    }
    guard buffer.starts(with: Array("HTTP/1.1 200".utf8)) else {
      throw BenchmarkError(String(decoding: buffer[..<min(received, 500)], as: UTF8.self))
    }
  }

  /// Head and body together; nil while the head is not there.
  private static func answerBytes(_ bytes: ArraySlice<UInt8>) -> Int? {
    let text = String(decoding: bytes, as: UTF8.self)
    guard let end = text.range(of: "\r\n\r\n") else { return nil }
    let head = text[..<end.upperBound]
    guard let field = head.lowercased().range(of: "content-length: ") else { return nil }
    let digits = head[field.upperBound...].prefix { $0.isNumber }
    return Int(digits).map { head.utf8.count + $0 }
  }

  /// Requests that may still be sent.
  private final class Budget: Sendable {
    private let left: Atomic<Int>

    init(_ requests: Int) {
      left = Atomic(requests)
    }

    func take() -> Bool {
      left.subtract(1, ordering: .relaxed).oldValue > 0
    }
  }
}
