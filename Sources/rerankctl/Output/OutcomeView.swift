import RerankdProtocol
import SwiftProtobuf

/// How a job ended, as it is printed: the ranking, or the error.
struct OutcomeView: Encodable {
  var jobId: String
  var state: String
  var attempts: UInt32
  var tenant: String?
  var idempotencyKey: String?
  var model: String?
  var engine: String?
  var scoreKind: String?
  var precision: String?
  var results: [RankedView]?
  var usage: UsageView?
  var truncatedDocuments: [UInt32]?
  var windowedDocuments: [WindowedView]?
  var failedDocuments: [FailedView]?
  var error: ErrorView?

  /// - Parameter documents: the job's texts by index, where the caller has them.
  init(_ outcome: JobOutcome, documents: [String]) {
    jobId = JobID(rawValue: outcome.jobID).description
    state = outcome.state.word
    attempts = outcome.attempts
    tenant = outcome.tenant.nonEmpty
    idempotencyKey = outcome.idempotencyKey.nonEmpty
    guard outcome.state == .succeeded else {
      error = ErrorView(outcome.error)
      return
    }
    // A list's jobs come without their results.
    guard !outcome.result.isEmpty else { return }
    guard let result = try? RerankResult(serializedBytes: outcome.result) else {
      error = ErrorView(code: "DATA_LOSS", message: "the result is no RerankResult")
      return
    }
    model = result.model.nonEmpty
    engine = result.engine.nonEmpty
    scoreKind = result.scoreKind.nonEmpty
    precision = result.precision.nonEmpty
    results = result.results.map { ranked in
      let index = Int(ranked.index)
      return RankedView(
        index: ranked.index, relevanceScore: ranked.relevanceScore,
        document: documents.indices.contains(index) ? documents[index] : nil)
    }
    usage = UsageView(result.usage)
    if !result.truncatedDocuments.isEmpty { truncatedDocuments = result.truncatedDocuments }
    if !result.windowedDocuments.isEmpty {
      windowedDocuments = result.windowedDocuments.map(WindowedView.init)
    }
    if !result.failedDocuments.isEmpty {
      failedDocuments = result.failedDocuments.map(FailedView.init)
    }
  }

  /// The ranking, and below it what is to be known of single documents.
  ///
  /// - Parameter namesScorer: says which model and engine it was, where it may be a fallback.
  func text(
    widthMax: Int?, namesScorer: Bool = false, palette: Palette = .plain
  ) -> String {
    var notes = self.notes
    if namesScorer, let model, let engine { notes.insert("scored by \(model), \(engine)", at: 0) }
    return table.text(widthMax: widthMax, palette: palette)
      + (notes.isEmpty ? "" : "\n" + notes.map { $0 + "\n" }.joined())
  }

  /// "2 failed, 1 shortened": what a line has room for; nil where nothing is to be said.
  var singled: String? {
    let counts = [
      (failedDocuments?.count ?? 0, "failed"), (truncatedDocuments?.count ?? 0, "shortened"),
      (windowedDocuments?.count ?? 0, "in windows"),
    ]
    let said = counts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
    return said.isEmpty ? nil : said.joined(separator: ", ")
  }

  /// A line for each document that failed or was scored in windows, and one for those that were
  /// shortened.
  private var notes: [String] {
    var notes: [String] = []
    if let shortened = truncatedDocuments {
      notes.append(
        (shortened.count == 1 ? "shortened document " : "shortened documents ")
          + shortened.map { "\($0)" }.joined(separator: ", "))
    }
    notes += (windowedDocuments ?? []).map { document in
      "document \(document.index) has the score of window \(document.bestWindow + 1) of "
        + "\(document.windows), bytes \(document.bestStartByte) to \(document.bestEndByte)"
    }
    notes += (failedDocuments ?? []).map { document in
      "document \(document.index) failed: \(document.code): \(document.message)"
    }
    return notes
  }

  var table: TextTable {
    var table = TextTable([
      ("RANK", .right), ("SCORE", .right), ("INDEX", .right), ("DOCUMENT", .left),
    ])
    for (rank, row) in (results ?? []).enumerated() {
      table.append([
        "\(rank + 1)", Self.fixed(row.relevanceScore), "\(row.index)", row.document ?? "",
      ])
    }
    return table
  }

  /// Four decimals, which is what eyes compare; JSON has the whole number.
  static func fixed(_ score: Float) -> String {
    let scaled = Int((abs(Double(score)) * 10_000).rounded())
    let decimals = String(scaled % 10_000 + 10_000).dropFirst()
    return "\(score < 0 && scaled > 0 ? "-" : "")\(scaled / 10_000).\(decimals)"
  }
}

struct RankedView: Encodable {
  var index: UInt32
  var relevanceScore: Float
  var document: String?
}

struct UsageView: Encodable {
  var promptTokens: UInt64
  var totalTokens: UInt64
  var estimated: Bool

  init(_ usage: Usage) {
    promptTokens = usage.promptTokens
    totalTokens = usage.totalTokens
    estimated = usage.estimated
  }
}

struct WindowedView: Encodable {
  var index: UInt32
  var windows: UInt32
  /// Counted from 0, as the index is.
  var bestWindow: UInt32
  var bestStartByte: UInt64
  var bestEndByte: UInt64

  init(_ document: WindowedDocument) {
    index = document.index
    windows = document.windows
    bestWindow = document.bestWindow
    bestStartByte = document.bestStartByte
    bestEndByte = document.bestEndByte
  }
}

struct FailedView: Encodable {
  var index: UInt32
  var code: String
  var message: String

  init(_ failed: FailedDocument) {
    index = failed.index
    code = StatusCode(wire: failed.code).description
    message = failed.message
  }
}

struct ErrorView: Encodable, CustomStringConvertible {
  var code: String
  var message: String

  init(code: String, message: String) {
    self.code = code
    self.message = message
  }

  init(_ status: CallStatus) {
    code = StatusCode(wire: status.code).description
    message = status.message
  }

  var description: String { "\(code): \(message)" }
}

extension TextTable.Cell {
  /// What became of one of many: the error, or what was done.
  init(_ error: ErrorView?, done: String) {
    self = error.map { Self("\($0)", .bad) } ?? Self(done, .good)
  }
}
