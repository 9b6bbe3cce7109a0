import Foundation
import Glibc
import TraceContext
import Tracing

/// Who exports.
struct OTLPResource: Sendable {
  var service: String
  var version: String

  fileprivate var attributes: [OTLPAttribute] {
    let host = ProcessInfo.processInfo.hostName
    return [
      OTLPAttribute(key: "service.name", value: .string(service)),
      OTLPAttribute(key: "service.version", value: .string(version)),
      OTLPAttribute(key: "service.instance.id", value: .string("\(host)-\(getpid())")),
      OTLPAttribute(key: "host.name", value: .string(host)),
      OTLPAttribute(key: "process.pid", value: .int(Int64(getpid()))),
    ]
  }
}

/// An OTLP ExportTraceServiceRequest in OTLP's JSON: ids in hexadecimal, 64-bit numbers as strings.
///
/// Source: opentelemetry-proto `trace.proto`, and "JSON Protobuf Encoding" of the OTLP specification.
struct OTLPTraces {
  var resource: OTLPResource
  var spans: [FinishedSpan]

  func json() throws -> Data {
    try JSONEncoder().encode(
      Request(
        resourceSpans: [
          .init(
            resource: .init(attributes: resource.attributes),
            scopeSpans: [
              .init(
                scope: .init(name: "rerankd", version: resource.version),
                spans: spans.map { Span($0) })
            ])
        ]))
  }

  private struct Request: Encodable {
    struct ResourceSpans: Encodable {
      var resource: Resource
      var scopeSpans: [ScopeSpans]
    }
    struct Resource: Encodable {
      var attributes: [OTLPAttribute]
    }
    struct ScopeSpans: Encodable {
      var scope: Scope
      var spans: [Span]
    }
    struct Scope: Encodable {
      var name: String
      var version: String
    }

    var resourceSpans: [ResourceSpans]
  }

  private struct Span: Encodable {
    struct Event: Encodable {
      var timeUnixNano: String
      var name: String
      var attributes: [OTLPAttribute]
    }
    struct Status: Encodable {
      var code: Int
      var message: String?
    }

    var traceId: String
    var spanId: String
    var parentSpanId: String?
    var flags: Int
    var name: String
    var kind: Int
    var startTimeUnixNano: String
    var endTimeUnixNano: String
    var attributes: [OTLPAttribute]
    var events: [Event]
    var status: Status

    init(_ span: FinishedSpan) {
      traceId = span.place.traceID
      spanId = span.place.spanID
      parentSpanId = span.parentID
      flags = span.place.isSampled ? 1 : 0
      name = span.name
      kind =
        switch span.kind {
        case .internal: 1
        case .server: 2
        case .client: 3
        case .producer: 4
        case .consumer: 5
        }
      startTimeUnixNano = "\(span.startNanoseconds)"
      endTimeUnixNano = "\(span.endNanoseconds)"
      attributes = OTLPAttribute.list(span.attributes)
      events = span.events.map {
        Event(
          timeUnixNano: "\($0.nanosecondsSinceEpoch)", name: $0.name,
          attributes: OTLPAttribute.list($0.attributes))
      }
      status =
        switch span.status?.code {
        case .ok?: Status(code: 1)
        case .error?: Status(code: 2, message: span.status?.message)
        default: Status(code: 0)
        }
    }
  }
}

/// A KeyValue.
private struct OTLPAttribute: Encodable {
  enum Value: Encodable {
    case string(String)
    case int(Int64)
    case double(Double)
    case bool(Bool)

    private enum CodingKeys: String, CodingKey {
      case stringValue, intValue, doubleValue, boolValue
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      switch self {
      case .string(let value): try container.encode(value, forKey: .stringValue)
      case .int(let value): try container.encode("\(value)", forKey: .intValue)
      case .double(let value) where !value.isFinite:
        try container.encode("\(value)", forKey: .stringValue)
      case .double(let value): try container.encode(value, forKey: .doubleValue)
      case .bool(let value): try container.encode(value, forKey: .boolValue)
      }
    }
  }

  var key: String
  var value: Value

  static func list(_ attributes: SpanAttributes) -> [OTLPAttribute] {
    var list: [OTLPAttribute] = []
    attributes.forEach { key, attribute in
      let value: Value? =
        switch attribute {
        case .int32(let value): .int(Int64(value))
        case .int64(let value): .int(value)
        case .double(let value): .double(value)
        case .bool(let value): .bool(value)
        case .string(let value): .string(value)
        case .stringConvertible(let value): .string("\(value)")
        // Spans of this package have no others.
        default: nil
        }
      if let value { list.append(OTLPAttribute(key: key, value: value)) }
    }
    return list.sorted { $0.key < $1.key }
  }
}
