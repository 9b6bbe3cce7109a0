/// Which worker processes there are and should be, as a state machine: what happened goes in, what to
/// do comes out. It starts nothing and has no clock.
///
/// Workers have numbers from 1 on, and those up to the wanted count are to run. A slot is
/// - `running`: ends by itself (→ `resting`), or is told to drain (→ `draining`);
/// - `draining`: was told to finish what it holds; its end frees the slot, which starts anew when it
///   is wanted again by then;
/// - `resting`: ended by itself and waits for its next start (→ `running`), or is no longer wanted
///   (→ free).
struct WorkerPool: Sendable, Equatable {
  enum Action: Equatable {
    case start(Int)
    /// SIGTERM: the worker finishes or gives back what it holds.
    case drain(Int)
    /// It ended by itself, and is started again after the pause.
    case rest(Int, Duration)
    /// It has ended so often in a row that waiting will hardly help.
    case failsOverAndOver(Int, ends: Int)
  }

  private enum Slot: Equatable {
    case running(since: ContinuousClock.Instant)
    case draining
    case resting(until: ContinuousClock.Instant)
  }

  private(set) var wanted = 0
  var workersMax: Int
  /// Ends in a row after which a worker is said to fail over and over.
  var crashesMax: Int
  private var slots: [Int: Slot] = [:]
  private var policies: [Int: RestartPolicy] = [:]
  private var isEnding = false

  init(workersMax: Int, crashesMax: Int) {
    self.workersMax = workersMax
    self.crashesMax = crashesMax
  }

  /// Those that hold jobs, or could.
  var running: Int {
    slots.values.count { slot in
      if case .running = slot { true } else { false }
    }
  }

  /// Asks for so many workers, at most ``workersMax``.
  mutating func want(_ count: Int, at now: ContinuousClock.Instant) -> [Action] {
    guard !isEnding else { return [] }
    wanted = max(0, min(count, workersMax))
    var actions: [Action] = []
    for number in slots.keys.sorted() where number > wanted {
      switch slots[number] {
      case .running:
        slots[number] = .draining
        actions.append(.drain(number))
      case .resting: free(number)
      case .draining, nil: break
      }
    }
    for number in 1..<wanted + 1 where slots[number] == nil {
      actions.append(start(number, at: now))
    }
    return actions
  }

  mutating func ended(_ number: Int, at now: ContinuousClock.Instant) -> [Action] {
    switch slots[number] {
    case .running(let since):
      guard !isEnding else {
        free(number)
        return []
      }
      var policy = policies[number] ?? RestartPolicy()
      let pause = policy.pause(afterRunOf: since.duration(to: now))
      policies[number] = policy
      slots[number] = .resting(until: now + pause)
      return [.rest(number, pause)]
        + (policy.failures == crashesMax
          ? [.failsOverAndOver(number, ends: policy.failures)] : [])
    case .draining:
      free(number)
      return number <= wanted && !isEnding ? [start(number, at: now)] : []
    case .resting, nil: return []
    }
  }

  /// Starts those whose pause is over.
  mutating func tick(at now: ContinuousClock.Instant) -> [Action] {
    let due = slots.filter { _, slot in
      if case .resting(let until) = slot { until <= now } else { false }
    }
    return due.keys.sorted().map { start($0, at: now) }
  }

  /// When ``tick(at:)`` has something to do next; nil: nothing waits.
  var nextTick: ContinuousClock.Instant? {
    slots.values.compactMap { slot in
      if case .resting(let until) = slot { until } else { nil }
    }.min()
  }

  /// Drains all of them, for good.
  mutating func end() -> [Action] {
    guard !isEnding else { return [] }
    isEnding = true
    var actions: [Action] = []
    for number in slots.keys.sorted() {
      switch slots[number] {
      case .running:
        slots[number] = .draining
        actions.append(.drain(number))
      case .resting: free(number)
      case .draining, nil: break
      }
    }
    return actions
  }

  /// Whether it ended, and nothing runs any more.
  var isDone: Bool { isEnding && slots.isEmpty }

  private mutating func start(_ number: Int, at now: ContinuousClock.Instant) -> Action {
    slots[number] = .running(since: now)
    return .start(number)
  }

  private mutating func free(_ number: Int) {
    slots[number] = nil
    policies[number] = nil
  }
}
