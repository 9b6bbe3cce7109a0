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
public enum PrecisionSetting: String, Sendable, CaseIterable {
  /// The fastest whose scores are known to be close to those of fp32: int8 for the families that were
  /// measured so, where the machine multiplies 8-bit integers faster than floats; else bf16 where
  /// the machine has instructions for it; else fp32.
  case auto
  case fp32
  case bf16
  case int8

  func resolved(isCloseInInt8: Bool, path: KernelPath) -> Precision {
    switch self {
    case .fp32: .fp32
    case .bf16: .bf16
    case .int8: .int8
    case .auto:
      if isCloseInInt8, path != .portable {
        .int8
      } else if path == .avx512BF16 {
        .bf16
      } else {
        .fp32
      }
    }
  }
}
