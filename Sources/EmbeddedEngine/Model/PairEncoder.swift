import Tokenization

/// How a query and a document become a model's tokens.
struct PairEncoder: Sendable {
  enum Template: Sendable, Equatable {
    /// The tokenizer's own, with control tokens around the two texts.
    case pair
    case prompt(PromptTemplate)
  }

  /// One side of many pairs.
  struct Query: Sendable {
    var text: String
    var instruction: String?
    /// Empty with a prompt, whose text is tokenized as a whole.
    var ids: [Int32]
  }

  let tokenizer: Tokenizer
  let template: Template

  /// Tokens of a pair beside the query's and the document's by themselves, from above.
  let overhead: Int

  /// Where a prompt's text meets a query or a document, tokens can be split otherwise than in
  /// either alone; so many are kept for that.
  static let seamTokens = 8

  /// - Throws: `TokenizationError` when the vocabulary lacks one of the prompt's control tokens.
  init(tokenizer: Tokenizer, template: Template) throws {
    self.tokenizer = tokenizer
    self.template = template
    switch template {
    case .pair:
      overhead = tokenizer.pairOverhead
    case .prompt(let prompt):
      let parts = prompt.parts(instruction: nil, query: "", document: "")
      overhead = try tokenizer.encodePrompt(parts).count + Self.seamTokens
    }
  }

  /// - Parameter instruction: what a prompt says instead of its own; the tokenizer's template has
  ///   no place for one.
  func query(_ text: String, instruction: String?) -> Query {
    switch template {
    case .pair: Query(text: text, instruction: nil, ids: tokenizer.encode(text))
    case .prompt: Query(text: text, instruction: instruction, ids: [])
    }
  }

  func pair(_ query: Query, document: String) throws -> EncodedPair {
    var pair = EncodedPair()
    switch template {
    case .pair:
      tokenizer.appendPair(query: query.ids, document: tokenizer.encode(document), to: &pair)
    case .prompt(let prompt):
      pair.append(
        ids: try tokenizer.encodePrompt(
          prompt.parts(
            instruction: query.instruction, query: query.text, document: document)))
    }
    return pair
  }
}

extension EncodedPair {
  /// The tokens of type 0, where types tell a query from a document.
  var querySegment: ArraySlice<Int32> { ids.prefix(tokenTypes.prefix { $0 == 0 }.count) }

  /// Tokens of a sequence without types.
  mutating func append(ids: some Collection<Int32>) {
    self.ids += ids
    tokenTypes += repeatElement(0, count: ids.count)
  }

  mutating func append(_ other: EncodedPair) {
    ids += other.ids
    tokenTypes += other.tokenTypes
  }
}
