import Tokenization

/// A prompt with places for an instruction, the query and the document.
struct PromptTemplate: Decodable, Sendable, Equatable {
  enum Piece: Sendable, Equatable {
    /// A token of the vocabulary, such as "<|im_start|>".
    case control(String)
    case text(String)
    case place(Place)
  }

  enum Place: String, Decodable, Sendable, CaseIterable {
    case instruction, query, document
  }

  var pieces: [Piece]
  /// Stands where a request has none.
  var instruction: String

  enum CodingKeys: String, CodingKey {
    case pieces = "prompt"
    case instruction
  }

  /// As the model card of Qwen3-Reranker has it; its two forms were trained with the same.
  static let qwen3Reranker = PromptTemplate(
    pieces: [
      .control("<|im_start|>"),
      .text(
        "system\nJudge whether the Document meets the requirements based on the Query and the "
          + "Instruct provided. Note that the answer can only be \"yes\" or \"no\"."),
      .control("<|im_end|>"), .text("\n"), .control("<|im_start|>"), .text("user\n<Instruct>: "),
      .place(.instruction), .text("\n<Query>: "), .place(.query), .text("\n<Document>: "),
      .place(.document), .control("<|im_end|>"), .text("\n"), .control("<|im_start|>"),
      .text("assistant\n"), .control("<think>"), .text("\n\n"), .control("</think>"),
      .text("\n\n"),
    ],
    instruction: "Given a web search query, retrieve relevant passages that answer the query")

  /// What is put into the places is text, whatever it says.
  func parts(instruction: String?, query: String, document: String) -> [PromptPart] {
    pieces.map { piece in
      switch piece {
      case .control(let name): .control(name)
      case .text(let text): .text(text)
      case .place(.instruction): .text(instruction ?? self.instruction)
      case .place(.query): .text(query)
      case .place(.document): .text(document)
      }
    }
  }
}

extension PromptTemplate.Piece: Decodable {
  private enum CodingKeys: String, CodingKey, CaseIterable {
    case control, text, place
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    guard container.allKeys.count == 1, let key = container.allKeys.first else {
      throw DecodingError.dataCorrupted(
        DecodingError.Context(
          codingPath: decoder.codingPath,
          debugDescription: "a piece of a prompt has one of control, text and place"))
    }
    switch key {
    case .control: self = .control(try container.decode(String.self, forKey: key))
    case .text: self = .text(try container.decode(String.self, forKey: key))
    case .place: self = .place(try container.decode(PromptTemplate.Place.self, forKey: key))
    }
  }
}
