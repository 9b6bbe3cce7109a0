internal import AccessKeys
internal import ZeroMQ

/// Answers libzmq's question, for each connection that has proved its CURVE key, whether that key
/// may come in: the handler of RFC 27 (ZAP), on the loop's thread.
///
/// A connection that is refused has sent nothing yet that anybody read.
struct KeyHandshakes {
  /// Of the sockets whose connections it decides on.
  static let domain = "rerankd"

  let socket: Socket
  /// Refused so far.
  private(set) var refused: UInt64 = 0

  /// To be made before the sockets are bound: without a handler libzmq would refuse all.
  init(in context: Context) throws(ZeroMQError) {
    socket = try Socket(.router, in: context)
    try socket.bind(Endpoint("inproc://zeromq.zap.01"))
  }

  /// Answers what waits, a bounded number at a time.
  mutating func serve(_ policy: AccessPolicy) throws(ZeroMQError) {
    let bounds = Socket.MultipartBounds(framesMax: 16, bytesMax: 4_096)
    for _ in 0..<256 {
      guard case .message(let received) = try socket.receive(bounds: bounds) else { return }
      guard let request = Request(received.frames) else { continue }
      let key = request.publicKey
      let isKnown = key.flatMap { policy.caller($0.z85) } != nil
      if !isKnown { refused += 1 }
      let answer =
        isKnown ? ("200", "OK", key?.z85 ?? "") : ("400", "this key is not authorized", "")
      _ = try socket.send(
        request.envelope
          + ["1.0", request.id, answer.0, answer.1, answer.2, ""].map { text in
            Array(text.utf8)
          })
    }
  }

  /// What libzmq asks: version, request id, domain, address, routing id, mechanism, credentials.
  private struct Request {
    /// What leads back to the connection: a routing id and the empty frame of a REQ.
    var envelope: [[UInt8]]
    var id: String
    /// Nil where the question is not about a CURVE key of this domain.
    var publicKey: CurvePublicKey?

    init?(_ frames: [[UInt8]]) {
      guard let separator = frames.firstIndex(of: []), separator > 0 else { return nil }
      envelope = Array(frames[...separator])
      let fields = frames[(separator + 1)...].map { String(decoding: $0, as: UTF8.self) }
      guard fields.count >= 6, fields[0] == "1.0" else { return nil }
      id = fields[1]
      guard fields[2] == KeyHandshakes.domain, fields[5] == "CURVE", let key = frames.last else {
        return
      }
      publicKey = CurvePublicKey(bytes: key)
    }
  }
}
