import HTTPTypes

/// What a path below `/ui` stands for.
enum PageRoute: Equatable {
  /// `/ui`, where relative links would miss.
  case entrance
  case asset(String)
  case session
  case status
  case job(id: String)
  case control(ControlCall)

  static let prefix = "/ui"
  private static let jobPrefix = "/ui/api/jobs/"
  private static let controlPrefix = "/ui/api/control/"

  /// nil for what is not there.
  init?(path: String) {
    if path == Self.prefix {
      self = .entrance
    } else if path == "/ui/api/session" {
      self = .session
    } else if path == "/ui/api/status" {
      self = .status
    } else if path.hasPrefix(Self.jobPrefix), path.utf8.count > Self.jobPrefix.utf8.count {
      self = .job(id: String(path.dropFirst(Self.jobPrefix.count)))
    } else if path.hasPrefix(Self.controlPrefix) {
      guard let call = ControlCall(rawValue: String(path.dropFirst(Self.controlPrefix.count)))
      else { return nil }
      self = .control(call)
    } else {
      guard path.hasPrefix("/ui/") else { return nil }
      let name = String(path.dropFirst("/ui/".count))
      guard PageAsset.all[name] != nil else { return nil }
      self = .asset(name)
    }
  }

  /// As metrics name it.
  var template: String {
    switch self {
    case .entrance, .asset: "/ui"
    case .session: "/ui/api/session"
    case .status: "/ui/api/status"
    case .job: Self.jobPrefix + "{id}"
    case .control(let call): Self.controlPrefix + call.rawValue
    }
  }

  var method: HTTPRequest.Method {
    if case .control = self { .post } else { .get }
  }
}

/// The calls of the Control service that the page makes, by their names there.
enum ControlCall: String {
  case listJobs = "ListJobs"
  case retryJobs = "RetryJobs"
  case cancelJobs = "CancelJobs"
  case setPaused = "SetPaused"
  case setDraining = "SetDraining"
  case setWorkerPaused = "SetWorkerPaused"
  case drainWorker = "DrainWorker"
  case setBackendPaused = "SetBackendPaused"
  case scaleWorkers = "ScaleWorkers"
}
