import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import RerankdProtocol
import Tracing

/// What a request brings along from its connection.
struct GatewayContext: InitializableFromSource {
  let channel: any Channel

  init(source: ApplicationRequestContextSource) {
    channel = source.channel
  }
}

/// Answers every request: finds its route, asks who it is, bounds what it may hold, has it worked
/// on, and turns whatever went wrong into an answer in the words of the API that the client speaks.
struct GatewayResponder: HTTPResponder {
  let configuration: GatewayConfiguration
  let access: AccessControl
  let registry: PeerRegistry
  let gate: RequestGate
  let metrics: GatewayMetrics
  let tracer: any Tracer
  let operations: GatewayOperations
  /// nil where none is served.
  let page: PageResponder?
  let logger: Logger

  func respond(to request: Request, context: GatewayContext) async throws -> Response {
    let start = ContinuousClock.now
    let route = Route(path: request.uri.path).flatMap { page == nil && $0.isPage ? nil : $0 }
    let span = route.flatMap {
      $0.isTraced ? RequestSpan(request, route: $0, tracer, logger) : nil
    }
    let exchange = Exchange(
      request: request, presence: registry.presence(of: context.channel) ?? PeerPresence(),
      span: span)
    let response =
      if let span {
        await span.around { await answer(route, exchange) }
      } else {
        await answer(route, exchange)
      }
    span?.end(status: response.status)
    metrics.answered(
      route: route?.template ?? "none", status: response.status.code,
      after: start.duration(to: .now))
    return response
  }

  /// Whatever went wrong is an answer as well.
  private func answer(_ route: Route?, _ exchange: Exchange) async -> Response {
    let request = exchange.request
    var style = route?.errorStyle ?? .openAI
    var response: Response
    do {
      guard let route else { throw unknownPath(request) }
      guard route.methods.contains(request.method) else { throw wrongMethod(route, request) }
      response = try await answer(route, exchange, &style)
    } catch {
      response = style.response(apiError(error))
      if let route, response.status == .methodNotAllowed {
        response.headers[.allow] = route.methods.map(\.rawValue).joined(separator: ", ")
      }
    }
    if route?.isPage ?? false { PageGuard.secure(&response.headers) }
    return response
  }

  private func answer(
    _ route: Route, _ exchange: Exchange, _ style: inout ErrorStyle
  ) async throws -> Response {
    switch route {
    case .live: return .json(["status": "live"])
    case .ready:
      try await operations.checkQueue()
      return .json(["status": "ready"])
    case .page(let route):
      if let page { return try await page.respond(to: route, exchange) }
    default: break
    }
    let caller = try access.caller(exchange.request)
    guard gate.enter() else {
      throw APIError.overloaded(
        "the gateway works on \(configuration.requestsMax) requests already",
        retryAfter: configuration.overloadRetryAfter)
    }
    var heldBytes = 0
    defer { gate.leave(bodyBytes: heldBytes) }
    switch route {
    case .live, .ready, .page: throw unknownPath(exchange.request)
    case .models: return try await operations.models(caller)
    case .job(let id):
      return exchange.request.method == .delete
        ? try await operations.cancelJob(id, caller)
        : try await operations.job(
          id, caller, returnsDocuments: try exchange.request.flag("return_documents") ?? true)
    case .rerank:
      let body: OpenRerankBody = try await exchange.body(configuration, gate, &heldBytes)
      return try await operations.rerank(body.body, exchange, caller, .open)
    case .cohereRerank:
      let body: CohereRerankBody = try await exchange.body(configuration, gate, &heldBytes)
      return try await operations.rerank(body.body, exchange, caller, .cohere)
    case .plainRerank:
      let body: PlainRerankBody = try await exchange.body(configuration, gate, &heldBytes)
      switch body {
      case .open(let body):
        return try await operations.rerank(body, exchange, caller, .open)
      case .tei(let body):
        style = .tei
        return try await operations.rerank(body, exchange, caller, .tei)
      }
    case .budget:
      let body: OpenRerankBody = try await exchange.body(configuration, gate, &heldBytes)
      return try await operations.budget(body.body, caller)
    case .jobs:
      let body: OpenRerankBody = try await exchange.body(configuration, gate, &heldBytes)
      return try await operations.submit(body.body, exchange, caller)
    }
  }

  private func apiError(_ error: any Error) -> APIError {
    switch error {
    case let error as APIError: return error
    case let error as CallError:
      return APIError(error, retryAfter: configuration.overloadRetryAfter)
    case let error as DecodingError: return APIError(error)
    default:
      logger.error("a request failed: \(error)")
      return APIError(
        status: .internalServerError, type: "server_error",
        message: "the gateway failed at this; its log says how", code: "internal")
    }
  }

  private func unknownPath(_ request: Request) -> APIError {
    APIError(
      status: .notFound, type: "invalid_request_error",
      message: "there is nothing at \(request.uri.path.prefix(200))", code: "not_found")
  }

  private func wrongMethod(_ route: Route, _ request: Request) -> APIError {
    let methods = route.methods.map(\.rawValue).joined(separator: " and ")
    return APIError(
      status: .methodNotAllowed, type: "invalid_request_error",
      message: "\(route.template) takes \(methods), not \(request.method.rawValue)",
      code: "method_not_allowed")
  }
}

extension Response {
  static func json(_ value: any Encodable, status: HTTPResponse.Status = .ok) -> Response {
    Response(status: status, headers: [.contentType: "application/json"], body: .json(value))
  }
}
