/// Columns aligned for a terminal: numbers to the right, texts to the left, two spaces between.
struct TextTable {
  enum Alignment {
    case left
    case right
  }

  private let columns: [(title: String, alignment: Alignment)]
  private var rows: [[String]] = []

  init(_ columns: [(title: String, alignment: Alignment)]) {
    self.columns = columns
  }

  /// As many cells as there are columns; line breaks in a cell become spaces.
  mutating func append(_ cells: [String]) {
    precondition(cells.count == columns.count, "a row needs \(columns.count) cells")
    rows.append(cells.map { String($0.map { $0.isNewline ? " " : $0 }) })
  }

  /// - Parameter widthMax: the last column is cut, with "…", so that no line is longer.
  func text(widthMax: Int? = nil) -> String {
    let all = [columns.map(\.title)] + rows
    var widths = columns.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    if let widthMax, let last = widths.indices.last {
      let others = widths.dropLast().reduce(0) { $0 + $1 + 2 }
      widths[last] = min(widths[last], max(8, widthMax - others))
    }
    return all.map { cells in
      zip(cells, zip(columns, widths)).map { cell, format in
        Self.pad(cell, to: format.1, format.0.alignment)
      }
      .joined(separator: "  ").trimmingSuffix(while: \.isWhitespace) + "\n"
    }
    .joined()
  }

  private static func pad(_ text: String, to width: Int, _ alignment: Alignment) -> String {
    if text.count > width { return text.prefix(width - 1) + "…" }
    let spaces = String(repeating: " ", count: width - text.count)
    return alignment == .left ? text + spaces : spaces + text
  }
}

extension String {
  fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> String {
    var end = endIndex
    while end > startIndex, predicate(self[index(before: end)]) { end = index(before: end) }
    return String(self[..<end])
  }
}
