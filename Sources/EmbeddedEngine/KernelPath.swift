import CEngineKernels

/// Which of the machine's instruction sets the kernels use.
///
/// Scores agree to within rounding over paths, and bit for bit within one.
public enum KernelPath: String, Sendable, CaseIterable {
  /// Whatever the compiler's default target has; runs on every 64-bit machine.
  case portable
  case avx2
  case avx512
  /// With the dot product of bytes (VNNI), which int8 uses.
  case avx512VNNI = "avx512-vnni"
  /// With that and the dot product of bfloat16, which bf16 uses, and attention in int8 too.
  case avx512BF16 = "avx512-bf16"

  /// The fastest path that this machine can run.
  public static var best: KernelPath {
    switch engine_path_best() {
    case .portable: .portable
    case .avx2: .avx2
    case .avx512: .avx512
    case .avx512VNNI: .avx512VNNI
    case .avx512BF16: .avx512BF16
    }
  }

  /// Whether this machine can run the path.
  public var isSupported: Bool { engine_path_supported(enginePath) }

  var enginePath: engine_path {
    switch self {
    case .portable: .portable
    case .avx2: .avx2
    case .avx512: .avx512
    case .avx512VNNI: .avx512VNNI
    case .avx512BF16: .avx512BF16
    }
  }
}
