public import CoreMetrics
import Synchronization

/// Spans that have ended and are not exported yet: bounded, and what comes when it is full is
/// dropped and counted, since a trace with holes harms nobody and a queue that waits for a collector
/// does.
public final class SpanBuffer: Sendable {
  private struct State {
    var spans: [FinishedSpan] = []
    var reader: CheckedContinuation<Void, Never>?
    var isClosed = false
  }

  private let spansMax: Int
  private let batchMax: Int
  private let state = Mutex(State())
  private let dropped: Counter

  /// - Parameters:
  ///   - spansMax: held at once.
  ///   - batchMax: as many wake the exporter before its time.
  public init(spansMax: Int, batchMax: Int, metrics: any MetricsFactory) {
    self.spansMax = spansMax
    self.batchMax = batchMax
    dropped = SpanExporter.counter(outcome: "dropped", metrics)
  }

  func append(_ span: FinishedSpan) {
    let (isTaken, reader) = state.withLock { state -> (Bool, CheckedContinuation<Void, Never>?) in
      guard state.spans.count < spansMax, !state.isClosed else { return (false, nil) }
      state.spans.append(span)
      guard state.spans.count >= batchMax else { return (true, nil) }
      defer { state.reader = nil }
      return (true, state.reader)
    }
    if !isTaken { dropped.increment() }
    reader?.resume()
  }

  /// The oldest, as many as a request takes.
  func take() -> [FinishedSpan] {
    state.withLock { state in
      let batch = Array(state.spans.prefix(batchMax))
      state.spans.removeFirst(batch.count)
      return batch
    }
  }

  /// Returns when there is a whole batch, or the buffer was closed.
  func untilBatch() async {
    await withCheckedContinuation { continuation in
      let isDue = state.withLock { state in
        guard state.spans.count < batchMax, !state.isClosed else { return true }
        state.reader = continuation
        return false
      }
      if isDue { continuation.resume() }
    }
  }

  /// Ends one wait, for its time is over.
  func wake() {
    let reader = state.withLock { state in
      defer { state.reader = nil }
      return state.reader
    }
    reader?.resume()
  }

  /// What comes from now on is dropped.
  func close() {
    state.withLock { $0.isClosed = true }
    wake()
  }
}
