import Foundation

/// The vocabulary of a GGUF file, as llama.cpp keeps them: just enough of the format to make a
/// tokenizer.json of it.
struct GGUFVocabulary {
  private(set) var tokens: [String] = []
  private(set) var merges: [String] = []
  /// 3 is a control token and 4 one that was added otherwise.
  private(set) var types: [Int32] = []

  struct Damaged: Error {}

  init(contentsOf url: URL) throws {
    var reader = Reader(data: try Data(contentsOf: url))
    guard try reader.bytes(4).elementsEqual("GGUF".utf8) else { throw Damaged() }
    _ = try reader.integer(UInt32.self)
    _ = try reader.integer(UInt64.self)
    let count = try reader.integer(UInt64.self)
    for _ in 0..<count {
      let key = try reader.string()
      let type = try reader.integer(UInt32.self)
      switch key {
      case "tokenizer.ggml.tokens": tokens = try reader.list(of: 8) { try $0.string() }
      case "tokenizer.ggml.merges": merges = try reader.list(of: 8) { try $0.string() }
      case "tokenizer.ggml.token_type":
        types = try reader.list(of: 5) { try $0.integer(Int32.self) }
      default: try reader.skip(type)
      }
    }
  }

  /// A byte-level tokenizer.json of this vocabulary.
  ///
  /// - Parameter preTokenizer: what cuts words, a stage in JSON.
  func byteLevelDefinition(normalizer: String = "null", preTokenizer: String) -> String {
    let vocabulary = tokens.enumerated().map { "\(quoted($1)):\($0)" }.joined(separator: ",")
    let pairs = merges.map(quoted).joined(separator: ",")
    let added = types.indices.filter { types[$0] == 3 || types[$0] == 4 }.map { index in
      """
      {"id":\(index),"content":\(quoted(tokens[index])),"special":\(types[index] == 3),\
      "normalized":\(types[index] == 4)}
      """
    }
    return """
      {"added_tokens":[\(added.joined(separator: ","))],"normalizer":\(normalizer),
      "pre_tokenizer":\(preTokenizer),"post_processor":null,
      "model":{"type":"BPE","vocab":{\(vocabulary)},"merges":[\(pairs)]}}
      """
  }

  private func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": quoted += "\\\(scalar)"
      case ..<" ":
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }

  private struct Reader {
    let data: Data
    var position = 0

    init(data: Data) {
      self.data = data
    }

    mutating func bytes(_ count: Int) throws -> Data {
      guard count >= 0, count <= data.count - position else { throw Damaged() }
      defer { position += count }
      return data[data.startIndex + position..<data.startIndex + position + count]
    }

    mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) throws -> Value {
      try bytes(MemoryLayout<Value>.size).reversed().reduce(0) { $0 << 8 | Value($1) }
    }

    mutating func string() throws -> String {
      let count = try integer(UInt64.self)
      return String(decoding: try bytes(Int(clamping: count)), as: UTF8.self)
    }

    mutating func list<Value>(
      of type: UInt32, _ read: (inout Reader) throws -> Value
    ) throws -> [Value] {
      guard try integer(UInt32.self) == type else { throw Damaged() }
      let count = try integer(UInt64.self)
      var values: [Value] = []
      for _ in 0..<count { values.append(try read(&self)) }
      return values
    }

    mutating func skip(_ type: UInt32) throws {
      switch type {
      case 0, 1, 7: _ = try bytes(1)
      case 2, 3: _ = try bytes(2)
      case 4, 5, 6: _ = try bytes(4)
      case 10, 11, 12: _ = try bytes(8)
      case 8: _ = try string()
      case 9:
        let inner = try integer(UInt32.self)
        for _ in 0..<(try integer(UInt64.self)) { try skip(inner) }
      default: throw Damaged()
      }
    }
  }
}
