/// How a query and a document become one sequence: "[CLS] query [SEP] document [SEP]" with BERT.
struct PairTemplate: Sendable, Equatable {
  enum Piece: Sendable, Equatable {
    case control(id: Int32, type: UInt8)
    case query(type: UInt8)
    case document(type: UInt8)
  }

  var pieces: [Piece]

  var controlIDs: [Int32] {
    pieces.compactMap { if case .control(let id, _) = $0 { id } else { nil } }
  }

  /// Tokens that are neither the query's nor the document's.
  var overhead: Int { controlIDs.count }

  static func bert(cls: Int32, sep: Int32) -> PairTemplate {
    PairTemplate(pieces: [
      .control(id: cls, type: 0), .query(type: 0), .control(id: sep, type: 0),
      .document(type: 1), .control(id: sep, type: 1),
    ])
  }

  /// "[CLS] query [SEP] [CLS] document [SEP]": each side as if it were alone.
  static func segments(cls: Int32, sep: Int32) -> PairTemplate {
    PairTemplate(pieces: [
      .control(id: cls, type: 0), .query(type: 0), .control(id: sep, type: 0),
      .control(id: cls, type: 1), .document(type: 1), .control(id: sep, type: 1),
    ])
  }

  /// "<s> query </s></s> document </s>", all of one type.
  static func roberta(cls: Int32, sep: Int32) -> PairTemplate {
    PairTemplate(pieces: [
      .control(id: cls, type: 0), .query(type: 0), .control(id: sep, type: 0),
      .control(id: sep, type: 0), .document(type: 0), .control(id: sep, type: 0),
    ])
  }

  /// The query and the document one behind the other, where a tokenizer has no template.
  static let bare = PairTemplate(pieces: [.query(type: 0), .document(type: 1)])

  func append(query: [Int32], document: [Int32], to pair: inout EncodedPair) {
    for piece in pieces {
      switch piece {
      case .control(let id, let type):
        pair.ids.append(id)
        pair.tokenTypes.append(type)
      case .query(let type):
        pair.ids.append(contentsOf: query)
        pair.tokenTypes.append(contentsOf: repeatElement(type, count: query.count))
      case .document(let type):
        pair.ids.append(contentsOf: document)
        pair.tokenTypes.append(contentsOf: repeatElement(type, count: document.count))
      }
    }
  }
}

/// What a cross-encoder reads: one pair, or several one behind the other.
public struct EncodedPair: Sendable, Equatable {
  public var ids: [Int32] = []
  /// As many as ``ids``: 0 for the query's segment and 1 for the document's, with BERT.
  public var tokenTypes: [UInt8] = []

  public init() {}
}
