/// What the holder of a key may do at a queue.
public enum AccessRole: String, Sendable, CaseIterable {
  /// Submit jobs, ask for them and take their results, for its tenants.
  case producer
  /// Take jobs and score them.
  case worker
  /// Everything.
  case control
}
