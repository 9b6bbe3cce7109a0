import Yams

/// One mapping of the configuration file, read key by key.
///
/// Every read marks its key as known, and ``finish()`` reports the first key that nobody asked for,
/// so that a misspelt setting is an error with its line and never silently ignored.
final class ConfigurationSection {
  private let file: String
  private let path: String
  private var entries: [String: (key: Node, value: Node)] = [:]
  private var order: [String] = []
  private var asked: Set<String> = []
  private var children: [ConfigurationSection] = []

  /// Reads a whole file's text. An empty file is an empty section.
  ///
  /// - Throws: ``ConfigurationError`` for text that is no YAML mapping.
  convenience init(file: String, text: String) throws {
    let root: Node?
    do {
      root = try Yams.compose(yaml: text)
    } catch let error as YamlError {
      throw ConfigurationError(place: file, key: "yaml", message: "\(error)")
    }
    try self.init(file: file, path: "", node: root)
  }

  private init(file: String, path: String, node: Node?) throws {
    self.file = file
    self.path = path
    guard let node, !(node.scalar?.string.isEmpty ?? false) else { return }
    guard let mapping = node.mapping else {
      throw ConfigurationError(
        place: Self.place(file, node), key: path.isEmpty ? "the file" : path,
        message: "expected a mapping of keys to values")
    }
    for (key, value) in mapping {
      guard let name = key.scalar?.string else {
        throw ConfigurationError(
          place: Self.place(file, key), key: path, message: "a key must be a plain word")
      }
      if entries.updateValue((key, value), forKey: name) != nil {
        throw ConfigurationError(
          place: Self.place(file, key), key: full(name), message: "given twice")
      }
      order.append(name)
    }
  }

  // MARK: Values

  func string(_ key: String) throws -> String? {
    guard let node = take(key) else { return nil }
    guard let scalar = node.scalar else { throw wrong(key, node, "expected a text") }
    return scalar.string
  }

  /// - Throws: ``ConfigurationError`` where the value is no whole number within the range.
  func integer(_ key: String, in range: ClosedRange<Int>) throws -> Int? {
    guard let node = take(key) else { return nil }
    guard let text = node.scalar?.string, let value = Int(text.filter { $0 != "_" }),
      range.contains(value)
    else {
      throw wrong(
        key, node, "expected a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  func boolean(_ key: String) throws -> Bool? {
    guard let node = take(key) else { return nil }
    switch node.scalar?.string {
    case "true": return true
    case "false": return false
    default: throw wrong(key, node, "expected true or false")
    }
  }

  /// "250ms", "30s", "5m", "24h", "7d".
  func duration(_ key: String, atLeast least: Duration = .zero) throws -> Duration? {
    guard let node = take(key) else { return nil }
    guard let text = node.scalar?.string, let value = Self.duration(text), value >= least else {
      throw wrong(
        key, node, "expected a time of at least \(least), such as 250ms, 30s, 5m, 24h or 7d")
    }
    return value
  }

  /// "4096", "64KiB", "16MiB", "2GiB".
  func byteCount(_ key: String, in range: ClosedRange<Int> = 0...Int(1) << 50) throws -> Int? {
    guard let node = take(key) else { return nil }
    guard let text = node.scalar?.string, let value = Self.byteCount(text), range.contains(value)
    else {
      throw wrong(
        key, node,
        "expected a size from \(range.lowerBound) to \(range.upperBound) bytes, such as 64KiB, 16MiB")
    }
    return value
  }

  func strings(_ key: String) throws -> [String]? {
    guard let node = take(key) else { return nil }
    guard let sequence = node.sequence else { throw wrong(key, node, "expected a list of texts") }
    return try sequence.map { item in
      guard let text = item.scalar?.string else {
        throw wrong(key, item, "expected a list of texts")
      }
      return text
    }
  }

  // MARK: Structure

  /// The mapping under a key; an absent one is empty, so that defaults are read in one place.
  func section(_ key: String) throws -> ConfigurationSection {
    let child = try ConfigurationSection(file: file, path: full(key), node: take(key))
    children.append(child)
    return child
  }

  /// The mappings of the list under a key.
  func sections(_ key: String) throws -> [ConfigurationSection] {
    guard let node = take(key) else { return [] }
    guard let sequence = node.sequence else { throw wrong(key, node, "expected a list") }
    let sections = try sequence.enumerated().map { index, item in
      try ConfigurationSection(file: file, path: "\(full(key))[\(index)]", node: item)
    }
    children += sections
    return sections
  }

  /// An error about a value that is well formed and still wrong.
  func error(_ key: String, _ message: String) -> ConfigurationError {
    let node = entries[key]?.value
    return ConfigurationError(
      place: node.map { Self.place(file, $0) } ?? file, key: full(key), message: message)
  }

  /// - Throws: ``ConfigurationError`` for the first key, here or below, that was never asked for.
  func finish() throws {
    for name in order where !asked.contains(name) {
      guard let entry = entries[name] else { continue }
      let known = asked.sorted().joined(separator: ", ")
      throw ConfigurationError(
        place: Self.place(file, entry.key), key: full(name),
        message: "no such setting; known here: \(known)")
    }
    for child in children { try child.finish() }
  }

  // MARK: Reading

  private func take(_ key: String) -> Node? {
    asked.insert(key)
    return entries[key]?.value
  }

  private func full(_ key: String) -> String {
    path.isEmpty ? key : "\(path).\(key)"
  }

  private func wrong(_ key: String, _ node: Node, _ message: String) -> ConfigurationError {
    ConfigurationError(place: Self.place(file, node), key: full(key), message: message)
  }

  private static func place(_ file: String, _ node: Node) -> String {
    node.mark.map { "\(file):\($0.line)" } ?? file
  }

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
