import Foundation
import RerankdClient
import RerankdProtocol

/// `status --watch`: asks every queue once an interval and shows what they say, on a full screen
/// where there is one, else as a block or a JSON line.
///
/// A queue that is away does not end it: that is said, and asked again.
struct StatusWatch {
  let queues: [NamedQueue]
  let interval: Duration
  let printer: Printer

  /// How long a queue may take before it counts as away.
  static let answerMax = Duration.seconds(2)

  func run() async throws {
    let watched = queues.map { WatchedQueue(endpoint: $0.endpoint) }
    if printer.format == .table, FullScreen.isAvailable {
      try await runOnScreen(watched)
    } else {
      try await runOnPipe(watched)
    }
  }

  /// Readings as they come, the first at once.
  private func readings() -> AsyncStream<[QueueReading]> {
    AsyncStream { continuation in
      let task = Task {
        while !Task.isCancelled {
          let next = ContinuousClock.now + interval
          continuation.yield(await Self.readAll(queues))
          try? await Task.sleep(until: next)
        }
        continuation.finish()
      }
      continuation.onTermination = { _ in task.cancel() }
    }
  }

  /// All at once, so that one that is away does not hold up the others.
  static func readAll(_ queues: [NamedQueue]) async -> [QueueReading] {
    await withTaskGroup(of: (Int, QueueReading).self) { group in
      for (index, queue) in queues.enumerated() {
        group.addTask { (index, await queue.reading(timeout: answerMax)) }
      }
      var readings: [(Int, QueueReading)] = []
      for await reading in group { readings.append(reading) }
      return readings.sorted { $0.0 < $1.0 }.map(\.1)
    }
  }

  // MARK: On a pipe

  private func runOnPipe(_ start: [WatchedQueue]) async throws {
    var watched = start
    for await readings in readings() {
      let now = ContinuousClock.now
      let rated = zip(watched.indices, readings).map { watched[$0].take($1, at: now) }
      let time = JobView.time(Int64(Date().timeIntervalSince1970 * 1_000))
      guard printer.format == .table else {
        printer.write(
          try Printer.json(StatusReadings(time: time, queues: rated), pretty: false) + "\n")
        continue
      }
      let blocks = watched.map { queue in
        StatusReport(queue: queue, showsTotals: false, palette: printer.palette).text
      }
      printer.write("\(printer.palette.paint(time, .heading))\n\(blocks.joined(separator: "\n"))\n")
    }
  }

  // MARK: On a screen

  private enum Event {
    case readings([QueueReading])
    case terminal(TerminalEvent)
  }

  private func runOnScreen(_ start: [WatchedQueue]) async throws {
    let terminal = TerminalEvents()
    let screen = FullScreen()
    screen.enter()
    defer { screen.leave() }
    var view = StatusScreen(
      queues: start, palette: printer.palette, clock: Self.clock, interval: interval)
    for await event in events(terminal) {
      switch event {
      case .readings(let readings):
        let now = ContinuousClock.now
        for (index, reading) in zip(view.queues.indices, readings) {
          _ = view.queues[index].take(reading, at: now)
        }
        view.clock = Self.clock
      case .terminal(.key(.character("q"))), .terminal(.key(.character("Q"))): return
      case .terminal(.key(let key)): view.scroll(by: key, screen.size)
      case .terminal(.resized): break
      case .terminal(.suspended):
        screen.leave()
        kill(getpid(), SIGSTOP)
        continue
      case .terminal(.continued): screen.enter()
      case .terminal(.ended(let signal)):
        // As a program ends that a signal ended.
        if signal != SIGINT { throw CommandFailure.ended(by: signal) }
        return
      }
      screen.draw(view.lines(screen.size))
    }
  }

  private func events(_ terminal: TerminalEvents) -> AsyncStream<Event> {
    AsyncStream { continuation in
      let task = Task {
        await withTaskGroup(of: Void.self) { group in
          group.addTask {
            for await event in terminal.stream { continuation.yield(.terminal(event)) }
          }
          group.addTask {
            for await readings in readings() { continuation.yield(.readings(readings)) }
          }
        }
      }
      continuation.onTermination = { _ in task.cancel() }
    }
  }

  /// The time of the day, as the machine has it.
  private static var clock: String {
    Date().formatted(
      Date.VerbatimFormatStyle(
        format: "\(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits):\(second: .twoDigits)",
        locale: Locale(identifier: "en_US_POSIX"), timeZone: .current,
        calendar: Calendar(identifier: .gregorian)))
  }
}

extension NamedQueue {
  /// What it says now, or why it says nothing.
  func reading(timeout: Duration) async -> QueueReading {
    do {
      async let workers = client.workers(timeout: timeout)
      let status = try await client.status(timeout: timeout)
      return QueueReading(
        endpoint: endpoint, status: StatusView(status),
        attachedWorkers: try await workers.map(WorkerView.init))
    } catch let error as CallError {
      return QueueReading(endpoint: endpoint, error: ErrorView(error.status))
    } catch {
      return QueueReading(
        endpoint: endpoint, error: ErrorView(code: "UNKNOWN", message: "\(error)"))
    }
  }
}
