import CBuiltInModel
import Foundation

/// The model inside the binary, in the format that `CBuiltInModel/Training/pack.py`
/// describes and writes. Its tensors are used where they lie.
struct BuiltInModelFile: WeightSource {
  struct Manifest: Decodable, Sendable {
    struct Tokenizer: Decodable, Sendable {
      /// The part that holds it.
      var vocabulary: String
      var lowercase: Bool
      /// Whether a pair is "[CLS] query [SEP] [CLS] document [SEP]"; else the document has no [CLS].
      var segmentsPairs: Bool?
    }

    struct Part: Decodable, Sendable {
      var type: String
      var shape: [Int]
      var offset: Int
      var bytes: Int
      /// The part with the rows' scales.
      var scales: String?
    }

    /// As in a Hugging Face config.json.
    var config: NetworkConfiguration
    var tokenizer: Tokenizer
    var golden: [ModelManifest.GoldenPair]
    var parts: [String: Part]
  }

  static let magic = Array("RRKMODEL".utf8)
  static let version: UInt32 = 1

  let label: String
  let manifest: Manifest
  let vocabulary: [UInt8]
  let tensors: [String: StoredTensor]
  private let file: UnsafeRawBufferPointer

  /// The one that the binary was built with.
  static func embedded() throws -> BuiltInModelFile {
    try BuiltInModelFile(permanent: embeddedBytes, label: "the built-in model")
  }

  static var embeddedBytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: built_in_model_bytes(), count: built_in_model_byte_count())
  }

  /// - Parameter file: bytes that outlive every use of this value.
  init(permanent file: UnsafeRawBufferPointer, label: String) throws {
    func malformed(_ what: String, _ underlying: (any Error)? = nil) -> EmbeddedEngineError {
      EmbeddedEngineError(
        code: .malformedFile, message: "\(label) \(what)", underlying: underlying)
    }
    guard file.count >= 16, file.prefix(8).elementsEqual(Self.magic) else {
      throw malformed("does not begin with RRKMODEL")
    }
    let version = UInt32(littleEndian: file.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
    guard version == Self.version else {
      throw malformed("has version \(version); this build reads \(Self.version)")
    }
    let length = Int(
      UInt32(littleEndian: file.loadUnaligned(fromByteOffset: 12, as: UInt32.self)))
    guard length <= file.count - 16 else { throw malformed("is cut short in its manifest") }
    let json = Data(file[16..<16 + length])
    let manifest: Manifest
    do {
      manifest = try JSONDecoder().decode(Manifest.self, from: json)
    } catch {
      throw malformed("has a manifest that cannot be understood", error)
    }

    func bytes(_ name: String) throws -> UnsafeRawBufferPointer {
      guard let part = manifest.parts[name] else { throw malformed("lacks the part \(name)") }
      guard part.bytes >= 0, part.offset >= 16 + length, part.offset <= file.count,
        part.bytes <= file.count - part.offset
      else { throw malformed("is cut short: the part \(name) is not wholly in it") }
      return UnsafeRawBufferPointer(rebasing: file[part.offset..<part.offset + part.bytes])
    }

    var tensors: [String: StoredTensor] = [:]
    let scaleParts = Set(manifest.parts.values.compactMap(\.scales))
    for (name, part) in manifest.parts where part.type != "BYTES" && !scaleParts.contains(name) {
      guard let type = StoredTensor.ElementType(rawValue: part.type) else {
        throw malformed("has the part \(name) of the unknown type \(part.type)")
      }
      let elementBytes =
        switch type {
        case .int8Rows: 1
        case .float16, .bfloat16: 2
        case .float32, .other: 4
        }
      guard try bytes(name).count == StoredTensor.byteCount(part.shape, elementBytes) else {
        throw malformed("has the part \(name) in a size that is not its shape's")
      }
      var tensor = StoredTensor(
        name: name, type: type, typeName: part.type, shape: part.shape, offset: part.offset,
        byteCount: part.bytes)
      if type == .int8Rows {
        let scales = try bytes(part.scales ?? "\(name).scales")
        guard part.shape.count == 2, scales.count == part.shape[0] * 4 else {
          throw malformed("has \(scales.count / 4) scales for the part \(name)")
        }
        tensor.rowScales = (0..<part.shape[0]).map {
          Float(
            bitPattern: UInt32(
              littleEndian: scales.loadUnaligned(
                fromByteOffset: 4 * $0, as: UInt32.self)))
        }
      }
      tensors[name] = tensor
    }
    self.tensors = tensors
    vocabulary = Array(try bytes(manifest.tokenizer.vocabulary))
    self.manifest = manifest
    self.label = label
    self.file = file
  }

  func bytes(of tensor: StoredTensor) -> TensorBytes {
    TensorBytes(
      permanent: UnsafeRawBufferPointer(
        rebasing: file[tensor.offset..<tensor.offset + tensor.byteCount]))
  }
}
