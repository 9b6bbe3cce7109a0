/// Faults made on purpose in the shell's model and its disk: the simulation must find each of them,
/// or it would not find the like in the queue.
public enum Mutation: String, CaseIterable, Sendable {
  /// What depends on a batch is sent before the batch is durable.
  case sendsBeforeDurable
  /// Syncs succeed and do nothing.
  case syncsNothing
  /// A commit that failed counts as done.
  case ignoresFailedCommit
  /// A batch is committed in two halves.
  case splitsBatches
  /// A worker's word on a superseded attempt counts for the one in force.
  case ignoresFence
  /// A job that goes back to the queue is not written.
  case losesRequeue
  /// An acknowledged delivery is not written.
  case losesAcknowledgement
  /// A delivery goes out once more after its acknowledgement.
  case deliversAgain
  /// Every attempt that its worker gave back counts as spent.
  case spendsUnspent
  /// Reads are answered from before the batch that carries them.
  case readsTooEarly
  /// A body is the one that another job came with.
  case mixesBodies
  /// An assignment goes out twice under two attempts.
  case assignsTwice
  /// The first process's epoch is everybody's.
  case keepsEpoch
  /// The end of a job is not written.
  case losesOutcome
  /// What a worker was told to drop is not said.
  case losesRevocation
}
