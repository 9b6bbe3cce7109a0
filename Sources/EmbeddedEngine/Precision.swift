import CEngineKernels

/// What the linear layers compute with. Residuals, norms, softmax and activations are fp32 in each.
public enum Precision: String, Sendable, CaseIterable {
  case fp32
  /// Weights and activations rounded to bfloat16, sums in fp32.
  case bf16
  /// Weights in 8 bits with a scale an output, activations in 8 bits with a scale a token.
  case int8

  var numbers: engine_type {
    switch self {
    case .fp32: .float32
    case .bf16: .bfloat16
    case .int8: .int8
    }
  }
}

/// Which precision a model is to be computed in.
///
/// Over 150 real pairs bf16 moves no logit of a BERT by more than 2% of the logits' standard deviation,
/// and so `auto` takes it wherever it is faster than fp32. int8 is faster still and moves some by a
/// quarter of it, at a correlation above 0.997; with the model in the binary by an eighth, above
/// 0.999. Whoever wants it says so.
public enum PrecisionSetting: String, Sendable, CaseIterable {
  /// bf16 where the machine has instructions for it, else fp32.
  case auto
  case fp32
  case bf16
  case int8

  func resolved(path: KernelPath) -> Precision {
    switch self {
    case .auto: path == .avx512BF16 ? .bf16 : .fp32
    case .fp32: .fp32
    case .bf16: .bf16
    case .int8: .int8
    }
  }
}
