import Foundation
import RerankdProtocol
import SwiftProtobuf

/// A job as users write it: one JSON object.
///
///     {"query": "…", "documents": ["…", {"text": "…"}, {"image_url": "data:image/png;base64,…"},
///       {"content": [{"type": "text", "text": "…"}]}], "model": "builtin", "top_n": 3}
///
/// Further keys: instruction, tenant, priority, idempotency_key, reply_channel, reply_to,
/// not_before_ms, deadline_ms, max_attempts, allow_fallback, max_tokens_per_doc, over_budget
/// ("reject", "truncate", "windows") and document_failure ("fail_job", "per_document").
struct JobLine {
  var spec = JobSpec()
  var request = RerankRequest()

  init(spec: JobSpec, request: RerankRequest) {
    self.spec = spec
    self.request = request
  }

  /// The job as it is submitted.
  func job() throws -> RerankJob {
    var job = RerankJob()
    job.spec = spec
    job.request = try request.serializedData()
    return job
  }

  /// - Parameters:
  ///   - place: "FILE:LINE", for the error.
  ///   - defaults: what the command's flags say; the line goes before them.
  /// - Throws: ``InputError`` naming the place and the key.
  init(_ text: some StringProtocol, at place: String, defaults: JobLine) throws {
    guard case .object(let object) = try JSONValue.parse(text, at: place) else {
      throw InputError("\(place): expected a JSON object for a job")
    }
    self = defaults
    var reader = JobLineReader(object: object, place: place)
    request.query = try reader.required("query") { try ContentInput.content($0) }
    request.documents = try reader.required("documents") { value in
      guard case .array(let items) = value else { throw InputError("expected a list") }
      return try items.enumerated().map { index, item in
        do {
          return try ContentInput.content(item)
        } catch {
          throw InputError("[\(index)]: \(error)")
        }
      }
    }
    try reader.integer("top_n", 0...Int(UInt32.max)) { request.topN = UInt32($0) }
    try reader.string("instruction") { request.instruction = $0 }
    try reader.string("model") { spec.model = $0 }
    try reader.string("tenant") { spec.tenant = $0 }
    try reader.integer("priority", -100...100) { spec.priority = Int32($0) }
    try reader.string("idempotency_key") { spec.idempotencyKey = $0 }
    try reader.string("reply_channel") { spec.replyChannel = $0 }
    try reader.string("reply_to") { spec.replyTo = $0 }
    try reader.integer("not_before_ms", 0...Int.max) { spec.notBeforeMs = UInt64($0) }
    try reader.integer("deadline_ms", 0...Int.max) { spec.deadlineMs = UInt64($0) }
    try reader.integer("max_attempts", 0...Int(UInt32.max)) { spec.maxAttempts = UInt32($0) }
    try reader.boolean("allow_fallback") { spec.allowFallback = $0 }
    try reader.integer("max_tokens_per_doc", 0...Int(UInt32.max)) {
      request.maxTokensPerDoc = UInt32($0)
    }
    try reader.choice("over_budget", OverBudgetWord.self) { request.overBudget = $0.policy }
    try reader.choice("document_failure", DocumentFailureWord.self) {
      request.documentFailure = $0.policy
    }
    try reader.finish()
  }
}

/// Reads the keys of one object and reports those that nobody knows.
private struct JobLineReader {
  private var rest: [String: JSONValue]
  private let place: String
  private var known: [String] = []

  init(object: [String: JSONValue], place: String) {
    rest = object
    self.place = place
  }

  mutating func required<Value>(_ key: String, _ read: (JSONValue) throws -> Value) throws -> Value
  {
    guard let value = take(key) else { throw InputError("\(place): \"\(key)\" is missing") }
    do {
      return try read(value)
    } catch {
      throw InputError("\(place): \(key): \(error)")
    }
  }

  mutating func string(_ key: String, _ use: (String) -> Void) throws {
    guard let value = take(key) else { return }
    guard case .string(let text) = value else { throw wrong(key, "expected a text") }
    use(text)
  }

  mutating func integer(_ key: String, _ range: ClosedRange<Int>, _ use: (Int) -> Void) throws {
    guard let value = take(key) else { return }
    guard case .number(let number) = value, let integer = Int(exactly: number),
      range.contains(integer)
    else {
      throw wrong(key, "expected a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    use(integer)
  }

  mutating func boolean(_ key: String, _ use: (Bool) -> Void) throws {
    guard let value = take(key) else { return }
    guard case .bool(let flag) = value else { throw wrong(key, "expected true or false") }
    use(flag)
  }

  mutating func choice<Word: RawRepresentable<String> & CaseIterable>(
    _ key: String, _ words: Word.Type, _ use: (Word) -> Void
  ) throws {
    guard let value = take(key) else { return }
    guard case .string(let text) = value, let word = Word(rawValue: text) else {
      let words = words.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or ")
      throw wrong(key, "expected \(words)")
    }
    use(word)
  }

  func finish() throws {
    guard let unknown = rest.keys.min() else { return }
    throw InputError(
      "\(place): no such key: \"\(unknown)\"; known: \(known.sorted().joined(separator: ", "))")
  }

  private mutating func take(_ key: String) -> JSONValue? {
    known.append(key)
    let value = rest.removeValue(forKey: key)
    return value == .null ? nil : value
  }

  private func wrong(_ key: String, _ message: String) -> InputError {
    InputError("\(place): \(key): \(message)")
  }
}
