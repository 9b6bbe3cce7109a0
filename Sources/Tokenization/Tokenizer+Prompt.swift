/// A part of a prompt: see ``Tokenizer/encodePrompt(_:)``.
public enum PromptPart: Sendable, Equatable {
  /// A control token as the vocabulary spells it, such as "<|im_start|>".
  case control(String)
  case text(String)
}

extension Tokenizer {
  /// The tokens of a prompt whose control tokens are placed here, while text stays text.
  ///
  /// All text between two control tokens is tokenized as one, however many parts it comes in: a
  /// query that is put into a template has the tokens that it would have in a template written
  /// around it, and no others. So a prefix that prompts share is to be looked for among the tokens
  /// rather than made of parts. White space beside a control token is taken along where the
  /// tokenizer says so.
  ///
  /// - Throws: ``TokenizationError`` for a control token that the vocabulary lacks.
  public func encodePrompt(_ parts: [PromptPart]) throws(TokenizationError) -> [Int32] {
    var source: [UInt8] = []
    var controls: [(place: Range<Int>, token: AddedToken)] = []
    for part in parts {
      let start = source.count
      switch part {
      case .text(let text): source.append(contentsOf: text.utf8)
      case .control(let name):
        source.append(contentsOf: name.utf8)
        controls.append((start..<source.count, try controlToken(name)))
      }
    }
    var list = TokenList(ids: [])
    source.withUnsafeBufferPointer { source in
      var start = 0
      for (index, control) in controls.enumerated() {
        var end = control.place.lowerBound
        if control.token.stripsLeft { end = AddedTokens.spaceStart(source, start, end) }
        run(source, start..<end, into: &list)
        list.append(control.token.id, end: control.place.upperBound)
        start = control.place.upperBound
        if control.token.stripsRight {
          let isLast = index + 1 == controls.count
          let bodyEnd = isLast ? source.count : controls[index + 1].place.lowerBound
          start = AddedTokens.spaceEnd(UnsafeBufferPointer(rebasing: source[..<bodyEnd]), start)
        }
      }
      run(source, start..<source.count, into: &list)
    }
    return list.ids
  }

  private func controlToken(_ name: String) throws(TokenizationError) -> AddedToken {
    let content = Array(name.utf8)
    if let token = addedTokens.first(where: { $0.content == content }) { return token }
    guard let id = id(ofToken: name) else {
      throw .malformed("the vocabulary has no token \"\(name)\"")
    }
    return AddedToken(content: content, id: id)
  }
}
