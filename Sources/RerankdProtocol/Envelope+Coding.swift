internal import SwiftProtobuf

extension Envelope {
  static let headerBytes = 16

  /// The multipart message to send. It does not look at limits: `fragmented` keeps payloads within
  /// them.
  public func frames() -> [[UInt8]] {
    var frames = [header()]
    switch body {
    case .open(let head, let payload):
      frames.append(serialized(head))
      if let payload { frames.append(payload) }
    case .message(let payload):
      if let payload { frames.append(payload) }
    case .status(let status, let payload):
      frames.append(serialized(status))
      if let payload { frames.append(payload) }
    case .reject(let status):
      frames.append(serialized(status))
    case .window(let bytes):
      frames.append(littleEndianBytes(bytes))
    case .cancel, .ping, .pong:
      break
    }
    return frames
  }

  /// Written in place: every message has one.
  private func header() -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Self.headerBytes) { buffer, count in
      let bytes = UnsafeMutableRawBufferPointer(buffer)
      bytes[0] = UInt8(ascii: "R")
      bytes[1] = UInt8(ascii: "K")
      bytes[2] = Self.version
      bytes[3] = body.kind.rawValue
      bytes.storeBytes(of: flags.rawValue.littleEndian, toByteOffset: 4, as: UInt16.self)
      bytes.storeBytes(of: 0, toByteOffset: 6, as: UInt16.self)
      bytes.storeBytes(of: callID.littleEndian, toByteOffset: 8, as: UInt64.self)
      count = Self.headerBytes
    }
  }

  /// Serializing fails for missing required fields and for messages over 2 GiB. proto3 has no
  /// required fields, and neither a head nor a status comes near that size.
  private func serialized(_ message: some SwiftProtobuf.Message) -> [UInt8] {
    do {
      return try message.serializedBytes()
    } catch {
      preconditionFailure("a \(type(of: message)) cannot be serialized: \(error)")
    }
  }
}

extension Envelope {
  /// Reads a received multipart message.
  ///
  /// Flags and reserved bytes that this version does not know are ignored.
  /// - Throws: `EnvelopeError` naming the frame and what is wrong with it.
  public init(frames: [[UInt8]], limits: ProtocolLimits = ProtocolLimits()) throws(EnvelopeError) {
    let header = try Header(frames.first ?? [])
    let reader = FrameReader(frames: frames, header: header, limits: limits)
    self.init(callID: header.callID, flags: header.flags, try reader.body())
  }

  private struct Header {
    let kind: UInt8
    let flags: Flags
    let callID: UInt64

    init(_ bytes: [UInt8]) throws(EnvelopeError) {
      guard bytes.count >= 3, bytes[0] == UInt8(ascii: "R"), bytes[1] == UInt8(ascii: "K") else {
        throw EnvelopeError(
          .notAnEnvelope, "expected a header that begins with 'RK', got \(bytes.count) bytes")
      }
      // The version comes before the length: a later version may have another header.
      guard bytes[2] == Envelope.version else {
        throw EnvelopeError(
          .unsupportedVersion(bytes[2]),
          "protocol version \(bytes[2]) is not spoken here; supported versions: "
            + "\(Envelope.version) to \(Envelope.version)")
      }
      guard bytes.count == Envelope.headerBytes else {
        throw EnvelopeError(
          .notAnEnvelope, "expected a header of \(Envelope.headerBytes) bytes, got \(bytes.count)")
      }
      kind = bytes[3]
      flags = Flags(rawValue: littleEndianInteger(bytes, at: 4))
      callID = littleEndianInteger(bytes, at: 8)
    }
  }

  private struct FrameReader {
    let frames: [[UInt8]]
    let header: Header
    let limits: ProtocolLimits

    func body() throws(EnvelopeError) -> Body {
      guard let kind = Body.Kind(rawValue: header.kind) else {
        throw EnvelopeError(
          .unknownKind(header.kind), "unknown kind \(header.kind)", callID: header.callID)
      }
      let namesCall = header.callID != 0
      switch kind {
      case .open, .message, .status, .cancel, .window:
        guard namesCall else { throw malformed(0, "kind \(header.kind) needs a call id") }
      case .ping, .pong:
        guard !namesCall else { throw malformed(0, "PING and PONG have call id 0") }
      case .reject: break
      }
      switch kind {
      case .open:
        try expectFrames(2...3)
        let payload = try payload(at: 2)
        try checkFlags(payload)
        return .open(try head(), payload: payload)
      case .message:
        try expectFrames(1...2)
        let payload = try payload(at: 1)
        try checkFlags(payload)
        guard payload != nil || header.flags.contains(.end) else {
          throw malformed(0, "a MESSAGE without a payload must have the END flag")
        }
        return .message(payload: payload)
      case .status:
        try expectFrames(2...3)
        return .status(try status(), payload: try payload(at: 2))
      case .reject:
        try expectFrames(2...2)
        return .reject(try status())
      case .window:
        try expectFrames(2...2)
        guard frames[1].count == 4 else {
          throw malformed(1, "WINDOW needs 4 bytes, got \(frames[1].count)")
        }
        return .window(bytes: littleEndianInteger(frames[1]))
      case .cancel:
        try expectFrames(1...1)
        return .cancel
      case .ping:
        try expectFrames(1...1)
        return .ping
      case .pong:
        try expectFrames(1...1)
        return .pong
      }
    }

    private func expectFrames(_ range: ClosedRange<Int>) throws(EnvelopeError) {
      guard range.contains(frames.count) else {
        throw malformed(
          min(frames.count - 1, range.upperBound),
          "kind \(header.kind) has \(range.lowerBound) to \(range.upperBound) frames, "
            + "got \(frames.count)")
      }
    }

    private func payload(at index: Int) throws(EnvelopeError) -> [UInt8]? {
      guard index < frames.count else { return nil }
      try checkSize(index, "payload", limits.frameBytesMax)
      return frames[index]
    }

    private func checkFlags(_ payload: [UInt8]?) throws(EnvelopeError) {
      guard header.flags.contains(.more) else { return }
      guard payload != nil else { throw malformed(0, "MORE without a payload") }
      guard !header.flags.contains(.end) else {
        throw malformed(0, "MORE and END exclude each other")
      }
    }

    private func checkSize(_ index: Int, _ what: String, _ limit: Int) throws(EnvelopeError) {
      guard frames[index].count <= limit else {
        throw EnvelopeError(
          .tooLarge, "\(what) of \(frames[index].count) bytes exceeds \(limit)", frame: index,
          callID: header.callID)
      }
    }

    private func head() throws(EnvelopeError) -> CallHead {
      try checkSize(1, "call head", limits.headBytesMax)
      let head: CallHead
      do {
        head = try CallHead(serializedBytes: frames[1])
      } catch {
        throw malformed(1, "not a CallHead: \(error)")
      }
      guard head.metadata.count <= limits.metadataEntriesMax else {
        throw EnvelopeError(
          .tooLarge, "\(head.metadata.count) metadata entries exceed \(limits.metadataEntriesMax)",
          frame: 1, callID: header.callID)
      }
      var metadataBytes = 0
      for (key, value) in head.metadata {
        guard isMetadataKey(key) else {
          throw malformed(1, "a metadata key is made of a-z, 0-9, '-', '_' and '.'")
        }
        metadataBytes += key.utf8.count + value.utf8.count
      }
      guard metadataBytes <= limits.metadataBytesMax else {
        throw EnvelopeError(
          .tooLarge, "\(metadataBytes) bytes of metadata exceed \(limits.metadataBytesMax)",
          frame: 1, callID: header.callID)
      }
      return head
    }

    private func status() throws(EnvelopeError) -> CallStatus {
      try checkSize(1, "status", limits.statusBytesMax)
      do {
        return try CallStatus(serializedBytes: frames[1])
      } catch {
        throw malformed(1, "not a CallStatus: \(error)")
      }
    }

    private func malformed(_ frame: Int, _ message: String) -> EnvelopeError {
      EnvelopeError(.malformed, message, frame: frame, callID: header.callID)
    }
  }
}

private func isMetadataKey(_ key: String) -> Bool {
  !key.isEmpty
    && key.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
        true
      default: false
      }
    }
}

private func littleEndianBytes<Integer: FixedWidthInteger>(_ value: Integer) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// `offset` and the integer's size lie within the bytes: the callers have looked at the count.
private func littleEndianInteger<Integer: FixedWidthInteger>(
  _ bytes: [UInt8], at offset: Int = 0
) -> Integer {
  bytes.withUnsafeBytes {
    Integer(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Integer.self))
  }
}
