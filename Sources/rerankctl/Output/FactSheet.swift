/// Names and values below one another.
struct FactSheet {
  private let facts: [(name: String, value: TextTable.Cell)]

  init(_ facts: [(name: String, value: String)]) {
    self.facts = facts.map { ($0.name, TextTable.Cell($0.value)) }
  }

  init(styled facts: [(name: String, value: TextTable.Cell)]) {
    self.facts = facts
  }

  var text: String { text(palette: .plain) }

  func text(palette: Palette) -> String {
    let painted = facts.map { ($0.name, palette.paint($0.value.text, $0.value.style)) }
    return Self.lines(painted, palette: palette).map { $0 + "\n" }.joined()
  }

  /// - Parameter facts: with values that are painted already.
  static func lines(_ facts: [(name: String, painted: String)], palette: Palette) -> [String] {
    let width = facts.map(\.name.columns).max() ?? 0
    return facts.map { name, painted in
      palette.paint(name, .faint) + String(repeating: " ", count: width - name.columns + 2)
        + painted
    }
  }
}
