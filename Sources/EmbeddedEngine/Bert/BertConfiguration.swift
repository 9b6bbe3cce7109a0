import Scoring

/// What `config.json` says of a BERT cross-encoder, checked.
struct BertConfiguration: Equatable, Sendable {
  enum Activation: String, Sendable {
    /// x·Φ(x), by erf.
    case gelu
    /// Its approximation by tanh.
    case geluTanh
    case relu
  }

  var hiddenSize: Int
  var layerCount: Int
  var headCount: Int
  var intermediateSize: Int
  var vocabularySize: Int
  var positionCount: Int
  var tokenTypeCount: Int
  var activation: Activation
  var normEpsilon: Float
  var scoreKind: ScoreKind

  var headSize: Int { hiddenSize / headCount }

  /// Checks the file's content.
  ///
  /// - Throws: ``EmbeddedEngineError`` naming the field that this engine cannot follow.
  init(_ file: BertConfigurationFile, label: String = "config.json") throws {
    func unsupported(_ what: String) -> EmbeddedEngineError {
      EmbeddedEngineError(code: .unsupportedModel, message: "\(label): \(what)")
    }
    func size(_ field: String, _ value: Int?, atMost most: Int) throws -> Int {
      guard let value, (1...most).contains(value) else {
        throw EmbeddedEngineError(
          code: .malformedFile,
          message: "\(label): \(field) is \(value.map(String.init) ?? "missing"); 1 to "
            + "\(most) works")
      }
      return value
    }

    let architectures = file.architectures ?? []
    guard architectures == ["BertForSequenceClassification"] else {
      let found = architectures.isEmpty ? "no architecture" : architectures.joined(separator: ", ")
      throw unsupported("names \(found); this engine computes BertForSequenceClassification")
    }
    let labelCount = file.numLabels ?? file.labelNames?.count ?? 2
    guard labelCount == 1 else {
      throw unsupported(
        "the model has \(labelCount) labels; a reranker has one (num_labels 1)")
    }
    let positions = file.positionEmbeddingType ?? "absolute"
    guard positions == "absolute" else {
      throw unsupported("position_embedding_type is \(positions); only absolute is computed")
    }
    guard file.isDecoder != true else { throw unsupported("is_decoder is set; encoders work") }

    hiddenSize = try size("hidden_size", file.hiddenSize, atMost: 8192)
    layerCount = try size("num_hidden_layers", file.layerCount, atMost: 128)
    headCount = try size("num_attention_heads", file.headCount, atMost: 256)
    intermediateSize = try size("intermediate_size", file.intermediateSize, atMost: 65_536)
    vocabularySize = try size("vocab_size", file.vocabularySize, atMost: 2_000_000)
    positionCount = try size("max_position_embeddings", file.positionCount, atMost: 32_768)
    tokenTypeCount = try size("type_vocab_size", file.tokenTypeCount ?? 2, atMost: 16)
    guard hiddenSize.isMultiple(of: headCount) else {
      throw EmbeddedEngineError(
        code: .malformedFile,
        message: "\(label): hidden_size \(hiddenSize) is no multiple of num_attention_heads "
          + "\(headCount)")
    }
    guard tokenTypeCount >= 2, positionCount >= 4 else {
      throw unsupported("a pair needs 2 token types and 4 positions at least")
    }
    switch file.hiddenAct ?? "gelu" {
    case "gelu": activation = .gelu
    case "gelu_new", "gelu_pytorch_tanh", "gelu_fast": activation = .geluTanh
    case "relu": activation = .relu
    case let other: throw unsupported("hidden_act is \(other); gelu, gelu_new and relu work")
    }
    normEpsilon = Float(file.normEpsilon ?? 1e-12)
    guard normEpsilon >= 0, normEpsilon < 1 else {
      throw unsupported("layer_norm_eps is \(normEpsilon); 0 to 1 works")
    }
    let scoreActivation = file.sentenceTransformers?.activation ?? file.oldScoreActivation
    switch scoreActivation?.split(separator: ".").last.map(String.init) ?? "Sigmoid" {
    case "Sigmoid": scoreKind = .sigmoid
    case "Identity": scoreKind = .raw
    case let other:
      throw unsupported("the score's activation is \(other); Sigmoid and Identity work")
    }
  }
}
