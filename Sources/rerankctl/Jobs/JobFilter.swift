import ArgumentParser
import RerankdProtocol

/// Which jobs a command is about, where they are not named.
struct JobFilter: ParsableArguments {
  @Option(
    help: "delayed, ready, leased, succeeded, dead, cancelled or expired; may be repeated.")
  var state: [JobState] = []

  @Option(help: "Only of this tenant.")
  var tenant: String?

  @Option(help: "Only for this model.")
  var model: String?

  @Option(help: "Submitted at least so long ago: 30s, 5m, 2h, 7d.")
  var olderThan: TimeArgument?

  @Option(help: "Submitted at most so long ago.")
  var newerThan: TimeArgument?

  @Option(
    help: "Ended with this error: UNAVAILABLE, deadline_exceeded, 14; may be repeated.")
  var errorCode: [ErrorCodeArgument] = []

  @Option(help: "Ended with an error whose message contains this; ASCII's case does not matter.")
  var errorContains: String?

  func validate() throws {
    if let errorContains, !(1...256).contains(errorContains.utf8.count) {
      throw ValidationError("--error-contains takes 1 to 256 bytes")
    }
    if let olderThan, let newerThan, olderThan.duration > newerThan.duration {
      throw ValidationError("--older-than must not be more than --newer-than: no job is both")
    }
  }

  var isEmpty: Bool {
    state.isEmpty && tenant == nil && model == nil && olderThan == nil && newerThan == nil
      && errorCode.isEmpty && errorContains == nil
  }

  /// - Parameter states: which ones, where the filter says none.
  func request(states: [JobState] = []) -> ListJobsRequest {
    var request = ListJobsRequest()
    request.states = state.isEmpty ? states : state
    request.tenant = tenant ?? ""
    request.model = model ?? ""
    request.olderThanMs = olderThan?.duration.wholeMilliseconds ?? 0
    request.newerThanMs = newerThan?.duration.wholeMilliseconds ?? 0
    request.errorCodes = errorCode.map(\.code.rawValue)
    request.errorContains = errorContains ?? ""
    return request
  }
}

/// A status code by its name, in any case, or by its number.
struct ErrorCodeArgument: ExpressibleByArgument, Equatable {
  var code: StatusCode

  init?(argument: String) {
    let name = argument.uppercased().replacing("-", with: "_")
    let found = StatusCode.allCases.first {
      $0.description == name || "\($0.rawValue)" == argument
    }
    guard let found, found != .ok else { return nil }
    code = found
  }

  static var allValueStrings: [String] {
    StatusCode.allCases.filter { $0 != .ok }.map(\.description)
  }
}
