/// Prometheus' text format, version 0.0.4: families by name, each with its help and type first, and
/// their series by labels.
///
/// Source: the format's description in Prometheus' documentation, "Exposition formats".
enum PrometheusText {
  static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  static func write(_ families: [MetricFamily]) -> String {
    var text = ""
    for family in families.sorted(by: { $0.description.name < $1.description.name })
    where !family.samples.isEmpty {
      let name = metricName(family.description.name)
      text += "# HELP \(name) \(escaped(family.description.help, quotes: false))\n"
      text += "# TYPE \(name) \(family.description.kind.rawValue)\n"
      let series = family.samples.map { (labels: list($0.labels), value: $0.value) }
        .sorted { $0.labels < $1.labels }
      for (labels, value) in series { write(name, labels, value, into: &text) }
    }
    return text
  }

  private static func write(
    _ name: String, _ labels: String, _ value: MetricFamily.Value, into text: inout String
  ) {
    let braces = labels.isEmpty ? "" : "{\(labels)}"
    switch value {
    case .number(let value):
      text += "\(name)\(braces) \(number(value))\n"
    case .histogram(let bounds, let counts, let sum):
      let prefix = labels.isEmpty ? "" : labels + ","
      var total: UInt64 = 0
      for (bound, count) in zip(bounds + [.infinity], counts) {
        total += count
        text += "\(name)_bucket{\(prefix)le=\"\(number(bound))\"} \(total)\n"
      }
      text += "\(name)_sum\(braces) \(number(sum))\n"
      text += "\(name)_count\(braces) \(total)\n"
    }
  }

  private static func list(_ labels: [(name: String, value: String)]) -> String {
    labels.map { "\(labelName($0.name))=\"\(escaped($0.value, quotes: true))\"" }
      .joined(separator: ",")
  }

  static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
    if value == value.rounded(), abs(value) < 1e15 { return "\(Int64(value))" }
    return "\(value)"
  }

  private static func escaped(_ text: String, quotes: Bool) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": escaped += "\\\\"
      case "\n": escaped += "\\n"
      case "\"" where quotes: escaped += "\\\""
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  private static func metricName(_ name: String) -> String { cleaned(name, takesColons: true) }

  /// Names that begin with two underscores are Prometheus' own.
  private static func labelName(_ name: String) -> String {
    let cleaned = cleaned(name, takesColons: false)
    return cleaned.hasPrefix("__") ? "label" + cleaned : cleaned
  }

  private static func cleaned(_ name: String, takesColons: Bool) -> String {
    let characters = name.unicodeScalars.map { scalar -> Character in
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", "_": Character(scalar)
      case ":" where takesColons: ":"
      default: "_"
      }
    }
    let starts = characters.first.map { $0.isLetter || $0 == "_" || $0 == ":" } ?? false
    return (starts ? "" : "_") + String(characters)
  }
}
