import Logging
import ServiceLifecycle
import Synchronization

/// Runs the worker processes that ``WorkerPool`` asks for: the thin shell around it.
final class WorkerFleet: Service {
  private enum Event: Sendable {
    case want(Int)
    case limits(workersMax: Int, crashesMax: Int)
    case ended(Int, how: String)
    case tick
    case hangUp
    case shutDown
  }

  struct Figures: Sendable, Equatable {
    var running = 0
    var wanted = 0
    var workersMax: Int
  }

  private let makeRun: @Sendable (Int) -> ChildRun
  private let logger: Logger
  private let crashesMax: Int
  private let state: Mutex<Figures>
  private let events: AsyncStream<Event>
  private let post: AsyncStream<Event>.Continuation

  /// - Parameter makeRun: a worker's process, by its number, which counts from 1.
  init(
    workers: Int, workersMax: Int, crashesMax: Int, logger: Logger,
    makeRun: @escaping @Sendable (Int) -> ChildRun
  ) {
    self.makeRun = makeRun
    self.logger = logger
    self.crashesMax = crashesMax
    state = Mutex(Figures(workersMax: workersMax))
    (events, post) = AsyncStream.makeStream()
    post.yield(.want(workers))
  }

  var figures: Figures { state.withLock { $0 } }

  func want(_ workers: Int) { post.yield(.want(workers)) }

  func limit(workersMax: Int, crashesMax: Int) {
    post.yield(.limits(workersMax: workersMax, crashesMax: crashesMax))
  }

  func hangUp() { post.yield(.hangUp) }

  func run() async throws {
    await withGracefulShutdownHandler {
      await withDiscardingTaskGroup { group in
        var pool = WorkerPool(workersMax: figures.workersMax, crashesMax: crashesMax)
        var children: [Int: ChildRun] = [:]
        for await event in events {
          let now = ContinuousClock.now
          var actions: [WorkerPool.Action] = []
          switch event {
          case .want(let count):
            let former = pool.wanted
            actions = pool.want(count, at: now)
            if pool.wanted != former { say(count, pool) }
          case .limits(let workersMax, let crashesMax):
            (pool.workersMax, pool.crashesMax) = (workersMax, crashesMax)
            actions = pool.want(pool.wanted, at: now)
          case .ended(let number, let how):
            children[number] = nil
            actions = pool.ended(number, at: now)
            for case .rest(number, let pause) in actions {
              logger.error("worker-\(number) ended (\(how)); starting it again in \(pause)")
            }
          case .tick: actions = pool.tick(at: now)
          case .hangUp: for child in children.values { child.hangUp() }
          case .shutDown: actions = pool.end()
          }
          for action in actions {
            perform(action, &children, &group)
          }
          state.withLock {
            ($0.running, $0.wanted, $0.workersMax) = (pool.running, pool.wanted, pool.workersMax)
          }
          // A cancelled task ends its children by itself.
          if pool.isDone || Task.isCancelled { break }
        }
        group.cancelAll()
      }
    } onGracefulShutdown: { [post] in
      post.yield(.shutDown)
    }
  }

  private func perform(
    _ action: WorkerPool.Action, _ children: inout [Int: ChildRun],
    _ group: inout DiscardingTaskGroup
  ) {
    switch action {
    case .start(let number):
      let child = makeRun(number)
      children[number] = child
      group.addTask { [post] in
        let how = await child.run()
        post.yield(.ended(number, how: how))
      }
    case .drain(let number):
      guard let child = children[number] else { return }
      logger.info("worker-\(number) is asked to end")
      child.end()
      group.addTask { await child.enforceEnd() }
    case .rest(_, let pause):
      group.addTask { [post] in
        try? await Task.sleep(for: pause)
        post.yield(.tick)
      }
    case .failsOverAndOver(let number, let ends):
      logger.critical(
        """
        worker-\(number) fails over and over: it has ended \(ends) times in a row soon after its \
        start. Its last lines above say why; it is tried again with pauses of up to 30 s
        """)
    }
  }

  private func say(_ asked: Int, _ pool: WorkerPool) {
    let bound = asked > pool.wanted ? ", the most that up.workers_max allows" : ""
    logger.notice("\(pool.wanted) workers are wanted\(bound)")
  }
}
