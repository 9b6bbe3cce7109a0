import ArgumentParser

/// How many durable lifecycles a second rerankd does: `Tests/Benchmarks/queue/run` builds and runs
/// this.
///
/// `measure` starts the peers in one folder on a disk and drives them one after the other
/// (`Comparison`): `rerankd queue` with a worker process (`worker`, the real `Worker` with an
/// engine that scores at once), and redis-server with `appendfsync always`. Up to eight producers
/// keep so many jobs in flight as the shape says: a job is in flight from its Submit until its
/// reply is in the producer's hands, and counts once the reply's acknowledgement is under way. That
/// all of these were recorded is checked at the end. Our producers are clients of the library
/// (`RerankdProducer`); Redis's go through the same steps on lists (`RedisLane`), in the two
/// arrangements that suit it best.
///
/// What is measured after a warm-up goes through one `LifecycleRecorder`; the processes' CPU time
/// and memory come from /proc. `SyncProbe` times the raw disk in between, since it drifts.
@main
struct QueueBenchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "queue-bench",
    abstract: "Durable lifecycles per second of rerankd, beside Redis and the raw disk.",
    subcommands: [MeasureCommand.self, GatewayCommand.self, WorkerCommand.self],
    defaultSubcommand: MeasureCommand.self)
}
