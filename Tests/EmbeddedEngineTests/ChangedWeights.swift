@testable import EmbeddedEngine

/// A checkpoint whose one tensor is zeros.
struct ZeroedTensor: WeightSource {
  var source: any WeightSource
  var name: String

  var label: String { source.label }
  var tensors: [String: StoredTensor] { source.tensors }

  func bytes(of tensor: StoredTensor) throws -> TensorBytes {
    guard tensor.name == name else { return try source.bytes(of: tensor) }
    return TensorBytes(count: tensor.byteCount) {
      $0.initializeMemory(as: UInt8.self, repeating: 0)
    }
  }
}

/// A checkpoint in which some tensors have the halves of their rows the other way round.
struct SwappedHalves: WeightSource {
  var source: any WeightSource
  /// Part of the tensors' names.
  var suffix: String

  var label: String { source.label }
  var tensors: [String: StoredTensor] { source.tensors }

  func bytes(of tensor: StoredTensor) throws -> TensorBytes {
    let stored = try source.bytes(of: tensor)
    guard tensor.name.contains(suffix) else { return stored }
    let half = stored.bytes.count / 2
    return TensorBytes(count: stored.bytes.count) { memory in
      memory[..<half].copyBytes(from: stored.bytes[half...])
      memory[half...].copyBytes(from: stored.bytes[..<half])
    }
  }
}
