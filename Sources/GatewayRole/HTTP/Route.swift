import HTTPTypes

/// What a path stands for.
enum Route: Equatable {
  case live
  case ready
  case models
  case rerank
  case plainRerank
  case cohereRerank
  case budget
  case jobs
  case job(id: String)
  case page(PageRoute)

  private static let fixed: [String: Route] = [
    "/health/live": .live, "/health/ready": .ready, "/v1/models": .models,
    "/v1/rerank": .rerank, "/rerank": .plainRerank, "/v2/rerank": .cohereRerank,
    "/v1/tokenize/budget": .budget, "/v1/jobs": .jobs,
  ]
  private static let jobPrefix = "/v1/jobs/"

  init?(path: String) {
    if let route = Self.fixed[path] {
      self = route
    } else if path.hasPrefix(Self.jobPrefix), path.utf8.count > Self.jobPrefix.utf8.count {
      self = .job(id: String(path.dropFirst(Self.jobPrefix.count)))
    } else if let page = PageRoute(path: path) {
      self = .page(page)
    } else {
      return nil
    }
  }

  /// As metrics name it: without what a client put into the path.
  var template: String {
    switch self {
    case .job: Self.jobPrefix + "{id}"
    case .page(let page): page.template
    default: Self.fixed.first { $0.value == self }?.key ?? ""
    }
  }

  var methods: [HTTPRequest.Method] {
    switch self {
    case .live, .ready, .models: [.get]
    case .rerank, .plainRerank, .cohereRerank, .budget, .jobs: [.post]
    case .job: [.get, .delete]
    case .page(let page): [page.method]
    }
  }

  var isPage: Bool {
    if case .page = self { true } else { false }
  }

  /// Whether its requests are worth a span: not those of programs and pages that look again and again.
  var isTraced: Bool {
    switch self {
    case .live, .ready, .page: false
    case .models, .rerank, .plainRerank, .cohereRerank, .budget, .jobs, .job: true
    }
  }

  var errorStyle: ErrorStyle { self == .cohereRerank ? .cohere : .openAI }
}
