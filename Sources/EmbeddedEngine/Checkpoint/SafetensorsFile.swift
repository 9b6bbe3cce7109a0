import Foundation

/// A safetensors file: 8 bytes with the header's length, the header as JSON, then the tensors' bytes.
///
/// The file is read, not mapped: a mapped file that someone truncates kills the process. Its header is
/// checked whole before a tensor is read, since it may come from anywhere: no shape overflows, and
/// the tensors cover the data from end to end without a hole or an overlap.
struct SafetensorsFile: WeightSource {
  /// A BERT of 48 layers has a header of 100 kB.
  static let headerBytesMax = 16 << 20

  let label: String
  let tensors: [String: StoredTensor]
  private let url: URL

  init(url: URL) throws {
    self.url = url
    label = url.lastPathComponent
    let file = try Self.open(url)
    defer { try? file.close() }
    let size = try Self.reading(url) { try Int(clamping: file.seekToEnd()) }
    guard size >= 8 else {
      throw Self.malformed(label, "is \(size) bytes long, shorter than the length of its header")
    }
    let lengthBytes = try Self.read(file, url: url, offset: 0, count: 8)
    let length = lengthBytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(Self.headerBytesMax) else {
      throw Self.malformed(
        label, "states a header of \(length) bytes; \(Self.headerBytesMax) are allowed")
    }
    guard Int(length) <= size - 8 else {
      throw Self.malformed(
        label, "states a header of \(length) bytes and is itself only \(size) bytes long")
    }
    let header = try Self.read(file, url: url, offset: 8, count: Int(length))
    tensors = try Self.tensors(header: header, label: label, dataStart: 8 + Int(length), size: size)
  }

  func bytes(of tensor: StoredTensor) throws -> TensorBytes {
    let file = try Self.open(url)
    defer { try? file.close() }
    return try TensorBytes(count: tensor.byteCount) { memory in
      var done = 0
      while done < memory.count {
        // Bounded, so that the copy made on the way stays small.
        let count = min(memory.count - done, 1 << 20)
        let part = try Self.read(file, url: url, offset: tensor.offset + done, count: count)
        memory[done..<done + count].copyBytes(from: part)
        done += count
      }
    }
  }

  /// The header's entries as tensors, all of it checked.
  static func tensors(
    header: Data, label: String, dataStart: Int, size: Int
  ) throws -> [String: StoredTensor] {
    let entries: [String: HeaderEntry]
    do {
      entries = try JSONDecoder().decode([String: HeaderEntry].self, from: header)
    } catch {
      throw EmbeddedEngineError(
        code: .malformedFile, message: "\(label): the header is not safetensors' JSON",
        underlying: error)
    }
    var tensors: [String: StoredTensor] = [:]
    for case (let name, .tensor(let entry)) in entries {
      tensors[name] = try entry.tensor(named: name, label: label, dataStart: dataStart)
    }
    var end = dataStart
    let inOrder = tensors.values.sorted {
      ($0.offset, $0.byteCount) < ($1.offset, $1.byteCount)
    }
    for tensor in inOrder {
      guard tensor.offset == end else {
        let what = tensor.offset < end ? "overlaps the tensor before it" : "leaves a hole before it"
        throw malformed(label, "tensor \(tensor.name) \(what)")
      }
      end += tensor.byteCount
      guard end <= size else {
        throw malformed(label, "tensor \(tensor.name) ends beyond the file: is the file cut short?")
      }
    }
    guard end == size else {
      throw malformed(label, "has \(size - end) bytes after its last tensor")
    }
    return tensors
  }

  fileprivate static func malformed(_ label: String, _ message: String) -> EmbeddedEngineError {
    EmbeddedEngineError(code: .malformedFile, message: "\(label) \(message)")
  }

  private static func open(_ url: URL) throws -> FileHandle {
    try reading(url) { try FileHandle(forReadingFrom: url) }
  }

  private static func read(
    _ file: FileHandle, url: URL, offset: Int, count: Int
  ) throws -> Data {
    let data = try reading(url) {
      try file.seek(toOffset: UInt64(offset))
      return try file.read(upToCount: count) ?? Data()
    }
    guard data.count == count else {
      throw malformed(url.lastPathComponent, "ended early while it was read")
    }
    return data
  }

  private static func reading<R>(_ url: URL, _ body: () throws -> R) throws -> R {
    do {
      return try body()
    } catch {
      throw EmbeddedEngineError(
        code: .unreadableFile, message: "\(url.path) cannot be read", underlying: error)
    }
  }
}

/// One entry of the header; `__metadata__` is a map of strings and of no interest here.
private enum HeaderEntry: Decodable {
  case tensor(TensorEntry)
  case metadata

  init(from decoder: any Decoder) throws {
    if decoder.codingPath.last?.stringValue == "__metadata__" {
      self = .metadata
    } else {
      self = .tensor(try TensorEntry(from: decoder))
    }
  }
}

private struct TensorEntry: Decodable {
  var dtype: String
  var shape: [Int]
  var dataOffsets: [Int]

  enum CodingKeys: String, CodingKey {
    case dtype, shape
    case dataOffsets = "data_offsets"
  }

  func tensor(named name: String, label: String, dataStart: Int) throws -> StoredTensor {
    guard let elementBytes = Self.elementBytes[dtype] else {
      throw SafetensorsFile.malformed(label, "tensor \(name) has the unknown type \(dtype)")
    }
    guard let bytes = StoredTensor.byteCount(shape, elementBytes) else {
      throw SafetensorsFile.malformed(label, "tensor \(name) has the impossible shape \(shape)")
    }
    guard dataOffsets.count == 2, dataOffsets[0] >= 0, dataOffsets[1] >= dataOffsets[0],
      dataOffsets[1] <= Int.max - dataStart
    else {
      throw SafetensorsFile.malformed(
        label, "tensor \(name) has the impossible offsets \(dataOffsets)")
    }
    guard dataOffsets[1] - dataOffsets[0] == bytes else {
      throw SafetensorsFile.malformed(
        label,
        "tensor \(name) of shape \(shape) and type \(dtype) takes \(bytes) bytes; its "
          + "offsets span \(dataOffsets[1] - dataOffsets[0])")
    }
    return StoredTensor(
      name: name, type: StoredTensor.ElementType(rawValue: dtype) ?? .other, typeName: dtype,
      shape: shape, offset: dataStart + dataOffsets[0], byteCount: bytes)
  }

  private static let elementBytes = [
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "I32": 4,
    "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
  ]
}
