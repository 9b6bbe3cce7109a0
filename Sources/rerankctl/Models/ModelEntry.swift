import Foundation

/// An entry of `models` in rerankd's configuration file, and its place there. The file is changed
/// as text, so that its comments and its order stay.
struct ModelEntry {
  var name: String
  var folder: String
  var contextTokens: Int
  var reservedTokens: Int

  /// The entry's lines, for a list whose dashes are indented so far.
  func lines(indent: Int) -> [String] {
    let space = String(repeating: " ", count: indent)
    return [
      "\(space)- name: \(Self.quoted(name))", "\(space)  folder: \(Self.quoted(folder))",
      "\(space)  context_tokens: \(contextTokens)", "\(space)  reserved_tokens: \(reservedTokens)",
    ]
  }

  /// The file's text with the entry as the last of `models`.
  ///
  /// - Throws: ``InputError`` when the list is written otherwise than with a line for each entry,
  ///   or has the name already.
  func added(to text: String) throws -> String {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    guard let start = lines.firstIndex(where: { Self.key(of: $0) == "models" }) else {
      // Without a list the built-in model is served; with one, only what it names.
      let list = ["models:", "  - name: builtin"] + self.lines(indent: 2)
      let body = text.isEmpty || text.hasSuffix("\n") ? text : text + "\n"
      return body + (list + [""]).joined(separator: "\n")
    }
    let value = Self.withoutComment(lines[start].dropFirst("models:".count))
    guard value.isEmpty || value == "[]" else {
      throw InputError("\"models\" is written in one line; put the entry into it by hand")
    }
    let end =
      lines[(start + 1)...].firstIndex { line in
        guard let first = line.first else { return false }
        return !first.isWhitespace && first != "#" && first != "-"
      } ?? lines.count
    let entries = (start + 1..<end).filter { line in
      let content = lines[line].drop(while: \.isWhitespace)
      return !content.isEmpty && content.first != "#"
    }
    let names = entries.compactMap { Self.name(of: lines[$0]) }
    guard !names.contains(name) else {
      throw InputError("\"models\" has an entry named \"\(name)\" already; give another by --name")
    }
    guard let last = entries.last, let first = entries.first else {
      lines[start] = lines[start].replacing("[]", with: "").trimmedEnd
      lines.insert(
        contentsOf: ["  - name: builtin"] + self.lines(indent: 2), at: start + 1)
      return lines.joined(separator: "\n")
    }
    let indent = lines[first].prefix { $0 == " " }.count
    guard lines[first].dropFirst(indent).first == "-" else {
      throw InputError("\"models\" is no list; put the entry into it by hand")
    }
    lines.insert(contentsOf: self.lines(indent: indent), at: last + 1)
    return lines.joined(separator: "\n")
  }

  /// The key that begins in the line's first column.
  private static func key(of line: String) -> Substring? {
    guard let colon = line.firstIndex(of: ":"), let first = line.first, first.isLetter else {
      return nil
    }
    return line[..<colon]
  }

  /// Of a line that says an entry's name.
  private static func name(of line: String) -> String? {
    var rest = line.drop { $0.isWhitespace || $0 == "-" || $0 == "{" }
    guard rest.hasPrefix("name:") else { return nil }
    rest = rest.dropFirst("name:".count)
    let value = withoutComment(rest.prefix { $0 != "," && $0 != "}" })
    return String(
      value.trimmingPrefix { $0 == "\"" || $0 == "'" }.trimmedEnd { $0 == "\"" || $0 == "'" })
  }

  private static func withoutComment(_ text: some StringProtocol) -> String {
    let end = text.firstRange(of: " #")?.lowerBound ?? text.endIndex
    return String(text[..<end].drop(while: \.isWhitespace)).trimmedEnd
  }

  /// As YAML reads it back, whatever is in it: JSON's strings are YAML's.
  private static func quoted(_ text: String) -> String {
    let isPlain =
      text.first?.isLetter == true || text.first == "/"
    let plain = text.allSatisfy {
      $0.isASCII && ($0.isLetter || $0.isNumber || "/._-".contains($0))
    }
    // Words that YAML takes for something else than a text.
    let words = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
    guard isPlain, plain, !words.contains(text.lowercased()) else {
      return (try? Printer.json(text, pretty: false)) ?? "\"\(text)\""
    }
    return text
  }
}

extension StringProtocol {
  fileprivate var trimmedEnd: String { trimmedEnd(\.isWhitespace) }

  fileprivate func trimmedEnd(_ isTrimmed: (Character) -> Bool) -> String {
    var end = endIndex
    while end > startIndex, isTrimmed(self[index(before: end)]) { end = index(before: end) }
    return String(self[..<end])
  }
}
