/// What a text is on a terminal.
extension String {
  /// Without what a terminal would obey or hide: an error that a backend wrote, or an id that a
  /// producer chose, must not move the cursor. Line breaks and tabs become spaces.
  var printable: String {
    guard unicodeScalars.contains(where: { Self.isControl($0) }) else { return self }
    var text = ""
    for scalar in unicodeScalars {
      if !Self.isControl(scalar) {
        text.unicodeScalars.append(scalar)
      } else if scalar.properties.isWhitespace {
        // A line break of two characters becomes one space.
        if scalar != "\n" || text.last != " " { text += " " }
      } else {
        text += "\u{FFFD}"
      }
    }
    return text
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator, .surrogate: true
    // Bidirectional overrides and isolates turn what follows around.
    default: (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
    }
  }

  /// How many columns it takes.
  var columns: Int { reduce(0) { $0 + $1.columns } }

  /// Its beginning in at most so many columns, with "…" where something was cut off.
  func cut(toColumns columnsMax: Int) -> String {
    guard columns > columnsMax else { return self }
    guard columnsMax > 0 else { return "" }
    var text = ""
    var left = columnsMax - 1
    for character in self {
      left -= character.columns
      guard left >= 0 else { break }
      text.append(character)
    }
    return text + "…"
  }
}

extension Character {
  /// Two for East Asian wide characters and emoji, as Unicode's annex 11 has it; else one.
  fileprivate var columns: Int {
    guard let first = unicodeScalars.first, first.value >= 0x1100 else { return 1 }
    if first.properties.isEmojiPresentation || unicodeScalars.contains("\u{FE0F}") { return 2 }
    return Self.wide.contains { $0.contains(first.value) } ? 2 : 1
  }

  private static let wide: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x4DBF, 0x4E00...0xA4CF, 0xA960...0xA97C,
    0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6B, 0xFF01...0xFF60, 0xFFE0...0xFFE6,
    0x17000...0x1B2FF, 0x20000...0x3FFFD,
  ]
}
