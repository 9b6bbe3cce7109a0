internal import Crypto
internal import RerankdProtocol
internal import ZeroMQ

/// Turns serialized `RerankJob`s into `Submission`s: jobs that the core can take without a further
/// look, or the error that their sender gets.
struct SubmissionValidator {
  let limits: IntakeLimits
  /// The catalogue: whether each model takes images.
  let takesImages: [String: Bool]

  /// - Parameters:
  ///   - reader: over one serialized RerankJob.
  ///   - path: where the job stands in the call, with a dot behind it where that is not the top:
  ///     "jobs[3].", "job.", "".
  func submission(_ reader: ProtobufReader, path: String) -> Submission {
    var violations = FieldViolations(listedMax: limits.violationsListedMax)
    do {
      var spec = SpecFields()
      var body: Range<Int>?
      var reader = reader
      while let field = try reader.next() {
        switch field.number {
        case 1: try spec.read(try reader.nested(field), "\(path)spec", into: &violations)
        case 2: body = try reader.range(field)
        default: continue
        }
      }
      check(spec, "\(path)spec", into: &violations)
      guard let takesImages = takesImages[spec.model] else {
        if let error = violations.error { return .refused(error) }
        return .refused(
          CallError(
            .notFound, "model \"\(spec.model)\" is not in the catalogue; ListModels says which are",
            reason: "MODEL_UNKNOWN", resource: spec.model))
      }
      let request = ProtobufReader(reader.bytes, in: body ?? 0..<0)
      if let body, body.count > limits.requestBytesMax {
        violations.add(
          "\(path)request", "has \(body.count) bytes; the limit is \(limits.requestBytesMax)")
      } else {
        RequestCheck(limits: limits, takesImages: takesImages, path: "\(path)request")
          .run(request, into: &violations)
      }
      if let error = violations.error { return .refused(error) }
      return .valid(job(spec, body: Array(reader.bytes[body ?? 0..<0])))
    } catch {
      violations.add("\(path)spec", "is no serialized RerankJob: \(error.message)")
      return .refused(
        violations.error ?? CallError(.invalidArgument, "no serialized RerankJob: \(error.message)")
      )
    }
  }

  private func job(_ spec: SpecFields, body: [UInt8]) -> NewJob {
    let key = spec.idempotencyKey.isEmpty ? nil : spec.idempotencyKey
    return NewJob(
      model: spec.model, tenant: spec.tenant.isEmpty ? defaultTenant : spec.tenant,
      priority: Int32(spec.priority), idempotencyKey: key,
      payloadHash: key.map { _ in Self.payloadHash(model: spec.model, body: body) },
      replyChannel: spec.replyChannel.isEmpty ? nil : spec.replyChannel,
      replyTo: spec.replyTo.isEmpty ? nil : spec.replyTo,
      traceparent: spec.traceparent.isEmpty ? nil : spec.traceparent,
      notBeforeMs: spec.notBeforeMs == 0 ? nil : Int64(spec.notBeforeMs),
      deadlineMs: spec.deadlineMs == 0 ? nil : Int64(spec.deadlineMs),
      maxAttempts: spec.maxAttempts == 0 ? nil : UInt32(spec.maxAttempts),
      allowFallback: spec.allowFallback, body: body)
  }

  /// SHA-256 of the model's name, a zero byte and the body: the same key with another question, or
  /// for another model, is another job. How urgent it is may differ.
  static func payloadHash(model: String, body: [UInt8]) -> [UInt8] {
    var hash = SHA256()
    hash.update(data: Array(model.utf8) + [0])
    hash.update(data: body)
    return Array(hash.finalize())
  }

  private func check(
    _ spec: SpecFields, _ path: String, into violations: inout FieldViolations
  ) {
    func checkLength(_ name: String, _ value: String, _ limit: Int) {
      guard value.utf8.count > limit else { return }
      violations.add("\(path).\(name)", "has \(value.utf8.count) bytes; the limit is \(limit)")
    }
    if spec.model.isEmpty { violations.add("\(path).model", "is empty; see ListModels") }
    checkLength("model", spec.model, limits.modelBytesMax)
    checkLength("tenant", spec.tenant, limits.tenantBytesMax)
    checkLength("idempotency_key", spec.idempotencyKey, limits.idempotencyKeyBytesMax)
    checkLength("reply_channel", spec.replyChannel, limits.channelBytesMax)
    checkLength("reply_to", spec.replyTo, limits.replyToBytesMax)
    checkLength("traceparent", spec.traceparent, limits.traceparentBytesMax)
    let priorities = limits.priorityRange
    if !(Int64(priorities.lowerBound)...Int64(priorities.upperBound)).contains(spec.priority) {
      violations.add(
        "\(path).priority",
        "is \(spec.priority); it goes from \(priorities.lowerBound) to \(priorities.upperBound)")
    }
    for (name, value) in [("not_before_ms", spec.notBeforeMs), ("deadline_ms", spec.deadlineMs)] {
      guard value > UInt64(limits.scheduleMsMax) else { continue }
      violations.add("\(path).\(name)", "is \(value); the limit is \(limits.scheduleMsMax)")
    }
    if spec.maxAttempts > UInt64(limits.attemptsMax) {
      violations.add(
        "\(path).max_attempts", "is \(spec.maxAttempts); the limit is \(limits.attemptsMax)")
    }
    if !spec.replyTo.isEmpty, !isAllowed(replyTo: spec.replyTo) {
      violations.add("\(path).reply_to", "is not on the queue's allow-list of endpoints")
    }
  }

  private func isAllowed(replyTo: String) -> Bool {
    guard limits.replyToPrefixes.contains(where: { replyTo.hasPrefix($0) }) else { return false }
    // libzmq reads C strings and has a syntax of its own for source addresses ("tcp://a;b").
    guard !replyTo.utf8.contains(where: { $0 < 0x20 || $0 == UInt8(ascii: ";") }) else {
      return false
    }
    return (try? Endpoint(replyTo)) != nil
  }
}

/// The tenant of jobs and consumers that name none.
let defaultTenant = "default"

/// A `JobSpec` as it was read, its ranges not yet checked.
private struct SpecFields {
  var model = ""
  var tenant = ""
  var priority: Int64 = 0
  var idempotencyKey = ""
  var replyChannel = ""
  var replyTo = ""
  var notBeforeMs: UInt64 = 0
  var deadlineMs: UInt64 = 0
  var maxAttempts: UInt64 = 0
  var traceparent = ""
  var allowFallback = false

  mutating func read(
    _ reader: ProtobufReader, _ path: String, into violations: inout FieldViolations
  ) throws(ProtobufReader.Malformed) {
    var reader = reader
    while let field = try reader.next() {
      func text(_ name: String) throws(ProtobufReader.Malformed) -> String {
        if let value = reader.string(try reader.range(field)) { return value }
        violations.add("\(path).\(name)", "is not UTF-8")
        return ""
      }
      switch field.number {
      case 1: model = try text("model")
      case 2: tenant = try text("tenant")
      case 3:
        // sint32: zigzag.
        let value = try reader.varint(field)
        priority = Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
      case 4: idempotencyKey = try text("idempotency_key")
      case 5: replyChannel = try text("reply_channel")
      case 6: replyTo = try text("reply_to")
      case 7: notBeforeMs = try reader.varint(field)
      case 8: deadlineMs = try reader.varint(field)
      case 9: maxAttempts = try reader.varint(field)
      case 10: traceparent = try text("traceparent")
      case 11: allowFallback = try reader.varint(field) != 0
      default: continue
      }
    }
  }
}
