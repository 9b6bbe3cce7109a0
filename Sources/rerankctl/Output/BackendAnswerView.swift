import RemoteEngine
import RerankdProtocol
import Scoring

/// One question that a backend was asked, and what it answered, as it is printed.
struct BackendAnswerView: Encodable {
  enum Question: String, Encodable {
    /// Which models it has.
    case models
    /// Two scores of a model.
    case rerank
  }

  var backend: String
  var asked: Question
  /// As jobs name it.
  var model: String?
  var state: CheckState
  /// nil where it was not asked after all.
  var latencyUs: UInt64?
  /// That it lists, as it names them.
  var models: [String]?
  var relevantScore: Float?
  var irrelevantScore: Float?
  var error: ErrorView?
  /// For people.
  var note: String

  static func table(_ answers: [BackendAnswerView]) -> TextTable {
    var table = TextTable([
      ("BACKEND", .left), ("ASKED", .left), ("MODEL", .left), ("STATE", .left),
      ("LATENCY", .right), ("NOTE", .left),
    ])
    for answer in answers {
      table.append([
        .init(answer.backend), .init(answer.asked.rawValue), .init(answer.model ?? ""),
        .init(answer.state.rawValue, answer.state.style),
        .init(answer.latencyUs.map { Quantity.time(microseconds: $0) } ?? ""), .init(answer.note),
      ])
    }
    return table
  }
}

extension BackendAnswerView {
  /// The list of models; nil where the backend has none.
  init(_ backend: String, listed: Set<String>?, latency: Duration) {
    self.init(
      backend: backend, asked: .models, state: .ok, latencyUs: Quantity.microseconds(latency),
      models: listed?.sorted(),
      note: listed.map {
        "lists " + Quantity.count($0.count, "model") + ($0.isEmpty ? "" : ": ")
          + $0.sorted().joined(separator: ", ")
      } ?? "has no list of models; they are taken as configured")
  }

  /// The scores of a model.
  init(
    _ backend: String, _ model: RemoteEngineConfiguration.Model, scores: GoldenPairScores,
    latency: Duration
  ) {
    let both = [scores.relevant, scores.irrelevant].map { OutcomeView.fixed($0.relevanceScore) }
    self.init(
      backend: backend, asked: .rerank, model: model.name, state: .ok,
      latencyUs: Quantity.microseconds(latency), relevantScore: scores.relevant.relevanceScore,
      irrelevantScore: scores.irrelevant.relevanceScore,
      note: "an answer scores \(both[0]), a text about something else \(both[1])")
    guard !scores.isRankedRightly else { return }
    // A model that is not held to it serves its jobs all the same.
    state = model.checksGoldenPair ? .failed : .warning
    note += ": that is noise, as when the server lacks the model's prompt template"
  }

  /// A model that the backend does not list, and that no worker therefore serves.
  init(_ backend: String, unlisted model: RemoteEngineConfiguration.Model) {
    self.init(
      backend: backend, asked: .rerank, model: model.name, state: .failed,
      note: "not asked: the backend does not list \"\(model.servedName)\", so no worker serves it; "
        + "set its served_name to a name of the list")
  }

  init(
    _ backend: String, _ asked: Question, _ model: String? = nil, error: EngineError,
    latency: Duration
  ) {
    let code = StatusCode(wire: error.code.rawValue).description
    self.init(
      backend: backend, asked: asked, model: model, state: .failed,
      latencyUs: Quantity.microseconds(latency),
      error: ErrorView(code: code, message: error.message), note: error.message)
  }
}
