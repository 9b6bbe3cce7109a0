/// A place in a trace, as W3C Trace Context writes it in a `traceparent` header: version, trace id,
/// the id of the span that speaks, and flags.
///
/// Source of the form: W3C Recommendation "Trace Context", level 1, section 3.2.
public struct TraceParent: Sendable, Hashable, CustomStringConvertible {
  /// 32 lower-case hexadecimal digits, not all of them zero.
  public let traceID: String
  /// 16 of them.
  public let spanID: String
  /// Whether whoever spoke records this trace.
  public let isSampled: Bool

  public init(traceID: String, spanID: String, isSampled: Bool) {
    self.traceID = traceID
    self.spanID = spanID
    self.isSampled = isSampled
  }

  /// - Returns: nil for what is no traceparent of version 00, or of a later one that begins alike.
  public init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count >= 55, bytes[2] == Self.dash, bytes[35] == Self.dash, bytes[52] == Self.dash
    else { return nil }
    let version = bytes[0..<2]
    guard Self.areHex(version), !version.elementsEqual("ff".utf8) else { return nil }
    // Later versions may append fields, after one more dash.
    guard bytes.count == 55 || (!version.elementsEqual("00".utf8) && bytes[55] == Self.dash) else {
      return nil
    }
    let (trace, span, flags) = (bytes[3..<35], bytes[36..<52], bytes[53..<55])
    guard Self.areHex(trace), Self.areHex(span), Self.areHex(flags),
      trace.contains(where: { $0 != Self.zero }), span.contains(where: { $0 != Self.zero }),
      let value = UInt8(String(decoding: flags, as: UTF8.self), radix: 16)
    else { return nil }
    traceID = String(decoding: trace, as: UTF8.self)
    spanID = String(decoding: span, as: UTF8.self)
    isSampled = value & 1 == 1
  }

  public var description: String { "00-\(traceID)-\(spanID)-\(isSampled ? "01" : "00")" }

  private static let dash = UInt8(ascii: "-")
  private static let zero = UInt8(ascii: "0")

  /// Upper-case digits are no valid ones here.
  private static func areHex(_ bytes: ArraySlice<UInt8>) -> Bool {
    bytes.allSatisfy {
      (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
    }
  }
}
