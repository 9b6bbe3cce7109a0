import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// What a connection is allowed, watched where its bytes pass: a request's body and a response have
/// their time, and a client that goes away is noticed while its request is worked on.
///
/// An end of input counts as gone, since clients that give up close their side first.
final class ConnectionHandler: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  private let registry: PeerRegistry
  private let bodyTimeout: TimeAmount
  private let responseTimeout: TimeAmount
  private let presence = PeerPresence()
  private var isBodyDue = false
  private var bodyTimer: Scheduled<Void>?
  /// Responses handed over and not yet taken by the client.
  private var responsesUnderWay = 0
  private var responseTimer: Scheduled<Void>?

  init(registry: PeerRegistry, bodyTimeout: TimeAmount, responseTimeout: TimeAmount) {
    self.registry = registry
    self.bodyTimeout = bodyTimeout
    self.responseTimeout = responseTimeout
  }

  func handlerAdded(context: ChannelHandlerContext) {
    registry.enter(context.channel, presence)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    end(context)
  }

  func channelInactive(context: ChannelHandlerContext) {
    end(context)
    context.fireChannelInactive()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case ChannelEvent.inputClosed = event { presence.leave() }
    context.fireUserInboundEventTriggered(event)
  }

  private func end(_ context: ChannelHandlerContext) {
    bodyTimer?.cancel()
    responseTimer?.cancel()
    presence.leave()
    registry.remove(context.channel)
  }

  // MARK: Requests

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      isBodyDue = true
      if head.headerFields[.expect]?.lowercased() == "100-continue" {
        context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
      }
    case .body: break
    case .end:
      isBodyDue = false
      bodyTimer?.cancel()
      bodyTimer = nil
    }
    context.fireChannelRead(data)
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if isBodyDue, bodyTimer == nil {
      bodyTimer = closing(context, after: bodyTimeout)
    }
    context.fireChannelReadComplete()
  }

  // MARK: Responses

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    switch unwrapOutboundIn(data) {
    case .head: responsesUnderWay += 1
    case .body: break
    case .end:
      let written = promise ?? context.eventLoop.makePromise()
      let loopBound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
      written.futureResult.whenComplete { _ in
        loopBound.value.handler.responseTaken(loopBound.value.context)
      }
      return context.write(data, promise: written)
    }
    context.write(data, promise: promise)
  }

  func flush(context: ChannelHandlerContext) {
    context.flush()
    if responsesUnderWay > 0, responseTimer == nil, context.channel.isActive {
      responseTimer = closing(context, after: responseTimeout)
    }
  }

  private func responseTaken(_ context: ChannelHandlerContext) {
    responsesUnderWay -= 1
    responseTimer?.cancel()
    responseTimer = nil
  }

  private func closing(_ context: ChannelHandlerContext, after time: TimeAmount) -> Scheduled<Void>
  {
    let loopBound = NIOLoopBound(context, eventLoop: context.eventLoop)
    return context.eventLoop.scheduleTask(in: time) { loopBound.value.close(promise: nil) }
  }
}

extension TimeAmount {
  init(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    let (nanoseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    self = .nanoseconds(overflow ? .max / 2 : nanoseconds + attoseconds / 1_000_000_000)
  }
}
