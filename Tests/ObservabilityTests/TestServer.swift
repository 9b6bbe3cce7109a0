import Foundation
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// A collector on a free port that keeps what it is sent and answers as it is told.
final class TestCollector: Sendable {
  private let state = Mutex<(bodies: [Data], answers: [Int])>(([], []))

  init(answers: [Int] = []) { state.withLock { $0.answers = answers } }

  var bodies: [Data] { state.withLock { $0.bodies } }

  private func take(_ body: Data) -> Int {
    state.withLock { state in
      state.bodies.append(body)
      return state.answers.isEmpty ? 200 : state.answers.removeFirst()
    }
  }

  func run(_ body: @Sendable (_ port: Int) async throws -> Void) async throws {
    let router = Router()
    router.post("/v1/traces") { request, _ in
      let buffer = try await request.body.collect(upTo: 16 << 20)
      return Response(status: .init(code: self.take(Data(buffer.readableBytesView))))
    }
    let (ports, found) = AsyncStream.makeStream(of: Int.self)
    let application = Application(
      router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
      onServerRunning: { channel in found.yield(channel.localAddress?.port ?? 0) },
      logger: Logger(label: "collector") { _ in SwiftLogNoOpLogHandler() })
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await application.run() }
      for await port in ports {
        try await body(port)
        break
      }
      group.cancelAll()
    }
  }
}

/// Runs a service until the body has returned, and ends it as a group would.
func withService(
  _ service: any Service, _ body: @Sendable () async throws -> Void
) async throws {
  let group = ServiceGroup(
    services: [service], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  try await withThrowingTaskGroup(of: Void.self) { tasks in
    tasks.addTask { try await group.run() }
    try await body()
    await group.triggerGracefulShutdown()
    try await tasks.waitForAll()
  }
}
