/// How a BERT whose pair is two segments, "[CLS] query [SEP]" and "[CLS] document [SEP]", differs
/// from one that reads it as one sequence.
///
/// The segments do not see one another until the end: positions begin anew with the document,
/// attention stays within a segment, all tokens are of type 0. A ``SegmentHead`` then compares the
/// last states of all tokens of both.
struct SegmentConfiguration: Equatable, Sendable {
  /// The lexical match's constants.
  struct Lexical: Equatable, Sendable {
    /// BM25's k₁.
    var saturation: Float
    /// BM25's b.
    var lengthShare: Float
    /// Tokens of an average document, its control tokens included.
    var lengthAverage: Float
    /// What every term that has a weight gets on top.
    var weightFloor: Float
  }

  /// Tokens of a document in a row whose states are averaged.
  var windowTokens: Int
  /// Tokens from the start of one window to the next one's.
  var windowStep: Int
  var lexical: Lexical

  /// - Throws: ``EmbeddedEngineError`` naming the field that is missing or out of range.
  init(_ file: SegmentConfigurationFile, check: ConfigurationCheck) throws {
    func number(_ field: String, _ value: Double?, _ range: ClosedRange<Double>) throws -> Float {
      guard let value, range.contains(value) else {
        throw check.malformed(
          "\(field) is \(value.map { "\($0)" } ?? "missing"); \(range.lowerBound) to "
            + "\(range.upperBound) works")
      }
      return Float(value)
    }
    windowTokens = try check.size("window_tokens", file.windowTokens, atMost: 32_768)
    windowStep = try check.size("window_step", file.windowStep, atMost: windowTokens)
    lexical = Lexical(
      saturation: try number("lexical_saturation", file.saturation, 0.001...1000),
      lengthShare: try number("lexical_length_share", file.lengthShare, 0...1),
      lengthAverage: try number("lexical_length_average", file.lengthAverage, 1...1e6),
      weightFloor: try number("lexical_weight_floor", file.weightFloor, 0...1))
  }
}

/// Its fields of a `config.json`, as the file spells them.
struct SegmentConfigurationFile: Decodable, Sendable {
  var windowTokens: Int?
  var windowStep: Int?
  var saturation: Double?
  var lengthShare: Double?
  var lengthAverage: Double?
  var weightFloor: Double?

  enum CodingKeys: String, CodingKey {
    case windowTokens = "window_tokens"
    case windowStep = "window_step"
    case saturation = "lexical_saturation"
    case lengthShare = "lexical_length_share"
    case lengthAverage = "lexical_length_average"
    case weightFloor = "lexical_weight_floor"
  }
}
