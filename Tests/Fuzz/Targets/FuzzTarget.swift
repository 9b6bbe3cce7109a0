import Foundation
import RerankdProtocol
import SwiftProtobuf

@testable import EmbeddedEngine
@testable import GatewayRole
@testable import QueueRole
@testable import Scoring
@testable import Tokenization

/// What comes from outside, each fed with any bytes: it takes them or throws an error of its own, and
/// what it takes keeps its promises. A broken one traps, as libFuzzer expects it.
///
/// `Tests/Fuzz/run TARGET` looks for bytes that break one, guided by coverage; what it found is in
/// `Tests/Fuzz/Corpus`, which the suite runs again, with damage of its own.
public enum FuzzTarget: String, CaseIterable, Sendable {
  /// The frames of a message between processes.
  case envelope
  /// A message of each method, as the queue takes it.
  case calls
  /// A job of the bare intake.
  case bare
  /// The gateway's bodies, in the words of each API.
  case rerankBody = "rerank-body"
  /// The header of an image.
  case image
  /// An image inside a text.
  case dataURL = "data-url"
  /// A tokenizer.json, and a text for it.
  case tokenizer
  /// The header of a safetensors file.
  case safetensors

  public func run(_ bytes: [UInt8]) {
    switch self {
    case .envelope: Self.envelope(bytes)
    case .calls: Self.calls(bytes)
    case .bare: Self.bare(bytes)
    case .rerankBody: Self.rerankBody(bytes)
    case .image: Self.image { () throws(EngineError) in try ImageHeader(parsing: bytes) }
    case .dataURL:
      let text = String(decoding: bytes, as: UTF8.self)
      Self.image { () throws(EngineError) in try ImageHeader(dataURL: text) }
    case .tokenizer: Self.tokenizer(bytes)
    case .safetensors: Self.safetensors(bytes)
    }
  }
}

// The wire.
extension FuzzTarget {
  /// Frames are each a length of two bytes and as many bytes as there are of them.
  private static func envelope(_ bytes: [UInt8]) {
    var frames: [[UInt8]] = []
    var rest = bytes[...]
    while rest.count >= 2 {
      let length = Int(rest[rest.startIndex]) << 8 | Int(rest[rest.startIndex + 1])
      frames.append(Array(rest.dropFirst(2).prefix(length)))
      rest = rest.dropFirst(2 + length)
    }
    guard let envelope = try? Envelope(frames: frames) else { return }
    let again = try? Envelope(frames: envelope.frames())
    precondition(again == envelope, "an envelope is another one after it was written and read")
  }

  private static let limits = IntakeLimits()
  private static let decoder = CallDecoder(
    limits: limits, takesImages: ["builtin": false, "images": true])
  private static let call = CallRef(peer: PeerID(rawValue: 1), call: 7)

  /// The first byte chooses the method, and whether the message is a stream's first.
  private static func calls(_ bytes: [UInt8]) {
    guard let first = bytes.first else { return }
    let methods = RerankdProtocol.Method.allCases
    let method = methods[Int(first >> 1) % methods.count]
    do {
      let inputs = try decoder.inputs(
        call, method, Array(bytes.dropFirst()), isFirst: first & 1 == 1)
      for case .submit(_, let jobs) in inputs { jobs.forEach(check) }
      for case .rerank(_, let job, _) in inputs { check(job) }
    } catch {
      precondition(error.code != .ok, "an error has a code")
    }
  }

  private static func bare(_ bytes: [UInt8]) {
    guard case .bare(let job, let excerpt) = decoder.bare(bytes) else {
      preconditionFailure("a bare message is a bare job")
    }
    precondition(excerpt.count <= limits.excerptBytesMax, "excerpts are bounded")
    check(job)
  }

  /// What was taken can be given to a worker.
  private static func check(_ submission: Submission) {
    guard case .valid(let job) = submission else { return }
    do {
      let request = try RerankRequest(serializedBytes: job.body)
      precondition((1...limits.documentsMax).contains(request.documents.count))
    } catch {
      preconditionFailure("a job was taken whose request cannot be read: \(error)")
    }
    precondition(job.maxAttempts != 0 && !job.model.isEmpty)
  }
}

// HTTP and images.
extension FuzzTarget {
  private static func rerankBody(_ bytes: [UInt8]) {
    let data = Data(bytes)
    let bodies: [() throws -> RerankBody] = [
      { try JSONDecoder().decode(OpenRerankBody.self, from: data).body },
      { try JSONDecoder().decode(CohereRerankBody.self, from: data).body },
    ]
    for read in bodies {
      do {
        let body = try read()
        _ = body.documents.map { $0.content.parts.count }
      } catch let error as DecodingError {
        _ = APIError(error)
      } catch {
        precondition(error is APIError, "\(type(of: error)) is no answer to a client")
      }
    }
  }

  private static func image(_ read: () throws(EngineError) -> ImageHeader) {
    do throws(EngineError) {
      let header = try read()
      precondition(header.width > 0 && header.height > 0, "an image has an area")
      let tokens = ImageTokens.count(width: header.width, height: header.height)
      precondition((0...ImageTokens.tokensMax).contains(tokens))
    } catch {
      precondition(!error.message.isEmpty)
    }
  }
}

// Models.
extension FuzzTarget {
  /// The definition, and after a byte 0 the text.
  private static func tokenizer(_ bytes: [UInt8]) {
    let parts = bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
    let text = parts.count > 1 ? String(decoding: parts[1], as: UTF8.self) : "the cat's e\u{301} 日"
    do {
      let settings = try TokenizerSettings(JSONValue(parsing: Array("{}".utf8)))
      let tokenizer = try TokenizerDefinition(
        JSONValue(parsing: Array(parts[0])), settings: settings, controlTokens: .recognised
      ).tokenizer
      _ = tokenizer.encode(text)
    } catch {
      precondition(!error.message.isEmpty, "an error says what is wrong")
    }
  }

  private static func safetensors(_ bytes: [UInt8]) {
    guard bytes.count >= 8 else { return }
    let size = 8 + bytes.count + 4_096
    guard
      let tensors = try? SafetensorsFile.tensors(
        header: Data(bytes), label: "fuzz", dataStart: 8 + bytes.count, size: size)
    else { return }
    var end = 8 + bytes.count
    for tensor in tensors.values.sorted(by: { $0.offset < $1.offset }) where tensor.byteCount > 0 {
      precondition(tensor.offset == end, "tensors neither overlap nor leave holes")
      end += tensor.byteCount
    }
    precondition(tensors.isEmpty || end == size, "tensors end where the file does")
  }
}
