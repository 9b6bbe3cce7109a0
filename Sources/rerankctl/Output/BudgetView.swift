import Scoring

/// What documents would take of a model's context, as it is printed.
struct BudgetView: Encodable {
  var model: String
  var contextTokens: Int
  var reservedTokens: Int
  /// From above, where the model's own tokenizer is not here.
  var estimated: Bool
  var documents: [DocumentView]
  /// Of the documents that fit.
  var totalTokens: Int

  struct DocumentView: Encodable {
    var index: Int
    var tokens: Int?
    var fits: Bool
    var truncated: Bool
    var windows: Int
    var message: String?
    var document: String
  }

  init(
    _ model: EngineModel, estimated: Bool, _ documents: [DocumentBudget], texts: [String]
  ) {
    self.model = model.name
    contextTokens = model.contextTokens
    reservedTokens = model.reservedTokens
    self.estimated = estimated
    self.documents = documents.map { document in
      DocumentView(
        index: document.index, tokens: document.tokens, fits: document.fits,
        truncated: document.isTruncated, windows: document.windows, message: document.message,
        document: texts[document.index])
    }
    totalTokens = documents.tokens
  }

  func text(widthMax: Int?, palette: Palette) -> String {
    var table = TextTable([
      ("INDEX", .right), ("TOKENS", .right), ("OF", .right), ("FITS", .left), ("DOCUMENT", .left),
    ])
    for row in documents {
      table.append([
        "\(row.index)", .init(row.tokens.map { Quantity.count($0) } ?? "?"),
        .init(Quantity.count(contextTokens)), row.verdict, .init(row.message ?? row.document),
      ])
    }
    let count = estimated ? "estimated from above: \(model) has no tokenizer here" : "counted"
    return table.text(widthMax: widthMax, palette: palette)
      + "\n\(Quantity.count(totalTokens, "token")) in all, \(count); "
      + "\(Quantity.count(reservedTokens)) of each pair are the prompt's\n"
  }
}

extension BudgetView.DocumentView {
  fileprivate var verdict: TextTable.Cell {
    if !fits { return .init("no", .bad) }
    if windows > 1 { return .init("in \(windows) windows", .waiting) }
    return truncated ? .init("shortened", .waiting) : .init("yes", .good)
  }
}
