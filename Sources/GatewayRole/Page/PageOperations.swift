import Foundation
import HTTPTypes
import Hummingbird
import RerankdClient
import RerankdProtocol
import SwiftProtobuf

/// What `/ui/api` does: the queue's Control service in protobuf's JSON, for the page.
struct PageOperations: Sendable {
  let configuration: GatewayConfiguration
  let queues: [any OperatedQueue]
  let watch: QueueWatch
  /// Tells this run of the gateway, and its history, from others.
  let runID = String(UInt64.random(in: 0...UInt64.max), radix: 16)

  // MARK: Reading

  /// Who the page's user is. It is no error to be nobody: the page then asks for a token.
  static func session(_ caller: Caller?) -> Response {
    .json(
      SessionAnswer(
        known: caller != nil, operator: caller?.isOperator ?? false, name: caller?.token?.name,
        tenant: caller?.tenant))
  }

  struct SessionAnswer: Encodable {
    var known: Bool
    var `operator`: Bool
    var name: String?
    var tenant: String?
  }

  /// Everything of the overview. `gateway` and `since` of an earlier answer leave out the history
  /// that the page has already.
  func status(_ request: Request) async throws -> Response {
    let snapshot = await watch.current()
    let isSameRun = request.uri.queryParameters["gateway"].map { $0 == runID } ?? false
    let since = request.uri.queryParameters["since"].flatMap { UInt64($0) }
    let history = await watch.history.rows(after: isSameRun ? since : nil)
    let queues = try snapshot.sights.map { try Self.json($0) }
    let rows = history.map { Self.json($0) }
    return .text(
      json: """
        {"gateway":"\(runID)","at":\(snapshot.atUnixMs),"queues":[\(queues.joined(separator: ","))],\
        "history":{"columns":\(Self.json(QueueHistory.columns)),"rows":[\(rows.joined(separator: ","))]}}
        """)
  }

  private static func json(_ sight: QueueWatch.Sight) throws -> String {
    var fields: [String] = []
    if let seen = sight.seenUnixMs { fields.append("\"seenAt\":\(seen)") }
    if let status = sight.status { fields.append("\"status\":\(try status.jsonString())") }
    let workers = try sight.workers.map { try $0.jsonString() }
    fields.append("\"workers\":[\(workers.joined(separator: ","))]")
    if let error = sight.error {
      fields.append(
        "\"error\":{\"code\":\(json("\(error.code)")),\"message\":\(json(error.message))}")
    }
    return "{\(fields.joined(separator: ","))}"
  }

  private static func json(_ row: QueueHistory.Row) -> String {
    guard let figures = row.figures else { return "[\(row.number),\(row.atUnixMs)]" }
    let numbers = figures.map { "\($0)" }.joined(separator: ",")
    return "[\(row.number),\(row.atUnixMs),\(numbers),\(json(row.waiting))]"
  }

  private static func json(_ value: some Encodable) -> String {
    String(decoding: (try? JSONEncoder().encode(value)) ?? Data("null".utf8), as: UTF8.self)
  }

  /// A job with its attempts, and the beginning of what it asks.
  func job(_ text: String) async throws -> Response {
    guard let id = JobID(text), id.sequence > 0 else {
      throw APIError.unknownJob(String(text.prefix(64)))
    }
    let queue = try await queue(shard: id.shard)
    let details = try await queue.job(id, withRequest: false, withAttempts: true)
    var fields = ["\"job\":\(try details.jsonString())"]
    if details.requestBytes <= UInt64(configuration.pagePreviewBytesMax) {
      let body = try await queue.job(id, withRequest: true, withAttempts: false).request
      if let request = try? RerankRequest(serializedBytes: body) {
        fields.append("\"request\":\(Self.json(JobPreview(request)))")
      }
    }
    return .text(json: "{\(fields.joined(separator: ","))}")
  }

  // MARK: Control

  /// - Parameter body: the call's request, in protobuf's JSON.
  /// - Throws: ``APIError``; `CallError` from the queue.
  func control(_ call: ControlCall, _ body: Data, shard: UInt16?) async throws -> Response {
    if call != .listJobs { await watch.expire() }
    switch call {
    case .listJobs:
      var request: ListJobsRequest = try Self.message(body)
      request.limit = min(
        request.limit == 0 ? .max : request.limit, UInt32(clamping: configuration.pageJobsMax))
      return try .message(try await self.queue(shard: shard).jobs(request))
    case .retryJobs:
      let request: RetryJobsRequest = try Self.message(body)
      var response = RetryJobsResponse()
      response.outcomes = try await each(request.jobIds) { queue, ids throws(CallError) in
        try await queue.retry(ids)
      }
      return try .message(response)
    case .cancelJobs:
      let request: CancelJobsRequest = try Self.message(body)
      var response = CancelJobsResponse()
      response.outcomes = try await each(request.jobIds) { queue, ids throws(CallError) in
        try await queue.cancelJobs(ids)
      }
      return try .message(response)
    case .setPaused:
      let request: SetPausedRequest = try Self.message(body)
      for queue in try await chosen(shard) { try await queue.setPaused(request.paused) }
      return try .message(SetPausedResponse())
    case .setDraining:
      let request: SetDrainingRequest = try Self.message(body)
      for queue in try await chosen(shard) { try await queue.setDraining(request.draining) }
      return try .message(SetDrainingResponse())
    case .setWorkerPaused:
      let request: SetWorkerPausedRequest = try Self.message(body)
      try await queue(shard: shard).setWorkerPaused(request.workerID, request.paused)
      return try .message(SetWorkerPausedResponse())
    case .drainWorker:
      let request: DrainWorkerRequest = try Self.message(body)
      try await queue(shard: shard).drainWorker(request.workerID)
      return try .message(DrainWorkerResponse())
    case .setBackendPaused:
      let request: SetBackendPausedRequest = try Self.message(body)
      try await queue(shard: shard).setBackendPaused(request.backend, request.paused)
      return try .message(SetBackendPausedResponse())
    case .scaleWorkers:
      let request: ScaleWorkersRequest = try Self.message(body)
      var response = ScaleWorkersResponse()
      response.supervisor = try await queue(shard: shard).scaleWorkers(
        to: request.workers,
        supervisorID: request.supervisorID.isEmpty ? nil : request.supervisorID)
      return try .message(response)
    }
  }

  private static func message<Request: SwiftProtobuf.Message>(_ body: Data) throws -> Request {
    do {
      return try Request(jsonUTF8Data: body)
    } catch {
      throw APIError.badRequest(
        "the body is no \(Request.protoMessageName) in protobuf's JSON: \(error)")
    }
  }

  /// Makes a call with each queue's own jobs.
  ///
  /// - Returns: the outcomes in the order of the ids.
  private func each<Outcome>(
    _ ids: [UInt64], _ call: (any OperatedQueue, [JobID]) async throws(CallError) -> [Outcome]
  ) async throws -> [Outcome] {
    guard (1...configuration.pageJobsMax).contains(ids.count) else {
      throw APIError.badRequest(
        "jobIds must be 1 to \(configuration.pageJobsMax) ids, not \(ids.count)", param: "jobIds")
    }
    let jobs = ids.map { JobID(rawValue: $0) }
    var found: [JobID: Outcome] = [:]
    for (shard, own) in Dictionary(grouping: Set(jobs), by: \.shard).sorted(by: { $0.key < $1.key })
    {
      let own = own.sorted()
      for (id, outcome) in zip(own, try await call(queue(shard: shard), own)) {
        found[id] = outcome
      }
    }
    return jobs.compactMap { found[$0] }
  }

  // MARK: Queues

  private func chosen(_ shard: UInt16?) async throws -> [any OperatedQueue] {
    shard == nil ? queues : [try await queue(shard: shard)]
  }

  /// The only queue knows best what is not its own; of several, the one that has said to be it.
  private func queue(shard: UInt16?) async throws -> any OperatedQueue {
    if let only = queues.first, queues.count == 1 { return only }
    guard let shard else {
      throw APIError.badRequest(
        "there are \(queues.count) queues: name one, ?shard=N", param: "shard")
    }
    let sights = await watch.current().sights
    guard let index = sights.firstIndex(where: { $0.status?.shard == UInt32(shard) }) else {
      throw APIError(
        status: .serviceUnavailable, type: "server_error",
        message: "queue \(shard) has not answered yet", code: "unavailable",
        retryAfter: configuration.overloadRetryAfter)
    }
    return queues[index]
  }
}

extension Response {
  fileprivate static func text(json: String) -> Response {
    Response(
      status: .ok, headers: [.contentType: "application/json"],
      body: .init(byteBuffer: ByteBuffer(string: json)))
  }

  fileprivate static func message(_ message: some SwiftProtobuf.Message) throws -> Response {
    .text(json: try message.jsonString())
  }
}
