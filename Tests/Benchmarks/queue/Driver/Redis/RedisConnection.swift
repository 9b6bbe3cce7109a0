import Glibc

/// What Redis answered, as far as the load needs it.
enum RedisReply {
  case integer
  /// A bulk string, or the last one of an array (BLPOP answers key and value).
  case bulk(tag: Int)
  case null
}

/// One pipelined connection to Redis: commands are gathered and written together, and their
/// answers come in the same order.
final class RedisConnection {
  /// A command that waits for its answer.
  struct Expectation {
    var lane: Int
    var step: RedisLane.Step
    var slot: Int
  }

  /// Payloads begin with so many decimal digits, by which a job is known again.
  static let tagDigits = 8

  private static let readBytes = 256 << 10

  let descriptor: Int32
  private var output: [UInt8] = []
  private var written = 0
  private var input: [UInt8] = []
  private var parsed = 0
  private var expectations: [Expectation] = []
  private var answered = 0

  init(port: UInt16) throws {
    descriptor = try Loopback.connect(to: port)
    let flags = fcntl(descriptor, F_GETFL)
    guard fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0 else {
      throw BenchmarkError(system: "fcntl")
    }
    output.reserveCapacity(Self.readBytes)
    input.reserveCapacity(2 * Self.readBytes)
  }

  deinit {
    close(descriptor)
  }

  var hasOutput: Bool { written < output.count }

  func send(_ command: [UInt8], expecting expectation: Expectation) {
    output += command
    expectations.append(expectation)
  }

  /// Writes what the socket takes.
  func flush() throws {
    while hasOutput {
      let count = output.withUnsafeBytes { bytes in
        write(descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written)
      }
      if count < 0 {
        if errno == EAGAIN { return }
        throw BenchmarkError(system: "write to redis")
      }
      written += count
    }
    output.removeAll(keepingCapacity: true)
    written = 0
  }

  /// Reads what there is and hands over every complete answer.
  func receive(_ handle: (Expectation, RedisReply) -> Void) throws {
    let count = try input.withRoom(Self.readBytes) { room in
      let count = read(descriptor, room.baseAddress, room.count)
      if count < 0, errno != EAGAIN { throw BenchmarkError(system: "read from redis") }
      if count == 0 { throw BenchmarkError("redis closed the connection") }
      return max(count, 0)
    }
    guard count > 0 else { return }
    while let reply = try nextReply() {
      guard answered < expectations.count else {
        throw BenchmarkError("redis answered without being asked")
      }
      let expectation = expectations[answered]
      answered += 1
      handle(expectation, reply)
    }
    if parsed > Self.readBytes / 2 || parsed == input.count {
      input.removeFirst(parsed)
      parsed = 0
    }
    if answered > 4_096 || answered == expectations.count {
      expectations.removeFirst(answered)
      answered = 0
    }
  }

  /// - Returns: nil while the answer is incomplete.
  private func nextReply() throws -> RedisReply? {
    var position = parsed
    guard let reply = try reply(at: &position) else { return nil }
    parsed = position
    return reply
  }

  private func reply(at position: inout Int) throws -> RedisReply? {
    guard position < input.count else { return nil }
    let kind = input[position]
    guard let lineEnd = input[position...].firstIndex(of: UInt8(ascii: "\r")),
      lineEnd + 1 < input.count
    else { return nil }
    let line = position + 1..<lineEnd
    position = lineEnd + 2
    switch kind {
    case UInt8(ascii: ":"), UInt8(ascii: "+"):
      return .integer
    case UInt8(ascii: "$"):
      guard let length = number(in: line) else { return .null }
      guard position + length + 2 <= input.count else { return nil }
      let tag = number(in: position..<position + min(length, Self.tagDigits)) ?? -1
      position += length + 2
      return .bulk(tag: tag)
    case UInt8(ascii: "*"):
      var last = RedisReply.null
      for _ in 0..<(number(in: line) ?? 0) {
        guard let element = try reply(at: &position) else { return nil }
        last = element
      }
      return last
    default:
      throw BenchmarkError("redis: \(String(decoding: input[line], as: UTF8.self))")
    }
  }

  /// nil for what is no natural number: "-1" stands for null.
  private func number(in range: Range<Int>) -> Int? {
    var value = 0
    for byte in input[range] {
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
      value = value * 10 + Int(byte - UInt8(ascii: "0"))
    }
    return value
  }
}

extension [UInt8] {
  /// Appends what the closure puts into so many bytes behind the end; it returns how many it was.
  fileprivate mutating func withRoom(
    _ bytes: Int, _ fill: (UnsafeMutableRawBufferPointer) throws -> Int
  ) throws -> Int {
    let end = count
    append(contentsOf: repeatElement(0, count: bytes))
    var filled = 0
    defer { removeLast(bytes - filled) }
    filled = try withUnsafeMutableBytes { buffer in
      try fill(UnsafeMutableRawBufferPointer(rebasing: buffer[end...]))
    }
    return filled
  }
}
