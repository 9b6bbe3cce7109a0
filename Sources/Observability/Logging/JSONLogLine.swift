import Foundation
import Logging

/// One log line as a JSON object: `time` (RFC 3339, UTC), `level`, `logger`, `message`, and the
/// metadata as fields beside them, nested ones with their names joined by dots.
public enum JSONLogLine {
  /// Metadata of these names is written with "metadata." before it.
  private static let ownFields: Set<String> = ["time", "level", "logger", "message", "process"]

  static func write(
    time: Date, level: Logger.Level, logger: String, message: String, metadata: Logger.Metadata
  ) -> String {
    var line = "{\"time\":\"\(timestamp(time))\",\"level\":\"\(level.rawValue)\","
    line += "\"logger\":\(quoted(logger)),\"message\":\(quoted(message))"
    var fields: [(String, String)] = []
    for (name, value) in metadata {
      collect(ownFields.contains(name) ? "metadata.\(name)" : name, value, into: &fields)
    }
    for (name, value) in fields.sorted(by: { $0.0 < $1.0 }) {
      line += ",\(quoted(name)):\(value)"
    }
    return line + "}"
  }

  /// A child's line in its supervisor's log: still one object, with the child's name in it. What is
  /// no object, such as the runtime's last words, becomes the message of one.
  public static func relayed(_ line: String, process: String) -> String {
    let name = "\"process\":\(quoted(process))"
    let object = line.trimmingCharacters(in: .whitespacesAndNewlines)
    if object.hasPrefix("{"),
      (try? JSONSerialization.jsonObject(with: Data(object.utf8))) is [String: Any]
    {
      let rest = object.dropFirst()
      return "{\(name)" + (rest.contains(":") ? "," : "") + rest
    }
    return "{\(name),\"time\":\"\(timestamp(.now))\",\"level\":\"error\","
      + "\"logger\":\(quoted(process)),\"message\":\(quoted(line))}"
  }

  private static func collect(
    _ name: String, _ value: Logger.MetadataValue, into fields: inout [(String, String)]
  ) {
    switch value {
    case .string(let text): fields.append((name, quoted(text)))
    case .stringConvertible(let value): fields.append((name, quoted("\(value)")))
    case .dictionary(let values):
      for (inner, value) in values { collect("\(name).\(inner)", value, into: &fields) }
    case .array(let values):
      fields.append((name, "[" + values.map { quoted("\($0)") }.joined(separator: ",") + "]"))
    }
  }

  /// To the millisecond.
  private static func timestamp(_ time: Date) -> String {
    time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
  }

  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\r": quoted += "\\r"
      case "\t": quoted += "\\t"
      case "\u{0}"..."\u{1F}", "\u{7F}", "\u{2028}", "\u{2029}":
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
