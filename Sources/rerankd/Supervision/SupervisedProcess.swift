import Logging
import ServiceLifecycle
import Synchronization

/// One child process that is to run for as long as the supervisor does: started again with backoff
/// when it ends by itself, asked by SIGTERM to end when the supervisor ends, and ended by force when
/// it does not do so in time.
final class SupervisedProcess: Service {
  private let name: String
  private let makeRun: @Sendable () -> ChildRun
  private let logger: Logger
  private let current = Mutex<ChildRun?>(nil)

  init(name: String, logger: Logger, makeRun: @escaping @Sendable () -> ChildRun) {
    self.name = name
    self.logger = logger
    self.makeRun = makeRun
  }

  func run() async throws {
    var policy = RestartPolicy()
    while !Task.isShuttingDownGracefully && !Task.isCancelled {
      let started = ContinuousClock.now
      let end = await runOnce()
      guard !Task.isShuttingDownGracefully && !Task.isCancelled else { return }
      let pause = policy.pause(afterRunOf: started.duration(to: .now))
      logger.error("\(name) ended (\(end)); starting it again in \(pause)")
      try? await cancelWhenGracefulShutdown { try await Task.sleep(for: pause) }
    }
  }

  func hangUp() {
    current.withLock { $0 }?.hangUp()
  }

  private func runOnce() async -> String {
    let child = makeRun()
    current.withLock { $0 = child }
    defer { current.withLock { $0 = nil } }
    return await withGracefulShutdownHandler {
      await withTaskGroup(of: String?.self) { group in
        group.addTask { await child.run() }
        group.addTask {
          try? await gracefulShutdown()
          await child.enforceEnd()
          return nil
        }
        defer { group.cancelAll() }
        for await end in group { if let end { return end } }
        return "without a word"
      }
    } onGracefulShutdown: {
      child.end()
    }
  }
}
