/// A `config.json`, read as the architecture that it names says.
enum NetworkConfiguration: Decodable, Sendable {
  case bert(BertConfigurationFile)

  init(from decoder: any Decoder) throws {
    // A case for each architecture comes here; what none takes is refused by BERT's check, which
    // names what it found.
    self = .bert(try BertConfigurationFile(from: decoder))
  }

  /// The network that computes such a model.
  ///
  /// - Parameters:
  ///   - label: how messages name the configuration.
  ///   - source: opens the weights; called once the configuration is found good.
  /// - Throws: ``EmbeddedEngineError`` naming the field or tensor that cannot be used.
  func network(
    label: String, weights source: () throws -> any WeightSource, precision: Precision,
    path: KernelPath
  ) throws -> any CrossEncoderNetwork {
    switch self {
    case .bert(let file):
      let configuration = try BertConfiguration(file, label: label)
      let weights = try BertWeights(
        from: source(), configuration: configuration, precision: precision, path: path)
      return BertNetwork(
        configuration: configuration, weights: weights, precision: precision, path: path)
    }
  }
}
