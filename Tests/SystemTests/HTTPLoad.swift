import Foundation
import RerankdProtocol
import Synchronization
import TestSupport

/// A client of the gateway that goes on while processes die around it: each request is made again,
/// under its own key, until it is answered.
final class HTTPLoad: Sendable {
  private let name: String
  private let models: [String]
  private let history: JobHistory
  private let port: UInt16
  private let isStopped = Mutex(false)

  init(name: String, models: [String], history: JobHistory, port: UInt16) {
    self.name = name
    self.models = models
    self.history = history
    self.port = port
  }

  func stop() {
    isStopped.withLock { $0 = true }
  }

  /// Returns when it was stopped and its last request was answered.
  func run() async throws {
    var number = 0
    while !isStopped.withLock(\.self) {
      let (key, model) = ("\(name)-\(number)", models[number % models.count])
      number += 1
      let documents = ["this is \(key)", "Paris is its capital."]
      try history.willSend(.make(documents: documents, model: model, key: key))
      let body = """
        {"model":"\(model)","query":"what is the capital of France?",
         "documents":["\(documents.joined(separator: #"",""#))"]}
        """
      history.note(answer: try await answer(to: body, key), of: key)
      // The other producers need the processors as well.
      try await Task.sleep(for: .milliseconds(50))
    }
  }

  private func answer(to body: String, _ key: String) async throws -> [RankedDocument] {
    let deadline = ContinuousClock.now + .seconds(180)
    while true {
      let arguments = RunningGateway.arguments(
        url: "http://127.0.0.1:\(port)/v1/rerank", json: body,
        headers: ["Idempotency-Key: \(key)", "X-Request-Timeout: 600"])
      // Connections that are refused, cut and silent are part of the game.
      let reply = try? await RunningGateway.reply(
        ChildProcess(RunningGateway.curl, arguments: arguments))
      switch reply?.status {
      case 200:
        return try JSONDecoder.snakeCase.decode(Answer.self, from: Data((reply?.body ?? "").utf8))
          .results.map(\.document)
      case nil, 429, 502, 503, 504:
        guard .now < deadline else {
          throw BrokenPromise("\(key) was not answered: \(reply?.body ?? "no answer")")
        }
        history.noteResubmission()
        try await Task.sleep(for: .milliseconds(50))
      case let status?:
        throw BrokenPromise("\(key) was answered \(status): \(reply?.body ?? "")")
      }
    }
  }

  private struct Answer: Decodable {
    var results: [RankedAnswer]
  }
}

/// A document's place in a ranking, as JSON has it.
struct RankedAnswer: Decodable {
  var index: UInt32
  var relevanceScore: Float

  var document: RankedDocument {
    var document = RankedDocument()
    document.index = index
    document.relevanceScore = relevanceScore
    return document
  }
}

extension JSONDecoder {
  static var snakeCase: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return decoder
  }
}
