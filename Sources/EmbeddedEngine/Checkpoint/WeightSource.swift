import CEngineKernels

/// A file of tensors: a folder's safetensors or the model inside the binary.
protocol WeightSource {
  /// How messages name the file.
  var label: String { get }
  var tensors: [String: StoredTensor] { get }

  /// The tensor's bytes: read into memory, or where they already lie.
  func bytes(of tensor: StoredTensor) throws -> TensorBytes
}

/// Where and how one tensor is stored. Every size in it is checked: the shape's product does not
/// overflow, and the bytes lie within the file.
struct StoredTensor: Equatable {
  enum ElementType: String {
    case float32 = "F32"
    case float16 = "F16"
    case bfloat16 = "BF16"
    /// Symmetric 8-bit integers with one scale a row; only in the built-in format.
    case int8Rows = "I8_ROWS"
    /// Carried by checkpoints (position ids), never computed with.
    case other = "other"

    var kernelType: engine_type? {
      switch self {
      case .float32: .float32
      case .float16: .float16
      case .bfloat16: .bfloat16
      case .int8Rows: .int8
      case .other: nil
      }
    }
  }

  var name: String
  var type: ElementType
  /// The type as the file spells it, for messages.
  var typeName: String
  var shape: [Int]
  /// Where the bytes start in the file.
  var offset: Int
  var byteCount: Int
  /// One a row for ``ElementType/int8Rows``, else empty.
  var rowScales: [Float] = []

  /// Some of the rows of a tensor of at least one dimension, all of which it must have.
  func rows(_ rows: Range<Int>) -> StoredTensor {
    var part = self
    let rowBytes = shape[0] == 0 ? 0 : byteCount / shape[0]
    part.shape[0] = rows.count
    part.offset += rows.lowerBound * rowBytes
    part.byteCount = rows.count * rowBytes
    if !rowScales.isEmpty { part.rowScales = Array(rowScales[rows]) }
    return part
  }

  /// nil when a size is negative or the product overflows.
  static func byteCount(_ shape: [Int], _ elementBytes: Int) -> Int? {
    var bytes = elementBytes
    for size in shape {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: size)
      guard size >= 0, !overflow else { return nil }
      bytes = product
    }
    return bytes
  }
}

/// Bytes that stay where they are for as long as this object lives.
///
/// Sendable, since the bytes are never written again after `init`.
final class TensorBytes: @unchecked Sendable {
  let bytes: UnsafeRawBufferPointer
  private let owned: UnsafeMutableRawBufferPointer?

  /// Memory that outlives the process's use of it, such as a constant of the binary.
  init(permanent bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
    self.owned = nil
  }

  /// Memory of its own, filled by the closure.
  init(count: Int, filling fill: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 64)
    do {
      try fill(memory)
    } catch {
      memory.deallocate()
      throw error
    }
    self.owned = memory
    self.bytes = UnsafeRawBufferPointer(memory)
  }

  deinit {
    owned?.deallocate()
  }
}
