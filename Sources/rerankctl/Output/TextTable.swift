/// Columns aligned for a terminal: numbers to the right, texts to the left, two spaces between.
struct TextTable {
  enum Alignment {
    case left
    case right
  }

  struct Cell: ExpressibleByStringInterpolation {
    var text: String
    var style: TextStyle?

    init(_ text: String, _ style: TextStyle? = nil) {
      self.text = text.printable
      self.style = style
    }

    init(stringLiteral text: String) {
      self.init(text)
    }
  }

  private let columns: [(title: String, alignment: Alignment)]
  private var rows: [[Cell]] = []

  init(_ columns: [(title: String, alignment: Alignment)]) {
    self.columns = columns
  }

  /// As many cells as there are columns.
  mutating func append(_ cells: [Cell]) {
    precondition(cells.count == columns.count, "a row needs \(columns.count) cells")
    rows.append(cells)
  }

  mutating func append(_ cells: [String]) {
    append(cells.map { Cell($0) })
  }

  func text(widthMax: Int? = nil, palette: Palette = .plain) -> String {
    lines(widthMax: widthMax, palette: palette).map { $0 + "\n" }.joined()
  }

  /// The titles, and a line for each row.
  ///
  /// - Parameter widthMax: the last column is cut, with "…", so that no line is longer.
  func lines(widthMax: Int? = nil, palette: Palette = .plain) -> [String] {
    let all = [columns.map { Cell($0.title, .heading) }] + rows
    var widths = columns.indices.map { column in all.map { $0[column].text.columns }.max() ?? 0 }
    if let widthMax, let last = widths.indices.last {
      let others = widths.dropLast().reduce(0) { $0 + $1 + 2 }
      widths[last] = min(widths[last], max(8, widthMax - others))
    }
    return all.map { cells in
      // Spaces at a line's end are left out: they would wrap on a narrow terminal.
      let end = cells.lastIndex { !$0.text.isEmpty } ?? 0
      return cells.indices.prefix(through: end).map { column in
        let text = cells[column].text.cut(toColumns: widths[column])
        let space = String(repeating: " ", count: widths[column] - text.columns)
        let painted = palette.paint(text, cells[column].style)
        if columns[column].alignment == .right { return space + painted }
        return column == end ? painted : painted + space
      }
      .joined(separator: "  ")
    }
  }
}
