/// How a WordPiece vocabulary is used, with the defaults of bert-base-uncased.
public struct WordPieceOptions: Sendable, Equatable {
  public var lowercase = true
  /// nil strips accents when ``lowercase`` is set.
  public var stripsAccents: Bool?
  /// Each CJK ideograph is a word.
  public var splitsChineseCharacters = true
  /// Removes control characters; all white space is a blank.
  public var cleansText = true
  public var continuationPrefix = "##"
  /// Words of more Unicode scalars become ``unknownToken``.
  public var wordCharactersMax = 100
  public var unknownToken = "[UNK]"
  public var classifierToken = "[CLS]"
  public var separatorToken = "[SEP]"
  public var paddingToken = "[PAD]"
  public var maskToken = "[MASK]"
  /// Pairs are "[CLS] query [SEP] [CLS] document [SEP]"; else the document has no [CLS] of its own.
  public var segmentsPairs = false

  public init() {}

  var normalization: BertNormalization {
    BertNormalization(
      cleansText: cleansText, splitsChineseCharacters: splitsChineseCharacters,
      stripsAccents: stripsAccents ?? lowercase, lowercases: lowercase)
  }
}

extension Tokenizer {
  /// A tokenizer of a vocabulary as vocab.txt has it: one token a line, whose number from 0 is the
  /// token's id.
  ///
  /// - Throws: ``TokenizationError`` when a control token is not in the vocabulary.
  public init(
    wordPieceVocabulary lines: [UInt8], options: WordPieceOptions = WordPieceOptions(),
    controlTokens: ControlTokens = .areText
  ) throws(TokenizationError) {
    let vocabulary = try Vocabulary(
      lines: lines, continuationPrefix: Array(options.continuationPrefix.utf8))
    let unknown = try vocabulary.controlToken(options.unknownToken)
    let classifier = try vocabulary.controlToken(options.classifierToken)
    let separator = try vocabulary.controlToken(options.separatorToken)
    let padding = try vocabulary.controlToken(options.paddingToken)
    var control = [unknown, classifier, separator, padding]
    if controlTokens == .recognised {
      control.append(try vocabulary.controlToken(options.maskToken))
    }
    let wordPiece = try WordPiece(
      vocabulary: vocabulary, normalization: options.normalization, unknownID: unknown.id,
      wordScalarsMax: options.wordCharactersMax)
    self.init(
      pipeline: TokenPipeline(
        model: .wordPiece(wordPiece), isBert: true, normalizers: [.bert(options.normalization)],
        preTokenizers: [.bert],
        addedTokens: AddedTokens([], contents: [], controlTokens)),
      addedTokens: control, controlTokens: controlTokens,
      pairTemplate: options.segmentsPairs
        ? .segments(cls: classifier.id, sep: separator.id)
        : .bert(cls: classifier.id, sep: separator.id),
      idBound: vocabulary.idBound,
      paddingID: padding.id, unknownID: unknown.id)
  }
}

extension Vocabulary {
  fileprivate func controlToken(_ token: String) throws(TokenizationError) -> AddedToken {
    let content = Array(token.utf8)
    guard let id = id(content) else {
      throw TokenizationError(
        code: .malformed, message: "the vocabulary has no token \"\(token)\"")
    }
    return AddedToken(content: content, id: id)
  }
}
