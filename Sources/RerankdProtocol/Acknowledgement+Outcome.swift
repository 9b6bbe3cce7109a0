extension Acknowledgement {
  /// Of an outcome as it was delivered.
  public init(_ outcome: JobOutcome) {
    self.init()
    jobID = outcome.jobID
    attempts = outcome.attempts
  }
}
