import Foundation
import TestSupport
import Testing

@testable import EmbeddedEngine

@Suite struct SafetensorsFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder("safetensors") }

  @Test func tensorsOfEveryFloatTypeAreRead() throws {
    let header = """
      {"__metadata__": {"format": "pt"},
       "a": {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]},
       "b": {"dtype": "F16", "shape": [1], "data_offsets": [8, 10]},
       "c": {"dtype": "BF16", "shape": [1], "data_offsets": [10, 12]}}
      """
    let data: [UInt8] = [0, 0, 0xC0, 0x3F, 0, 0, 0x10, 0xC0, 0, 0x3C, 0x80, 0x3F]
    let file = try SafetensorsFile(url: write(header, data))
    #expect(file.tensors.count == 3)
    var loader = TensorLoader(source: file)
    let a = try loader.floats(["a"], shape: [2, 1])
    #expect([a.start[0], a.start[1]] == [1.5, -2.25])
    let others = try loader.floats(["b", "c"], shape: [1])
    #expect([others.start[0], others.start[1]] == [1, 1])
    #expect(loader.remaining.isEmpty)
  }

  /// A header, bytes of data, and what the error must say.
  static let malformed: [(header: String, dataBytes: Int, expected: String)] = [
    ("[]", 0, "not safetensors' JSON"),
    ("{", 0, "not safetensors' JSON"),
    (#"{"a": {"dtype": "F32"}}"#, 0, "not safetensors' JSON"),
    (tensor("F12", "[1]", 0, 4), 4, "tensor a has the unknown type F12"),
    (tensor("other", "[1]", 0, 4), 4, "tensor a has the unknown type other"),
    (tensor("I8_ROWS", "[1]", 0, 1), 1, "tensor a has the unknown type I8_ROWS"),
    (tensor("F32", "[-1]", 0, 4), 4, "tensor a has the impossible shape [-1]"),
    (
      tensor("F32", "[4611686018427387904, 4]", 0, 4), 4,
      "tensor a has the impossible shape"
    ),
    (tensor("F32", "[1]", 4, 0), 4, "tensor a has the impossible offsets [4, 0]"),
    (tensor("F32", "[1]", -4, 0), 4, "tensor a has the impossible offsets [-4, 0]"),
    (tensor("F32", "[1]", 0, Int.max), 4, "tensor a has the impossible offsets"),
    (tensor("F32", "[2]", 0, 4), 4, "tensor a of shape [2] and type F32 takes 8 bytes"),
    (tensor("F32", "[1]", 4, 8), 8, "tensor a leaves a hole before it"),
    (tensor("F32", "[2]", 0, 8), 4, "tensor a ends beyond the file"),
    (tensor("F32", "[1]", 0, 4), 6, "has 2 bytes after its last tensor"),
    (
      #"{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "#
        + #""b": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}"#, 8,
      "tensor b overlaps the tensor before it"
    ),
  ]

  @Test(arguments: malformed)
  func aHeaderThatContradictsItselfIsAnErrorNamingTheTensor(
    header: String, dataBytes: Int, expected: String
  ) throws {
    let url = try write(header, [UInt8](repeating: 0, count: dataBytes))
    let error = #expect(throws: EmbeddedEngineError.self) { try SafetensorsFile(url: url) }
    #expect(error?.code == .malformedFile)
    #expect(error?.message.contains(expected) == true, "\(error?.message ?? "")")
  }

  @Test func aHeadersLengthIsBounded() throws {
    for (bytes, expected) in [
      ([1, 2, 3], "is 3 bytes long"),
      ([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], "are allowed"),
      ([100, 0, 0, 0, 0, 0, 0, 0, 0x7B], "is itself only 9 bytes long"),
    ] as [([UInt8], String)] {
      let url = folder.url.appending(path: "model.safetensors")
      try Data(bytes).write(to: url)
      let error = #expect(throws: EmbeddedEngineError.self) { try SafetensorsFile(url: url) }
      #expect(error?.message.contains(expected) == true, "\(error?.message ?? "")")
    }
  }

  @Test func aFileCutShortAfterItsHeaderWasReadIsAnError() throws {
    let url = try write(Self.tensor("F32", "[2]", 0, 8), [UInt8](repeating: 0, count: 8))
    let file = try SafetensorsFile(url: url)
    let handle = try FileHandle(forWritingTo: url)
    try handle.truncate(atOffset: handle.seekToEnd() - 4)
    try handle.close()
    var loader = TensorLoader(source: file)
    let error = #expect(throws: EmbeddedEngineError.self) { try loader.floats(["a"], shape: [2]) }
    #expect(error?.message.contains("ended early") == true)
  }

  @Test func aTensorOfAnotherShapeOrTypeIsAnErrorNamingIt() throws {
    let file = try SafetensorsFile(
      url: write(Self.tensor("I64", "[1]", 0, 8), [UInt8](repeating: 0, count: 8)))
    var loader = TensorLoader(source: file)
    for (count, name, expected) in [
      (1, "b", "has no tensor b"), (2, "a", "tensor a has shape [1]; config.json makes it [2]"),
      (1, "a", "tensor a is of type I64"),
    ] {
      let error = #expect(throws: EmbeddedEngineError.self) {
        try loader.floats([name], shape: [count])
      }
      #expect(error?.code == .unusableTensor)
      #expect(error?.message.contains(expected) == true, "\(error?.message ?? "")")
    }
  }

  private static func tensor(_ type: String, _ shape: String, _ first: Int, _ last: Int) -> String {
    #"{"a": {"dtype": "\#(type)", "shape": \#(shape), "data_offsets": [\#(first), \#(last)]}}"#
  }

  private func write(_ header: String, _ data: [UInt8]) throws -> URL {
    let url = folder.url.appending(path: "model.safetensors")
    let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
    try Data(length + Array(header.utf8) + data).write(to: url)
    return url
  }
}
