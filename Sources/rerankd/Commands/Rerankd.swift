import ArgumentParser

@main
struct Rerankd: AsyncParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "rerankd",
    abstract: "Reranks search results at scale: a durable job queue and its workers.",
    discussion: """
      rerankd up          a queue, workers and a gateway on this machine, supervised
      rerankd queue       one queue
      rerankd worker      one worker; start as many as there is work for
      rerankd gateway     HTTP in front of a queue

      Control it with rerankctl. Settings come from flags, then the environment, then the file that
      --config names. Exit codes: 0 ended as asked, 64 wrong usage, 74 the ledger failed,
      78 wrong configuration, 1 anything else.
      """,
    version: version,
    subcommands: [
      UpCommand.self, QueueCommand.self, WorkerCommand.self, GatewayCommand.self,
    ])
}
