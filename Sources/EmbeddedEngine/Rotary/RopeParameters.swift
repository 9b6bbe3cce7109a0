/// Rotary positions as `config.json` states them: transformers 5 has one set in `rope_parameters`, or
/// one for each type of layer; transformers 4 has `rope_scaling` beside thetas of their own.
struct RopeParameters: Decodable, Sendable {
  struct OneType: Decodable, Sendable {
    var ropeType: String?
    /// The older spelling of ``ropeType``.
    var type: String?
    var theta: Double?

    enum CodingKeys: String, CodingKey {
      case ropeType = "rope_type"
      case type
      case theta = "rope_theta"
    }
  }

  var all: OneType
  var fullAttention: OneType?
  var slidingAttention: OneType?

  enum CodingKeys: String, CodingKey {
    case fullAttention = "full_attention"
    case slidingAttention = "sliding_attention"
  }

  init(from decoder: any Decoder) throws {
    all = try OneType(from: decoder)
    let container = try decoder.container(keyedBy: CodingKeys.self)
    fullAttention = try container.decodeIfPresent(OneType.self, forKey: .fullAttention)
    slidingAttention = try container.decodeIfPresent(OneType.self, forKey: .slidingAttention)
  }
}

extension ConfigurationCheck {
  /// Positions that are scaled in one way or another are not computed.
  func plainRotation(_ field: String, _ parameters: RopeParameters?) throws {
    guard let parameters else { return }
    let types = [parameters.all, parameters.fullAttention, parameters.slidingAttention]
      .compactMap { $0?.ropeType ?? $0?.type }
    if let scaled = types.first(where: { $0 != "default" }) {
      throw unsupported("\(field) asks for \(scaled) rotation; only default is computed")
    }
  }
}
