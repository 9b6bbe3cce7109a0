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

/// A checkpoint in which the tensors of two names stand for one another.
struct RenamedTensors: WeightSource {
  var source: any WeightSource
  var swapped: [String]

  var label: String { source.label }
  var tensors: [String: StoredTensor] {
    source.tensors.reduce(into: [:]) { $0[renamed($1.key)] = $1.value }
  }

  func bytes(of tensor: StoredTensor) throws -> TensorBytes { try source.bytes(of: tensor) }

  private func renamed(_ name: String) -> String {
    for (from, to) in [(swapped[0], swapped[1]), (swapped[1], swapped[0])]
    where name.contains(from) {
      return name.replacing(from, with: to)
    }
    return name
  }
}

extension BertWeights {
  /// Changes the dense layer and the classifier's bias over a pair's first token.
  mutating func changeHead(_ change: (inout PackedLinear, inout FloatBuffer) -> Void) {
    guard case .firstToken(var pooler, let classifier, var bias) = head else { return }
    change(&pooler, &bias)
    head = .firstToken(pooler: pooler, classifier: classifier, bias: bias)
  }

  /// Changes the head that compares segments.
  mutating func changeSegments(_ change: (inout SegmentHead) -> Void) {
    guard case .segments(var segments) = head else { return }
    change(&segments)
    head = .segments(segments)
  }
}
