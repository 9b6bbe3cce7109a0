/// How a BERT whose pair is two segments, "[CLS] query [SEP]" and "[CLS] document [SEP]", differs
/// from one that reads it as one sequence.
///
/// Positions begin anew with the document. In the lower layers the segments do not see one another;
/// in the upper ones attention crosses, with a bias on the logits that are between segments, one a
/// head and a direction: far below 0 it keeps them apart, and at 0 it is a cross-encoder's plain
/// attention. All tokens are of type 0, and a ``SegmentHead`` reads the last states of all of them.
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

  /// Layers, from the first on, in which segments do not see one another.
  var localLayers: Int
  var lexical: Lexical

  init(_ file: SegmentConfigurationFile, layerCount: Int, check: ConfigurationCheck) throws {
    func number(_ field: String, _ value: Double, _ range: ClosedRange<Double>) throws -> Float {
      guard range.contains(value) else {
        throw check.malformed(
          "\(field) is \(value); \(range.lowerBound) to \(range.upperBound) works")
      }
      return Float(value)
    }
    localLayers = try check.index(
      "segment_local_layers", file.localLayers, below: layerCount + 1)
    lexical = Lexical(
      saturation: try number("lexical_saturation", file.saturation, 0.001...1000),
      lengthShare: try number("lexical_length_share", file.lengthShare, 0...1),
      lengthAverage: try number("lexical_length_average", file.lengthAverage, 1...1e6),
      weightFloor: try number("lexical_weight_floor", file.weightFloor, 0...1))
  }
}

/// Its fields of a `config.json`, as the file spells them.
struct SegmentConfigurationFile: Decodable, Sendable {
  var localLayers: Int
  var saturation: Double
  var lengthShare: Double
  var lengthAverage: Double
  var weightFloor: Double

  enum CodingKeys: String, CodingKey {
    case localLayers = "segment_local_layers"
    case saturation = "lexical_saturation"
    case lengthShare = "lexical_length_share"
    case lengthAverage = "lexical_length_average"
    case weightFloor = "lexical_weight_floor"
  }
}
