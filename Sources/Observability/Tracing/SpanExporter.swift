import AsyncHTTPClient
public import CoreMetrics
import Foundation
public import Logging
import NIOCore
import NIOHTTP1
public import ServiceLifecycle

/// Sends spans to a collector by OTLP over HTTP, as JSON, in batches, off everybody's way.
///
/// Source: "OTLP Specification" 1.x, section OTLP/HTTP: POST to `/v1/traces`; 429, 502, 503 and 504
/// may be tried again.
public struct SpanExporter: Service {
  private let configuration: TracingConfiguration
  private let endpoint: String
  private let resource: OTLPResource
  private let buffer: SpanBuffer
  private let logger: Logger
  private let exported: Counter
  private let failed: Counter

  /// - Parameters:
  ///   - service: as traces name the process: "rerankd-queue".
  ///   - endpoint: of the collector, without the path.
  public init(
    _ configuration: TracingConfiguration, endpoint: String, service: String, version: String,
    buffer: SpanBuffer, metrics: any MetricsFactory, logger: Logger
  ) {
    self.configuration = configuration
    self.endpoint =
      (endpoint.hasSuffix("/") ? String(endpoint.dropLast()) : endpoint) + "/v1/traces"
    resource = OTLPResource(service: service, version: version)
    self.buffer = buffer
    self.logger = logger
    exported = Self.counter(outcome: "exported", metrics)
    failed = Self.counter(outcome: "failed", metrics)
  }

  static func counter(outcome: String, _ metrics: any MetricsFactory) -> Counter {
    Counter(
      label: "rerankd_tracing_spans_total", dimensions: [("outcome", outcome)], factory: metrics)
  }

  /// Runs until a graceful shutdown, and then sends what is left, each batch once.
  public func run() async throws {
    var settings = HTTPClient.Configuration()
    // By itself it takes the process's tracer, and each export would make a span to export.
    settings.tracing.tracer = nil
    let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
    await withTaskCancellationHandler {
      await withGracefulShutdownHandler {
        await work(client)
      } onGracefulShutdown: {
        buffer.close()
      }
    } onCancel: {
      buffer.close()
    }
    try await client.shutdown()
  }

  private func work(_ client: HTTPClient) async {
    while !isEnding {
      let clock = Task {
        if (try? await Task.sleep(for: configuration.interval)) != nil { buffer.wake() }
      }
      await buffer.untilBatch()
      clock.cancel()
      await sendAll(client)
    }
    await sendAll(client)
  }

  private var isEnding: Bool { Task.isShuttingDownGracefully || Task.isCancelled }

  private func sendAll(_ client: HTTPClient) async {
    while true {
      let spans = buffer.take()
      guard !spans.isEmpty else { return }
      await send(spans, client)
    }
  }

  private func send(_ spans: [FinishedSpan], _ client: HTTPClient) async {
    var problem = "it did not answer"
    do {
      let body = try OTLPTraces(resource: resource, spans: spans).json()
      for attempt in 1...configuration.attemptsMax {
        switch await post(body, client) {
        case .taken: return exported.increment(by: spans.count)
        case .refused(let reason, mayTryAgain: let mayTryAgain):
          problem = reason
          guard mayTryAgain, attempt < configuration.attemptsMax, !isEnding else { break }
          try? await cancelWhenGracefulShutdown {
            try await Task.sleep(for: configuration.interval * attempt)
          }
          continue
        }
        break
      }
    } catch {
      problem = "\(error)"
    }
    failed.increment(by: spans.count)
    logger.warning(
      "spans could not be exported: \(problem)",
      metadata: ["spans": "\(spans.count)", "collector": "\(endpoint)"])
  }

  private enum Answer {
    case taken
    case refused(String, mayTryAgain: Bool)
  }

  private func post(_ body: Data, _ client: HTTPClient) async -> Answer {
    var request = HTTPClientRequest(url: endpoint)
    request.method = .POST
    request.headers.add(name: "content-type", value: "application/json")
    request.body = .bytes(ByteBuffer(bytes: body))
    do {
      let response = try await client.execute(
        request, timeout: TimeAmount(configuration.requestTimeout))
      let status = Int(response.status.code)
      // An answer is read to its end, so that its connection can be used again.
      for try await _ in response.body {}
      guard !(200..<300).contains(status) else { return .taken }
      return .refused(
        "the collector answered \(status)", mayTryAgain: [429, 502, 503, 504].contains(status))
    } catch {
      return .refused("\(error)", mayTryAgain: true)
    }
  }
}
