import CEngineKernels

/// What the linear layers compute with. Residuals, norms, softmax and activations are fp32 in each.
public enum Precision: String, Sendable, CaseIterable {
  case fp32
  /// Weights and activations rounded to bfloat16, sums in fp32.
  case bf16
  /// Weights in 8 bits with a scale for 64 of an output's, activations rounded to bfloat16, sums in
  /// fp32: little more than half of bf16's memory.
  case w8a16
  /// Weights in 8 bits with a scale an output, activations in 8 bits with a scale a token.
  case int8

  var numbers: engine_type {
    switch self {
    case .fp32: .float32
    case .bf16, .w8a16: .bfloat16
    case .int8: .int8
    }
  }

  var hasByteWeights: Bool { self == .w8a16 || self == .int8 }
}

/// Which precision a model is to be computed in.
///
/// Over 2,050 real pairs bf16 moves no logit of a BERT by more than 3% of the logits' standard
/// deviation on any path, and so `auto` takes it wherever it is faster than fp32. int8 is faster
/// still and moves some by a quarter of it, at a correlation above 0.998; with the model in the
/// binary by a sixth, above 0.999. Whoever wants it says so. Decoders are large, and what bounds
/// them is memory: `auto` halves their weights.
public enum PrecisionSetting: String, Sendable, CaseIterable {
  /// Where the machine has instructions for bfloat16, w8a16 for a decoder and bf16 for the others;
  /// else fp32.
  case auto
  case fp32
  case bf16
  case w8a16
  case int8

  /// - Parameter rounded: what the model's family takes where bfloat16 is fast.
  func resolved(path: KernelPath, rounded: Precision = .bf16) -> Precision {
    switch self {
    case .auto: path == .avx512BF16 ? rounded : .fp32
    case .fp32: .fp32
    case .bf16: .bf16
    case .w8a16: .w8a16
    case .int8: .int8
    }
  }
}
