import RerankdProtocol
import SwiftProtobuf
import Testing

@testable import QueueRole

@Suite struct ShellValidatorTests {
  private func submission(_ job: RerankJob) throws -> Submission {
    Sample.decoder.validator.submission(ProtobufReader(try job.serializedBytes()), path: "")
  }

  private func fields(_ change: (inout RerankRequest) -> Void) throws -> [String] {
    var request = Sample.request
    change(&request)
    return try submission(Sample.job(request)).fields
  }

  private func specFields(_ change: (inout JobSpec) -> Void) throws -> [String] {
    try submission(Sample.job(Sample.request, change)).fields
  }

  @Test func validJobKeepsWhatItSays() throws {
    let sample = try Sample.job(Sample.request) {
      $0.tenant = "acme"
      $0.priority = -7
      $0.replyChannel = "answers"
      $0.replyTo = "ipc:///tmp/answers"
      $0.notBeforeMs = 5
      $0.deadlineMs = 60_000
      $0.maxAttempts = 2
      $0.traceparent = "00-1-2-01"
    }
    let job = try #require(try submission(sample).job)
    #expect(job.model == Sample.model)
    #expect(job.tenant == "acme")
    #expect(job.priority == -7)
    #expect(job.idempotencyKey == nil)
    #expect(job.payloadHash == nil)
    #expect(job.replyChannel == "answers")
    #expect(job.replyTo == "ipc:///tmp/answers")
    #expect(job.notBeforeMs == 5)
    #expect(job.deadlineMs == 60_000)
    #expect(job.maxAttempts == 2)
    #expect(job.traceparent == "00-1-2-01")
    #expect(job.body == Array(sample.request))
  }

  @Test func unsetFieldsTakeDefaults() throws {
    let job = try #require(try submission(Sample.job()).job)
    #expect(job.tenant == "default")
    #expect(job.priority == 0)
    #expect(job.notBeforeMs == nil)
    #expect(job.deadlineMs == nil)
    #expect(job.maxAttempts == nil)
    #expect(job.replyTo == nil)
  }

  @Test func keyedJobHashesModelAndRequestButNotUrgency() throws {
    let plain = try #require(try submission(Sample.job { $0.idempotencyKey = "k" }).job)
    let urgent = try #require(
      try submission(
        Sample.job {
          $0.idempotencyKey = "k"
          $0.priority = 9
        }
      ).job)
    var other = Sample.request
    other.topN = 1
    let changed = try #require(try submission(Sample.job(other) { $0.idempotencyKey = "k" }).job)
    #expect(plain.payloadHash?.count == 32)
    #expect(plain.payloadHash == urgent.payloadHash)
    #expect(plain.payloadHash != changed.payloadHash)
  }

  /// From Python: hashlib.sha256(b"m\0abc").hexdigest()
  @Test func payloadHashIsSHA256() {
    let hash = SubmissionValidator.payloadHash(model: "m", body: Array("abc".utf8))
    let hexadecimal = hash.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    #expect(hexadecimal == "a79f8df620e1740b87171445fcb927a142d9089d607e52b24bdb1c9f9480b9e3")
  }

  @Test func requestNeedsQueryAndDocuments() throws {
    #expect(try fields { $0.clearQuery() } == ["request.query"])
    #expect(try fields { $0.query = Sample.content("") } == ["request.query"])
    #expect(try fields { $0.documents = [] } == ["request.documents"])
    #expect(
      try submission(Sample.job(RerankRequest())).fields == ["request.query", "request.documents"])
  }

  @Test func optionsAreKnownOnesWithinTheirRange() throws {
    for policy: OverBudgetPolicy in [.reject, .truncate, .windows] {
      #expect(try fields { $0.overBudget = policy } == [])
    }
    #expect(try fields { $0.overBudget = .UNRECOGNIZED(3) } == ["request.over_budget"])
    #expect(try fields { $0.maxTokensPerDoc = .max } == [])
    // 2³², as no generated code would write it.
    let tooMany: [UInt8] = [0x80, 0x80, 0x80, 0x80, 0x10]
    var job = try Sample.job()
    for (tag, field): (UInt8, String) in [(3 << 3, "top_n"), (7 << 3, "max_tokens_per_doc")] {
      job.request = try Sample.request.serializedData() + [tag] + tooMany
      #expect(try submission(job).fields == ["request.\(field)"])
    }
  }

  @Test func emptyDocumentIsNamed() throws {
    #expect(try fields { $0.documents[1] = Sample.content("") } == ["request.documents[1]"])
    #expect(try fields { $0.documents[2] = Content() } == ["request.documents[2]"])
    #expect(try fields { $0.documents[0] = Sample.content("", "text") } == [])
  }

  @Test func documentsAreCounted() throws {
    let many = { (count: Int) in Array(repeating: Sample.content("d"), count: count) }
    #expect(try fields { $0.documents = many(5) } == [])
    #expect(try fields { $0.documents = many(6) } == ["request.documents"])
  }

  @Test func documentTextIsBoundedOverItsParts() throws {
    let half = String(repeating: "x", count: 50)
    #expect(try fields { $0.documents[1] = Sample.content(half, half) } == [])
    #expect(
      try fields { $0.documents[1] = Sample.content(half, half + "x") } == ["request.documents[1]"])
    #expect(
      try fields { $0.query = Sample.content(half, half + "x") } == ["request.query"])
  }

  @Test func largeRequestIsRefusedByItsSize() throws {
    var request = Sample.request
    request.documents[0] = Sample.image(Array(repeating: 0, count: 3_000))
    let job = try Sample.job(request) { $0.model = Sample.imageModel }
    #expect(try submission(job).fields == ["request"])
  }

  @Test func invalidUTF8NamesItsPart() throws {
    // The text "No more", spoilt in place: lengths stay right.
    var bytes: [UInt8] = try Sample.submit(Sample.job())
    let text = Array("No more".utf8)
    let start = try #require(bytes.indices.first { bytes[$0...].starts(with: text) })
    for spoilt: [UInt8] in [[0xFF], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80]] {
      bytes.replaceSubrange(start..<(start + spoilt.count), with: spoilt)
      let inputs = try Sample.decoder.inputs(Sample.call, .submit, bytes, isFirst: true)
      guard case .submit(_, let submissions) = inputs[0] else {
        Issue.record("no submit")
        return
      }
      #expect(submissions[0].fields == ["jobs[0].request.documents[2].parts[0].text"])
    }
  }

  @Test func utf8CheckAgreesWithTheStandardLibrary() {
    var random = SplitMix64(seed: 1)
    for _ in 0..<20_000 {
      let bytes = (0..<Int.random(in: 0...12, using: &random)).map { _ in
        [0x41, 0x7F, 0x80, 0xBF, 0xC2, 0xE0, 0xED, 0xF0, 0xF4, 0x9F, 0xA0, 0x8F, 0x90]
          .randomElement(using: &random) ?? 0
      }.map { UInt8($0) }
      let isValid = String(validating: bytes, as: UTF8.self) != nil
      #expect(ProtobufReader(bytes).isUTF8(bytes.indices) == isValid, "\(bytes)")
    }
  }

  @Test func imagesNeedAModelThatTakesThem() throws {
    #expect(try fields { $0.documents[1] = Sample.image() } == ["request.documents[1]"])
    var request = Sample.request
    request.documents[1] = Sample.image()
    request.query = Sample.image(url: "https://example.org/cat.png")
    #expect(try submission(Sample.job(request) { $0.model = Sample.imageModel }).error == nil)
  }

  @Test func imageNeedsDataOrWebAddress() throws {
    for image in [Sample.image([]), Sample.image(url: "file:///etc/passwd"), Sample.image(url: "")]
    {
      var request = Sample.request
      request.documents[0] = image
      let job = try Sample.job(request) { $0.model = Sample.imageModel }
      #expect(try submission(job).fields == ["request.documents[0].parts[0].image"])
    }
  }

  @Test func unknownModelIsNotFound() throws {
    let error = try #require(try submission(Sample.job { $0.model = "gone" }).error)
    #expect(error.code == .notFound)
    #expect(error.details.resource == "gone")
  }

  @Test func specIsChecked() throws {
    #expect(try specFields { $0.model = "" } == ["spec.model"])
    #expect(try specFields { $0.priority = 101 } == ["spec.priority"])
    #expect(try specFields { $0.priority = .min } == ["spec.priority"])
    #expect(try specFields { $0.priority = -100 } == [])
    #expect(try specFields { $0.maxAttempts = 101 } == ["spec.max_attempts"])
    #expect(try specFields { $0.deadlineMs = .max } == ["spec.deadline_ms"])
    #expect(try specFields { $0.notBeforeMs = .max } == ["spec.not_before_ms"])
    let long = String(repeating: "n", count: 600)
    #expect(try specFields { $0.tenant = long } == ["spec.tenant"])
    #expect(try specFields { $0.idempotencyKey = long } == ["spec.idempotency_key"])
    #expect(try specFields { $0.replyChannel = long } == ["spec.reply_channel"])
    #expect(try specFields { $0.traceparent = long } == ["spec.traceparent"])
  }

  @Test(arguments: [
    "tcp://10.0.0.1:99", "tcp://example.org:99", "tcp://127.0.0.1", "tcp://127.0.0.1:99;10.0.0.1:9",
    "ipc://", "inproc://queue", "http://127.0.0.1:99", "tcp://127.0.0.1.example.org:99",
  ])
  func replyToOutsideTheAllowListIsRefused(endpoint: String) throws {
    #expect(try specFields { $0.replyTo = endpoint } == ["spec.reply_to"])
  }

  @Test(arguments: ["tcp://127.0.0.1:99", "tcp://localhost:99", "ipc:///run/answers"])
  func replyToOnThisMachineIsAllowed(endpoint: String) throws {
    #expect(try specFields { $0.replyTo = endpoint } == [])
  }

  @Test func manyViolationsAreCountedAndFewListed() throws {
    let violations = {
      var violations = FieldViolations(listedMax: 2)
      for index in 0..<1_000 { violations.add("f[\(index)]", "is wrong") }
      return violations
    }()
    let error = try #require(violations.error)
    #expect(error.details.violations.map(\.field) == ["f[0]", "f[1]"])
    #expect(error.message == "f[0]: is wrong (and 999 more)")
  }

  @Test func everyCutOfAJobIsRefusedOrAJob() throws {
    let whole: [UInt8] = try Sample.job { $0.idempotencyKey = "k" }.serializedBytes()
    for length in 0..<whole.count {
      let cut = ProtobufReader(Array(whole.prefix(length)))
      #expect(Sample.decoder.validator.submission(cut, path: "").error != nil, "\(length)")
    }
  }

  @Test func acceptedRandomBytesAreReadableRequests() throws {
    var random = SplitMix64(seed: 2)
    let whole: [UInt8] = try Sample.job().serializedBytes()
    var accepted = 0
    for _ in 0..<3_000 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(
          in: .min ... .max, using: &random)
      }
      let submission = Sample.decoder.validator.submission(ProtobufReader(bytes), path: "")
      guard let job = submission.job else { continue }
      accepted += 1
      #expect(throws: Never.self) { try RerankRequest(serializedBytes: job.body) }
    }
    #expect(accepted > 0)
  }
}
