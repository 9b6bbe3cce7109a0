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
    let width = facts.map(\.name.columns).max() ?? 0
    return facts.map { name, value in
      palette.paint(name, .faint) + String(repeating: " ", count: width - name.columns + 2)
        + palette.paint(value.text, value.style) + "\n"
    }
    .joined()
  }
}
