import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import TestSupport

/// A rerank server behind TLS on a free port of this machine, which gives every request the same
/// answer.
final class TLSServer: Sendable {
  static func file(_ name: String) -> String {
    PackageFolder.url.appending(path: "Tests/Fixtures/tls/\(name)").path
  }

  let port: Int
  private let channel: any Channel

  /// - Parameter asksForCertificate: whether a client without a certificate of the authority is
  ///   refused.
  init(answer: String, asksForCertificate: Bool = false) async throws {
    var tls = TLSConfiguration.makeServerConfiguration(
      certificateChain: try NIOSSLCertificate.fromPEMFile(Self.file("server.pem"))
        .map { .certificate($0) },
      privateKey: .privateKey(try NIOSSLPrivateKey(file: Self.file("server.key"), format: .pem)))
    if asksForCertificate {
      tls.certificateVerification = .noHostnameVerification
      tls.trustRoots = .file(Self.file("authority.pem"))
    }
    let context = try NIOSSLContext(configuration: tls)
    channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          try channel.pipeline.syncOperations.addHandler(AnswerHandler(answer: answer))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    port = channel.localAddress?.port ?? 0
  }

  func stop() async throws {
    try await channel.close()
  }

  private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let answer: String

    init(answer: String) {
      self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      guard case .end = unwrapInboundIn(data) else { return }
      let head = HTTPResponseHead(
        version: .http1_1, status: .ok, headers: ["content-length": "\(answer.utf8.count)"])
      context.write(wrapOutboundOut(.head(head)), promise: nil)
      context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: answer)))), promise: nil)
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      // A client that refuses the certificate, or is refused.
      context.close(promise: nil)
    }
  }
}
