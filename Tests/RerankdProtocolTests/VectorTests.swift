import Foundation
import RerankdProtocol
import SwiftProtobuf
import Testing

/// The files of protocol/vectors, which every codec of the protocol is held against.
@Suite struct VectorTests {
  @Test func validEnvelopesMeanWhatTheVectorsSay() throws {
    let vectors: [EnvelopeVector] = try load("envelopes")
    #expect(vectors.count >= 20)
    for vector in vectors {
      var envelope = try Envelope(frames: vector.frames.map(\.bytes))
      envelope.flags.formIntersection([.more, .end])
      let expected = try vector.means.envelope()
      #expect(envelope.withoutUnknownFields == expected, "\(vector.name)")
      if vector.canonical {
        #expect(expected.frames() == vector.frames.map(\.bytes), "\(vector.name)")
      }
    }
  }

  @Test func invalidEnvelopesAreRefusedByReasonAndFrame() throws {
    let vectors: [InvalidVector] = try load("invalid")
    #expect(vectors.count >= 30)
    for vector in vectors {
      let error = #expect(throws: EnvelopeError.self, "\(vector.name)") {
        try Envelope(frames: vector.frames.map(\.bytes))
      }
      #expect(error?.callError.details.reason == vector.error, "\(vector.name)")
      #expect(error?.frame == vector.frame, "\(vector.name)")
      #expect(error.map { String($0.callID) } == vector.callID, "\(vector.name)")
    }
  }

  @Test func sequencesComeToTheirWholeMessages() throws {
    let vectors: [SequenceVector] = try load("sequences")
    #expect(vectors.count >= 10)
    for vector in vectors {
      var assembler = MessageAssembler()
      var whole: [[UInt8]] = []
      var reason: String?
      do throws(EnvelopeError) {
        for frames in vector.messages {
          let envelope = try Envelope(frames: frames.map(\.bytes))
          if let message = try assembler.take(envelope) { whole.append(message) }
        }
      } catch {
        reason = error.callError.details.reason
      }
      #expect(reason == vector.error, "\(vector.name)")
      // As Data, which compares 64 MiB without looking at each byte in unoptimized code.
      #expect(whole.map { Data($0) } == vector.whole.map { Data($0.bytes) }, "\(vector.name)")
    }
  }

  @Test func jobIDsReadAndWriteTheirText() throws {
    let vectors: JobIDVectors = try load("job_ids")
    for vector in vectors.valid {
      let sequence = try #require(UInt64(vector.sequence))
      let id = JobID(shard: vector.shard, sequence: sequence)
      #expect(String(id.rawValue) == vector.id)
      #expect(id.description == vector.text)
      #expect(JobID(vector.text) == id)
    }
    for text in vectors.invalid { #expect(JobID(text) == nil, "'\(text)'") }
  }

  /// The codec that was written from PROTOCOL.md alone.
  @Test(.enabled(if: PythonCodec.isAvailable, "needs python3-protobuf and protobuf-compiler"))
  func pythonCodecAgreesWithTheVectors() throws {
    let (status, output) = try PythonCodec.run(["protocol/vectors/replay"])
    #expect(status == 0, "\(output)")
    #expect(output.contains("0 failures"))
  }

  private func load<Vectors: Decodable>(_ name: String) throws -> Vectors {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appending(path: "../../protocol/vectors/\(name).json")
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Vectors.self, from: Data(contentsOf: root))
  }
}

/// Debian's Python, with its protobuf package.
private enum PythonCodec {
  static var isAvailable: Bool {
    let probe = "import google.protobuf, shutil, sys; sys.exit(shutil.which('protoc') is None)"
    return (try? run(["-c", probe]).status) == 0
  }

  static func run(_ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
    process.arguments = ["-B"] + arguments
    process.currentDirectoryURL = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().appending(path: "../..")
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }
}

/// Hex, or one byte repeated.
private struct HexBytes: Decodable {
  let bytes: [UInt8]

  init(from decoder: any Swift.Decoder) throws {
    if let repeated = try? Repeated(from: decoder) {
      let unit = try #require(UInt8(repeated.repeat, radix: 16))
      bytes = [UInt8](repeating: unit, count: repeated.count)
    } else {
      bytes = try Self.bytes(ofHex: decoder.singleValueContainer().decode(String.self))
    }
  }

  private struct Repeated: Decodable {
    let `repeat`: String
    let count: Int
  }

  private static func bytes(ofHex text: String) throws -> [UInt8] {
    let digits = Array(text.utf8)
    return try stride(from: 0, to: digits.count, by: 2).map { index in
      let pair = String(decoding: digits[index..<index + 2], as: UTF8.self)
      return try #require(UInt8(pair, radix: 16))
    }
  }
}

private struct InvalidVector: Decodable {
  let name: String
  let frames: [HexBytes]
  let error: String
  let frame: Int
  private let callId: String

  var callID: String { callId }
}

private struct SequenceVector: Decodable {
  let name: String
  let messages: [[HexBytes]]
  let whole: [HexBytes]
  let error: String?
}

private struct JobIDVectors: Decodable {
  struct Valid: Decodable {
    let id: String
    let shard: UInt16
    let sequence: String
    let text: String
  }

  let valid: [Valid]
  let invalid: [String]
}

private struct EnvelopeVector: Decodable {
  let name: String
  let canonical: Bool
  let frames: [HexBytes]
  let means: Means

  struct Means: Decodable {
    let kind: String
    let callId: String
    let flags: [String]?
    let head: Head?
    let status: Status?
    let windowBytes: UInt32?
    let payload: HexBytes?

    func envelope() throws -> Envelope {
      let body: Envelope.Body
      switch kind {
      case "OPEN": body = .open(try #require(head).message, payload: payload?.bytes)
      case "MESSAGE": body = .message(payload: payload?.bytes)
      case "STATUS": body = .status(try #require(status).message, payload: payload?.bytes)
      case "CANCEL": body = .cancel
      case "WINDOW": body = .window(bytes: try #require(windowBytes))
      case "PING": body = .ping
      case "PONG": body = .pong
      default: body = .reject(try #require(status).message)
      }
      var bits: Envelope.Flags = []
      for flag in flags ?? [] { bits.insert(flag == "MORE" ? .more : .end) }
      return Envelope(callID: try #require(UInt64(callId)), flags: bits, body)
    }
  }

  struct Head: Decodable {
    let method: String
    let timeoutMs: UInt64?
    let metadata: [String: String]?

    var message: CallHead {
      var head = CallHead()
      head.method = method
      head.timeoutMs = timeoutMs ?? 0
      head.metadata = metadata ?? [:]
      return head
    }
  }

  struct Status: Decodable {
    struct Details: Decodable {
      struct Violation: Decodable {
        let field: String
        let description: String
      }

      let retryAfterMs: UInt64?
      let reason: String?
      let resource: String?
      let violations: [Violation]?
    }

    let code: UInt32?
    let message_: String?
    let details: Details?

    private enum CodingKeys: String, CodingKey {
      case code
      case message_ = "message"
      case details
    }

    var message: CallStatus {
      var status = CallStatus()
      status.code = code ?? 0
      status.message = message_ ?? ""
      if let details {
        status.details.retryAfterMs = details.retryAfterMs ?? 0
        status.details.reason = details.reason ?? ""
        status.details.resource = details.resource ?? ""
        status.details.violations = (details.violations ?? []).map {
          var violation = FieldViolation()
          violation.field = $0.field
          violation.description_p = $0.description
          return violation
        }
      }
      return status
    }
  }
}

extension Envelope {
  /// Fields of later versions are kept by SwiftProtobuf, and are not what the vectors are about.
  fileprivate var withoutUnknownFields: Envelope {
    var copy = self
    switch body {
    case .status(var status, let payload):
      status.unknownFields = UnknownStorage()
      copy.body = .status(status, payload: payload)
    case .open(var head, let payload):
      head.unknownFields = UnknownStorage()
      copy.body = .open(head, payload: payload)
    default: break
    }
    return copy
  }
}
