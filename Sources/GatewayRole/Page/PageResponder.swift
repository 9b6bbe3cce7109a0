import Foundation
import HTTPTypes
import Hummingbird

/// Answers what is asked below `/ui`: the page's files to everybody, its calls to operators.
///
/// The page is for the people who run Rerankd. Its files are plain HTML, CSS and JavaScript, compiled
/// into the binary. Every figure comes from ``QueueWatch``, and every button is a call of the
/// queue's Control service (``PageOperations``). ``PageGuard`` keeps other sites away. A token
/// without the scope of operators may use the playground, which is made of the public API alone.
struct PageResponder: Sendable {
  let configuration: GatewayConfiguration
  let access: AccessControl
  let gate: RequestGate
  let operations: PageOperations

  func respond(to route: PageRoute, _ exchange: Exchange) async throws -> Response {
    let request = exchange.request
    switch route {
    case .entrance:
      // Relative, so that it holds behind a proxy that serves the gateway below a path.
      return Response(status: .permanentRedirect, headers: [.location: "ui/"])
    case .asset(let name):
      guard let asset = PageAsset.all[name] else { preconditionFailure("no asset \(name)") }
      return asset.response(to: request)
    case .session, .status, .job, .control: break
    }
    try PageGuard(asksForTokens: access.file != nil).check(request, changes: route.method == .post)
    if route == .session { return PageOperations.session(access.knownCaller(request)) }
    // The poll of an open page is no use of the client's rate: all pages share one look at the queue.
    let caller = try access.caller(request, countsRequest: route != .status)
    guard caller.isOperator else {
      throw APIError(
        status: .forbidden, type: "permission_error",
        message: "this token may use the playground alone; rerankd gateway hash-token --operator "
          + "makes one for operators",
        code: "not_an_operator")
    }
    guard gate.enter() else {
      throw APIError.overloaded(
        "the gateway works on \(configuration.requestsMax) requests already",
        retryAfter: configuration.overloadRetryAfter)
    }
    var heldBytes = 0
    defer { gate.leave(bodyBytes: heldBytes) }
    switch route {
    case .job(let id): return try await operations.job(id)
    case .control(let call):
      let body = try await exchange.data(
        configuration, gate, &heldBytes, bytesMax: configuration.pageBodyBytesMax)
      return try await operations.control(call, body, shard: try shard(request))
    case .entrance, .asset, .session, .status: return try await operations.status(request)
    }
  }

  private func shard(_ request: Request) throws -> UInt16? {
    guard let text = request.uri.queryParameters["shard"] else { return nil }
    guard let shard = UInt16(text) else {
      throw APIError.badRequest("shard must be a number from 0 to 65535", param: "shard")
    }
    return shard
  }
}
