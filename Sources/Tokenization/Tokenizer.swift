/// Turns text into the token ids that a model was trained on.
///
/// A tokenizer is made of a model's Hugging Face folder (``load(folder:controlTokens:)``) or of a
/// WordPiece vocabulary (``init(wordPieceVocabulary:options:)``). Text goes through four stages, as
/// tokenizer.json names them: the normaliser (lower-casing, accents), the pre-tokenizer (words), the
/// model (pieces of words) and the post-processor (the template of a pair). Here the first two run
/// as one pass over the text's bytes (`BertWordScanner`), the third on each word as it comes
/// (`WordPiece`), and the last is `PairTemplate`. Another kind of model is another case of `Model`.
///
/// What a folder asks for and this module does not do is an error that names it; the results are
/// the reference implementation's (PyPI `tokenizers`) for every text. tokenizer.json's "truncation"
/// and "padding" are settings of a batch rather than of the text, and are not applied.
///
/// Text never becomes a control token: "[SEP]" in a document stays four words of text, unless
/// ``ControlTokens/recognised`` is asked for.
public struct Tokenizer: Sendable {
  /// What is done with the text of a control token, such as "[SEP]", within a text.
  public enum ControlTokens: Sendable {
    /// It is text like any other: what users write must not steer the model.
    case areText
    /// It becomes the control token, as with the reference implementation by default.
    case recognised
  }

  enum Model: Sendable {
    case wordPiece(WordPiece)
  }

  struct ControlToken: Sendable, Equatable {
    var content: [UInt8]
    var id: Int32
  }

  let model: Model
  let pairTemplate: PairTemplate
  /// Those that text is searched for; none with ``ControlTokens/areText``.
  let recognisedTokens: [ControlToken]
  /// What fills the rest of a batch's shorter rows.
  public let paddingID: Int32
  public let unknownID: Int32

  init(
    model: Model, pairTemplate: PairTemplate, recognisedTokens: [ControlToken], paddingID: Int32,
    unknownID: Int32
  ) {
    self.model = model
    self.pairTemplate = pairTemplate
    self.recognisedTokens = recognisedTokens
    self.paddingID = paddingID
    self.unknownID = unknownID
  }

  /// The largest token id + 1: at most as many rows as the model's embedding table has.
  public var vocabularyCount: Int {
    switch model {
    case .wordPiece(let model): Int(model.vocabulary.idBound)
    }
  }

  /// Tokens of a pair that are neither the query's nor the document's: 3 with BERT.
  public var pairOverhead: Int { pairTemplate.overhead }

  /// The id of a token as the vocabulary spells it, such as "[CLS]".
  public func id(ofToken token: String) -> Int32? {
    switch model {
    case .wordPiece(let model): model.vocabulary.id(Array(token.utf8))
    }
  }

  /// The tokens of a text by itself, without control tokens around it.
  public func encode(_ text: String) -> [Int32] {
    var list = TokenList(ids: [])
    list.ids.reserveCapacity(text.utf8.count / 4 + 4)
    run(text, into: &list)
    return list.ids
  }

  /// How many tokens ``encode(_:)`` gives.
  public func count(_ text: String) -> Int {
    var count = TokenCount(countMax: .max)
    run(text, into: &count)
    return count.count
  }

  /// A query and a document in the model's template.
  public func encodePair(query: String, document: String) -> EncodedPair {
    var pair = EncodedPair()
    appendPair(query: encode(query), document: encode(document), to: &pair)
    return pair
  }

  /// Appends a pair whose sides are encoded already, so that one encoded query serves many
  /// documents.
  public func appendPair(query: [Int32], document: [Int32], to pairs: inout EncodedPair) {
    pairTemplate.append(query: query, document: document, to: &pairs)
  }

  /// The longest beginning of the text, cut between characters, that has at most so many tokens.
  ///
  /// Where the cut falls between two tokens, which is nearly always, the beginning's tokens are the
  /// text's first ones.
  public func truncate(_ text: String, toTokens tokensMax: Int) -> String {
    var ends = TokenEnds(countMax: max(0, tokensMax))
    run(text, into: &ends)
    guard ends.ends.count > tokensMax else { return text }
    for end in ends.ends.prefix(tokensMax).reversed() {
      let cut = text.utf8.index(text.startIndex, offsetBy: end)
      guard String.Index(cut, within: text) != nil else { continue }
      let beginning = String(text[..<cut])
      var count = TokenCount(countMax: tokensMax + 1)
      run(beginning, into: &count)
      if count.count <= tokensMax { return beginning }
    }
    return ""
  }

  private func run(_ text: String, into sink: inout some TokenSink) {
    var text = text
    text.withUTF8 { utf8 in
      var start = 0
      if !recognisedTokens.isEmpty {
        var position = 0
        while position < utf8.count, !sink.isFull {
          if let token = controlToken(in: utf8, at: position) {
            encode(utf8, start..<position, into: &sink)
            position += token.content.count
            start = position
            sink.append(token.id, end: position)
          } else {
            position += 1
          }
        }
      }
      encode(utf8, start..<utf8.count, into: &sink)
    }
  }

  private func encode(
    _ utf8: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, into sink: inout some TokenSink
  ) {
    guard !range.isEmpty else { return }
    switch model {
    case .wordPiece(let model): model.encode(utf8, range, into: &sink)
    }
  }

  /// The longest control token that the text has at a position.
  private func controlToken(
    in utf8: UnsafeBufferPointer<UInt8>, at position: Int
  ) -> ControlToken? {
    var longest: ControlToken?
    for token in recognisedTokens
    where token.content.count > longest?.content.count ?? 0
      && utf8[position...].starts(with: token.content)
    {
      longest = token
    }
    return longest
  }
}
