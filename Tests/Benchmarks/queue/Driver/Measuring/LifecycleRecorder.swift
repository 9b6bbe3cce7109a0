import Glibc
import Synchronization

/// What one peer did while it was measured.
struct LoadFigures: Sendable {
  var seconds: Double
  var lifecycles: Int
  /// Lifecycles of every whole second.
  var perSecond: [Int]
  var submitLatency: LatencyHistogram
  var lifecycleLatency: LatencyHistogram

  var rate: Double { Double(lifecycles) / seconds }

  mutating func add(_ other: LoadFigures) {
    seconds += other.seconds
    lifecycles += other.lifecycles
    perSecond += other.perSecond
    submitLatency.add(other.submitLatency)
    lifecycleLatency.add(other.lifecycleLatency)
  }
}

/// Takes the events of a load from its threads and tasks. Outside begin and end it only counts.
final class LifecycleRecorder: Sendable {
  private struct State {
    var total = 0
    var startedAt: Int64?
    var lifecycles = 0
    var perSecond: [Int] = []
    var submitLatency = LatencyHistogram()
    var lifecycleLatency = LatencyHistogram()
  }

  private let state = Mutex(State())

  /// Lifecycles since the recorder was made, measured or not.
  var total: Int { state.withLock { $0.total } }

  func submitAcknowledged(after nanoseconds: Int64) {
    state.withLock { state in
      guard state.startedAt != nil else { return }
      state.submitLatency.record(nanoseconds: nanoseconds)
    }
  }

  /// The reply is in the producer's hands.
  func replied(after nanoseconds: Int64) {
    state.withLock { state in
      guard state.startedAt != nil else { return }
      state.lifecycleLatency.record(nanoseconds: nanoseconds)
    }
  }

  /// The acknowledgements of so many replies are under way: their lifecycles are complete.
  func completed(_ count: Int = 1) {
    let now = monotonicNanoseconds()
    state.withLock { state in
      state.total += count
      guard let startedAt = state.startedAt else { return }
      state.lifecycles += count
      let second = Int((now - startedAt) / 1_000_000_000)
      while state.perSecond.count <= second { state.perSecond.append(0) }
      state.perSecond[second] += count
    }
  }

  func begin() {
    state.withLock { $0 = State(total: $0.total, startedAt: monotonicNanoseconds()) }
  }

  func end() -> LoadFigures {
    state.withLock { state in
      let now = monotonicNanoseconds()
      let seconds = Double(now - (state.startedAt ?? now)) / 1e9
      state.startedAt = nil
      while state.perSecond.count < Int(seconds) { state.perSecond.append(0) }
      return LoadFigures(
        seconds: seconds, lifecycles: state.lifecycles,
        perSecond: Array(state.perSecond.prefix(Int(seconds))),
        submitLatency: state.submitLatency, lifecycleLatency: state.lifecycleLatency)
    }
  }
}

func monotonicNanoseconds() -> Int64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
