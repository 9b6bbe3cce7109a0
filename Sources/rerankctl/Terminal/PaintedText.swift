/// Text with ANSI styles in it.
extension String {
  /// Its first columns; styles take none, and are ended where the text is cut.
  func cutPainted(toColumns columnsMax: Int) -> String {
    var text = ""
    var visible = ""
    var left = columnsMax
    var isStyle = false
    for character in self {
      if character == "\u{1B}" { isStyle = true }
      if isStyle {
        text += visible
        visible = ""
        text.append(character)
        if character == "m" { isStyle = false }
        continue
      }
      left -= String(character).columns
      guard left >= 0 else { return text + visible + "\u{1B}[0m" }
      visible.append(character)
    }
    return text + visible
  }
}
