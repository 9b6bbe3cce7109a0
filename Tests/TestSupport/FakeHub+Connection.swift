import Foundation
import Glibc
import Synchronization

/// One connection of a client, served by one thread until either side ends it.
struct HubConnection {
  let descriptor: Int32
  let models: [String]
  let state: FakeHub.SharedState

  private static let headBytesMax = 64 << 10

  func serve() {
    var received: [UInt8] = []
    while let request = readRequest(&received), answer(request) {}
    state.fields.withLock { _ = $0.connections.remove(descriptor) }
    close(descriptor)
  }

  /// The next request, or nil when the client is gone or what it sent is no HTTP.
  private func readRequest(_ received: inout [UInt8]) -> FakeHub.Request? {
    let separator = Array("\r\n\r\n".utf8)
    var headEnd = received.firstRange(of: separator)
    while headEnd == nil {
      guard received.count < Self.headBytesMax, receive(into: &received) else { return nil }
      headEnd = received.firstRange(of: separator)
    }
    guard let headEnd else { return nil }
    let lines = String(decoding: received[..<headEnd.lowerBound], as: UTF8.self)
      .components(separatedBy: "\r\n")
    let start = lines[0].split(separator: " ")
    guard start.count == 3 else { return nil }
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let field = line.split(separator: ":", maxSplits: 1)
      guard field.count == 2 else { return nil }
      headers[field[0].lowercased()] = field[1].trimmingCharacters(in: .whitespaces)
    }
    let end = headEnd.upperBound + (headers["content-length"].flatMap { Int($0) } ?? 0)
    while received.count < end {
      guard receive(into: &received) else { return nil }
    }
    let body = String(decoding: received[headEnd.upperBound..<end], as: UTF8.self)
    received.removeFirst(end)
    return FakeHub.Request(
      method: String(start[0]), path: String(start[1]), headers: headers, body: body,
      receivedAt: .now)
  }

  private func receive(into received: inout [UInt8]) -> Bool {
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    let count = recv(descriptor, &chunk, chunk.count, 0)
    guard count > 0 else { return false }
    received += chunk[..<count]
    return true
  }

  /// - Returns: whether the connection goes on.
  private func answer(_ request: FakeHub.Request) -> Bool {
    let pages = state.fields.withLock { fields in
      if fields.requests.count < FakeHub.recordedRequestsMax { fields.requests.append(request) }
      return fields.pages
    }
    if let page = pages?(request) { return send(page) }
    let isRerank = request.method == "POST" && request.path.hasSuffix("/rerank")
    let (token, scripted, listing) = state.fields.withLock { fields in
      guard isRerank else {
        return (fields.token, FakeHub.Answer?.none, fields.listings[request.path])
      }
      fields.rerankCount += 1
      fields.inFlight += 1
      fields.inFlightMax = max(fields.inFlightMax, fields.inFlight)
      let answer = fields.script.isEmpty ? fields.fallback : fields.script.removeFirst()
      return (fields.token, answer, nil)
    }
    defer {
      if isRerank { state.fields.withLock { $0.inFlight -= 1 } }
    }
    // As a proxy it leads to itself, wherever else it is asked to.
    if request.method == "CONNECT" { return write(Array("HTTP/1.1 200 Connected\r\n\r\n".utf8)) }
    guard request.headers["authorization"] == "Bearer \(token)" else {
      return send(.unauthorized, to: nil)
    }
    if var scripted {
      while case .chosen(let choose) = scripted { scripted = choose(request) }
      return send(scripted, to: request.body)
    }
    if let listing { return sendResponse(status: 200, body: listing) }
    guard request.method == "GET", request.path == "/v1/models" else {
      return send(.notFound, to: nil)
    }
    let data = models.map { #"{"id":"\#($0)","object":"model","created":1700000000}"# }
    return sendResponse(
      status: 200, body: #"{"object":"list","data":[\#(data.joined(separator: ","))]}"#)
  }

  private func send(_ page: FakeHub.Page) -> Bool {
    let head = head(status: page.status, headers: page.headers, bytes: page.body.count)
    let isSent = write(Array(head.utf8) + page.body.prefix(page.cutAfter ?? page.body.count))
    return isSent && page.cutAfter == nil
  }

  private func send(_ answer: FakeHub.Answer, to body: String?) -> Bool {
    switch answer {
    case .response(let status, let headers, let body):
      return sendResponse(status: status, headers: headers, body: body)
    case .hang:
      var ignored: [UInt8] = []
      while receive(into: &ignored) { ignored = [] }
      return false
    case .resetBeforeHead:
      return resetConnection()
    case .oversized(let bytes):
      let padding = String(repeating: "x", count: bytes)
      return sendResponse(status: 200, body: #"{"id":"\#(padding)","results":[]}"#)
    case .scores, .delayed, .drip, .resetInBody, .altered, .chosen:
      guard let scored = scoredBody(for: body ?? "", answer: answer) else {
        return send(.failure(400, message: "The request is malformed."), to: nil)
      }
      return sendScored(scored, answer: answer)
    }
  }

  private func sendScored(_ body: String, answer: FakeHub.Answer) -> Bool {
    switch answer {
    case .delayed(let duration):
      pause(duration)
    case .drip(let interval):
      guard write(Array(head(status: 200, bytes: body.utf8.count).utf8)) else { return false }
      for byte in body.utf8 {
        pause(interval)
        guard write([byte]) else { return false }
      }
      return true
    case .resetInBody:
      let half = body.utf8.prefix(body.utf8.count / 2)
      guard write(Array(head(status: 200, bytes: body.utf8.count).utf8) + Array(half)) else {
        return false
      }
      // The reset must not overtake the half in the client's receive buffer.
      pause(.milliseconds(20))
      return resetConnection()
    default:
      break
    }
    return sendResponse(status: 200, body: body)
  }

  /// nil when the request is not one that a hub would take.
  private func scoredBody(for request: String, answer: FakeHub.Answer) -> String? {
    guard let fields = try? JSONSerialization.jsonObject(with: Data(request.utf8)),
      let object = fields as? [String: Any],
      let model = object["model"] as? String, models.contains(model),
      let query = object["query"].flatMap(Self.text(of:)),
      let documents = object["documents"] as? [Any], !documents.isEmpty
    else { return nil }
    let texts = documents.compactMap(Self.text(of:))
    guard texts.count == documents.count else { return nil }
    var results = texts.enumerated().map { index, text in
      FakeHub.Result(
        index: index, text: text, score: FakeHub.score(query: query, document: text))
    }
    results.sort { $0.score > $1.score }
    if let top = object["top_n"] as? Int { results = Array(results.prefix(top)) }
    if case .altered(let alter) = answer { results = alter(results) }
    let words = texts.reduce(query.split(separator: " ").count) {
      $0 + $1.split(separator: " ").count
    }
    let encoded: [String: Any] = [
      "id": "rerank-1", "model": model,
      "results": results.map { result in
        [
          "index": result.index, "document": ["text": result.text],
          "relevance_score": result.score,
        ] as [String: Any]
      },
      "usage": ["prompt_tokens": words, "total_tokens": words],
    ]
    guard let data = try? JSONSerialization.data(withJSONObject: encoded) else { return nil }
    return String(decoding: data, as: UTF8.self)
  }

  /// A string, or the texts and image URLs of a list of content parts.
  private static func text(of content: Any) -> String? {
    if let text = content as? String { return text }
    let object = content as? [String: Any]
    guard let parts = object?["content"] as? [[String: Any]] else { return nil }
    return parts.compactMap { part in
      part["text"] as? String ?? (part["image_url"] as? [String: Any])?["url"] as? String
    }.joined(separator: " ")
  }

  private func sendResponse(status: Int, headers: [String: String] = [:], body: String) -> Bool {
    write(Array((head(status: status, headers: headers, bytes: body.utf8.count) + body).utf8))
  }

  private func head(status: Int, headers: [String: String] = [:], bytes: Int) -> String {
    let lines = headers.map { "\($0.key): \($0.value)\r\n" }.joined()
    return "HTTP/1.1 \(status) Scripted\r\ncontent-type: application/json\r\n"
      + "content-length: \(bytes)\r\n\(lines)\r\n"
  }

  private func write(_ bytes: [UInt8]) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }

  private func resetConnection() -> Bool {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    return false
  }

  private func pause(_ duration: Duration) {
    usleep(useconds_t(duration / .microseconds(1)))
  }
}
