/// Turns text into the token ids that a model was trained on.
///
/// A tokenizer is made of a model's Hugging Face folder (``load(folder:controlTokens:)``) or of a
/// WordPiece vocabulary (``init(wordPieceVocabulary:options:controlTokens:)``). Text goes through
/// the stages that tokenizer.json names. Tokens that were added to the vocabulary are found first
/// (`AddedTokens`); what lies between them is normalised (`Normalizer`), cut into words
/// (`PreTokenizer`), and each word is cut into tokens by the model: `WordPiece` (BERT), `Unigram`
/// (XLM-RoBERTa) or `BytePairEncoding` (ModernBERT, Qwen). A pair gets its control tokens by a
/// `PairTemplate`, a prompt by ``encodePrompt(_:)``. With BERT's own normaliser and pre-tokenizer,
/// normalising and cutting are one pass over the text's bytes (`BertWordScanner`).
///
/// Everything works on UTF-8 bytes and scalars; Unicode's tables come from the reference
/// implementation (PyPI `tokenizers`), and so results are its results for every text. What a folder
/// asks for and this module does not do is an error that names it. tokenizer.json's "truncation" and
/// "padding" are settings of a batch rather than of the text, and are not applied.
///
/// Text never becomes a control token: "[SEP]" in a document stays text, unless
/// ``ControlTokens/recognised`` is asked for. Control tokens are those that the tokenizer calls
/// special, and added ones of the form "<…>", such as Qwen's "<think>".
public struct Tokenizer: Sendable {
  /// What is done with the text of a control token, such as "[SEP]", within a text.
  public enum ControlTokens: Sendable {
    /// It is text like any other: what users write must not steer the model.
    case areText
    /// It becomes the control token, as with the reference implementation by default.
    case recognised
  }

  let pipeline: TokenPipeline
  let pairTemplate: PairTemplate
  let addedTokens: [AddedToken]
  /// Finds those of ``addedTokens`` that are looked for in a text as it comes.
  private let finder: AddedTokens
  /// What fills the rest of a batch's shorter rows; nil where the tokenizer has no such token.
  public let paddingID: Int32?
  /// nil where every text has tokens.
  public let unknownID: Int32?
  /// The largest token id + 1: at most as many rows as the model's embedding table has.
  public let vocabularyCount: Int

  init(
    pipeline: TokenPipeline, addedTokens: [AddedToken], controlTokens: ControlTokens,
    pairTemplate: PairTemplate, idBound: Int32, paddingID: Int32?, unknownID: Int32?
  ) {
    self.pipeline = pipeline
    self.addedTokens = addedTokens
    self.pairTemplate = pairTemplate
    self.paddingID = paddingID
    self.unknownID = unknownID
    vocabularyCount = Int(idBound)
    let raw = addedTokens.filter { !$0.isNormalized }
    finder = AddedTokens(raw, contents: raw.map(\.content), controlTokens)
  }

  /// Tokens of a pair that are neither the query's nor the document's: 3 with BERT.
  public var pairOverhead: Int { pairTemplate.overhead }

  /// The id of a token as the vocabulary spells it, such as "[CLS]", "▁yes" or "Ġyes".
  public func id(ofToken token: String) -> Int32? {
    let bytes = Array(token.utf8)
    return addedTokens.first { $0.content == bytes }?.id ?? pipeline.model.id(ofToken: bytes)
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
    let tokensMax = max(0, tokensMax)
    var ends = TokenEnds(countMax: tokensMax)
    run(text, into: &ends)
    guard ends.ends.count > tokensMax else { return text }
    // Where a cut falls within a character, it goes back to that character's beginning.
    var limit = Int.max
    for end in ends.ends.prefix(tokensMax).reversed() where end < limit {
      limit = end
      let cut = text.utf8.index(text.startIndex, offsetBy: end)
      guard String.Index(cut, within: text) != nil else {
        limit = characterStart(before: end, in: text) + 1
        continue
      }
      let beginning = String(text[..<cut])
      var count = TokenCount(countMax: tokensMax + 1)
      run(beginning, into: &count)
      if count.count <= tokensMax { return beginning }
    }
    return ""
  }

  /// Where the character begins that a byte within it belongs to.
  private func characterStart(before end: Int, in text: String) -> Int {
    var cut = text.utf8.index(text.startIndex, offsetBy: end)
    while String.Index(cut, within: text.unicodeScalars) == nil {
      cut = text.utf8.index(before: cut)
    }
    if String.Index(cut, within: text) == nil {
      let beginning = text[..<cut]
      cut = beginning.index(before: beginning.endIndex)
    }
    return text.utf8.distance(from: text.startIndex, to: cut)
  }

  private func run(_ text: String, into sink: inout some TokenSink) {
    var text = text
    text.withUTF8 { run($0, 0..<$0.count, into: &sink) }
  }

  /// Appends the tokens of a part of a text between control tokens.
  func run(
    _ utf8: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, into sink: inout some TokenSink
  ) {
    guard !finder.isEmpty else { return pipeline.encode(utf8, range, into: &sink) }
    finder.forEachPart(of: utf8, range) { part in
      switch part {
      case .text(let range): pipeline.encode(utf8, range, into: &sink)
      case .token(let id, let end): sink.append(id, end: end)
      }
      return !sink.isFull
    }
  }
}
