import CEngineKernels
import Scoring

/// Checks the fields of a `config.json`, whose label messages begin with.
struct ConfigurationCheck {
  var label: String

  /// A well-formed field that this engine cannot follow.
  func unsupported(_ what: String) -> EmbeddedEngineError {
    EmbeddedEngineError(code: .unsupportedModel, message: "\(label): \(what)")
  }

  func malformed(_ what: String) -> EmbeddedEngineError {
    EmbeddedEngineError(code: .malformedFile, message: "\(label): \(what)")
  }

  /// A size that is there, positive and within reason, so that no product of sizes overflows.
  func size(_ field: String, _ value: Int?, atMost most: Int) throws -> Int {
    guard let value, (1...most).contains(value) else {
      throw malformed(
        "\(field) is \(value.map(String.init) ?? "missing"); 1 to \(most) works")
    }
    return value
  }

  func index(_ field: String, _ value: Int, below bound: Int) throws -> Int {
    guard (0..<bound).contains(value) else {
      throw malformed("\(field) is \(value); 0 to \(bound - 1) works")
    }
    return value
  }

  /// How many heads, when they share the hidden size evenly.
  func headCount(_ value: Int?, hiddenSize: Int) throws -> Int {
    let count = try size("num_attention_heads", value, atMost: 256)
    guard hiddenSize.isMultiple(of: count) else {
      throw malformed(
        "hidden_size \(hiddenSize) is no multiple of num_attention_heads \(count)")
    }
    return count
  }

  func epsilon(_ field: String, _ value: Double) throws -> Float {
    guard value >= 0, value < 1 else {
      throw unsupported("\(field) is \(value); 0 to 1 works")
    }
    return Float(value)
  }

  func theta(_ field: String, _ value: Double) throws -> Float {
    guard value >= 1, value <= 1e12 else {
      throw unsupported("\(field) is \(value); 1 to 1e12 works")
    }
    return Float(value)
  }

  func activation(_ field: String, _ value: String?) throws -> Activation {
    switch value ?? "gelu" {
    case "gelu": return .gelu
    case "gelu_new", "gelu_pytorch_tanh", "gelu_fast": return .geluTanh
    case "relu": return .relu
    case let other: throw unsupported("\(field) is \(other); gelu, gelu_new and relu work")
    }
  }
}

/// What a feed-forward layer or a head bends its values with.
enum Activation: String, Sendable {
  /// x·Φ(x), by erf.
  case gelu
  /// Its approximation by tanh.
  case geluTanh
  case relu

  var kernelActivation: engine_activation {
    switch self {
    case .gelu: .gelu
    case .geluTanh: .geluTanh
    case .relu: .relu
    }
  }
}
