import Yams

/// One mapping of the configuration, read key by key, in the file and in what goes before it.
///
/// Every read marks its key as known, and ``finish()`` reports the keys that nobody asked for, so
/// that a misspelt setting is an error with its line and never silently ignored.
final class ConfigurationSection {
  private let reading: ConfigurationReading
  private let path: String
  private let place: String
  private var entries: [String: (key: Node, value: Node)] = [:]
  private var order: [String] = []
  private var asked: Set<String> = []
  private var children: [ConfigurationSection] = []

  /// Reads a whole file's text. An empty file is an empty section.
  ///
  /// - Throws: ``ConfigurationError`` for text that is no YAML mapping.
  convenience init(file: String, text: String) throws {
    try self.init(ConfigurationReading(file: file), text: text)
  }

  convenience init(_ reading: ConfigurationReading, text: String) throws {
    let root: Node?
    do {
      root = try Yams.compose(yaml: text)
    } catch let error as YamlError {
      throw ConfigurationError(place: reading.file, key: "yaml", message: "\(error)")
    }
    try self.init(reading, path: "", node: root)
  }

  private init(_ reading: ConfigurationReading, path: String, node: Node?) throws {
    self.reading = reading
    self.path = path
    place = node?.mark.map { "\(reading.file):\($0.line)" } ?? reading.file
    guard let node, !(node.scalar?.string.isEmpty ?? false) else { return }
    guard let mapping = node.mapping else {
      throw ConfigurationError(
        place: place, key: path.isEmpty ? "the file" : path,
        message: "expected a mapping of keys to values")
    }
    for (key, value) in mapping {
      let line = key.mark.map { "\(reading.file):\($0.line)" } ?? reading.file
      guard let name = key.scalar?.string else {
        throw ConfigurationError(place: line, key: path, message: "a key must be a plain word")
      }
      if entries.updateValue((key, value), forKey: name) != nil {
        throw ConfigurationError(place: line, key: full(name), message: "given twice")
      }
      order.append(name)
    }
  }

  // MARK: Values

  func string(_ key: String) throws -> String? {
    guard let (node, place) = take(key) else { return nil }
    guard let scalar = node.scalar else { throw wrong(key, place, "expected a text") }
    return scalar.string
  }

  /// - Throws: ``ConfigurationError`` where the value is no whole number within the range.
  func integer(_ key: String, in range: ClosedRange<Int>) throws -> Int? {
    guard let (node, place) = take(key) else { return nil }
    guard let text = node.scalar?.string, let value = Int(text.filter { $0 != "_" }),
      range.contains(value)
    else {
      throw wrong(
        key, place, "expected a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  func boolean(_ key: String) throws -> Bool? {
    guard let (node, place) = take(key) else { return nil }
    switch node.scalar?.string {
    case "true": return true
    case "false": return false
    default: throw wrong(key, place, "expected true or false")
    }
  }

  /// "250ms", "30s", "5m", "24h", "7d".
  func duration(_ key: String, atLeast least: Duration = .zero) throws -> Duration? {
    guard let (node, place) = take(key) else { return nil }
    guard let text = node.scalar?.string, let value = Self.duration(text), value >= least else {
      throw wrong(
        key, place, "expected a time of at least \(least), such as 250ms, 30s, 5m, 24h or 7d")
    }
    return value
  }

  /// "4096", "64KiB", "16MiB", "2GiB".
  func byteCount(_ key: String, in range: ClosedRange<Int> = 0...Int(1) << 50) throws -> Int? {
    guard let (node, place) = take(key) else { return nil }
    guard let text = node.scalar?.string, let value = Self.byteCount(text), range.contains(value)
    else {
      throw wrong(
        key, place,
        "expected a size from \(range.lowerBound) to \(range.upperBound) bytes, such as 64KiB, 16MiB"
      )
    }
    return value
  }

  /// A list in the file; texts with commas between them elsewhere.
  func strings(_ key: String) throws -> [String]? {
    guard let (node, place) = take(key) else { return nil }
    if let text = node.scalar?.string, isOverridden(key) {
      return text.split(separator: ",").map { String($0) }
    }
    guard let sequence = node.sequence else { throw wrong(key, place, "expected a list of texts") }
    return try sequence.map { item in
      guard let text = item.scalar?.string else {
        throw wrong(key, place, "expected a list of texts")
      }
      return text
    }
  }

  // MARK: Structure

  /// The mapping under a key; an absent one is empty, so that defaults are read in one place.
  func section(_ key: String) -> ConfigurationSection {
    asked.insert(key)
    return child(full(key), entries[key]?.value)
  }

  /// The mappings of the list under a key, and those that the environment adds.
  func sections(_ key: String) -> [ConfigurationSection] {
    asked.insert(key)
    var nodes: [Node?] = []
    if let node = entries[key]?.value, !(node.scalar?.string.isEmpty ?? false) {
      if let sequence = node.sequence {
        nodes = Array(sequence)
      } else {
        reading.note(error(key, "expected a list"))
      }
    }
    let count = max(nodes.count, reading.entryCount(of: full(key)))
    return (0..<count).map { index in
      child("\(full(key))[\(index)]", index < nodes.count ? nodes[index] : nil)
    }
  }

  /// One that is no mapping is a problem, and empty.
  private func child(_ path: String, _ node: Node?) -> ConfigurationSection {
    let child: ConfigurationSection
    do {
      child = try ConfigurationSection(reading, path: path, node: node)
    } catch {
      noting { throw error }
      child = ConfigurationSection(empty: reading, path: path)
    }
    children.append(child)
    return child
  }

  private init(empty reading: ConfigurationReading, path: String) {
    self.reading = reading
    self.path = path
    place = reading.file
  }

  // MARK: Problems

  /// An error about a value that is well formed and still wrong.
  func error(_ key: String, _ message: String) -> ConfigurationError {
    let line = entries[key]?.value.mark.map { "\(reading.file):\($0.line)" }
    return ConfigurationError(
      place: reading.place(of: full(key)) ?? line ?? place, key: full(key), message: message)
  }

  /// Reads something; what is wrong with it is kept for ``finish()``, and the reading goes on.
  func noting(_ read: () throws -> Void) {
    do {
      try read()
    } catch let error as ConfigurationError {
      reading.note(error)
    } catch {
      reading.note(
        ConfigurationError(place: place, key: path, message: "cannot be read: \(error)"))
    }
  }

  /// What holds where nothing was said, for those who want to see all settings.
  func recordDefault(_ key: String, _ value: String?) {
    reading.record(defaultOf: full(key), value)
  }

  /// - Throws: ``ConfigurationError`` for everything that was noted, the keys, here or below, that
  ///   were never asked for among it.
  func finish() throws {
    noteUnknown()
    reading.noteUnknownVariables()
    if let problem = ConfigurationError(reading.problems) { throw problem }
  }

  private func noteUnknown() {
    for name in order where !asked.contains(name) {
      let known = asked.sorted().joined(separator: ", ")
      reading.note(error(name, "no such setting; known here: \(known)"))
    }
    for child in children { child.noteUnknown() }
  }

  // MARK: Reading

  private func take(_ key: String) -> (node: Node, place: String)? {
    asked.insert(key)
    let found = reading.value(of: full(key), inFile: entries[key]?.value)
    let text =
      found?.node.scalar?.string
      ?? found?.node.sequence.map { items in
        "[" + items.map { $0.scalar?.string ?? "…" }.joined(separator: ", ") + "]"
      }
    reading.record(
      Setting(key: full(key), value: text, origin: found?.origin ?? .builtInDefault))
    return found.map { ($0.node, "\($0.origin)") }
  }

  private func isOverridden(_ key: String) -> Bool {
    reading.value(of: full(key), inFile: nil) != nil
  }

  private func full(_ key: String) -> String {
    path.isEmpty ? key : "\(path).\(key)"
  }

  private func wrong(_ key: String, _ place: String, _ message: String) -> ConfigurationError {
    ConfigurationError(place: place, key: full(key), message: message)
  }
}

/// How times and sizes are written.
extension ConfigurationSection {
  static func duration(_ text: String) -> Duration? {
    let units: [(String, Int64)] = [
      ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]
    for (unit, milliseconds) in units where text.hasSuffix(unit) {
      guard let count = Int64(text.dropLast(unit.count)), count >= 0 else { continue }
      let (total, overflow) = count.multipliedReportingOverflow(by: milliseconds)
      return overflow ? nil : .milliseconds(total)
    }
    return nil
  }

  static func byteCount(_ text: String) -> Int? {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40), ("", 0)]
    for (unit, shift) in units where text.hasSuffix(unit) {
      guard let count = Int(text.dropLast(unit.count)), count >= 0 else { continue }
      let (total, overflow) = count.multipliedReportingOverflow(by: 1 << shift)
      return overflow ? nil : total
    }
    return nil
  }
}
