import ArgumentParser

@main
struct Rerankctl: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rerankctl",
    abstract: "Reranks, submits jobs, controls a Rerankd queue, and evaluates rankers.",
    discussion: """
      rerankctl rerank "query" "document" "document"…
      rerankctl submit jobs.jsonl --reply-channel mine
      rerankctl results --reply-channel mine
      rerankctl status
      rerankctl jobs list --state dead
      rerankctl backends pause hub
      rerankctl models verify ./my-reranker
      rerankctl eval --queries queries.jsonl --qrels qrels.tsv --corpus corpus.jsonl

      Exit codes: 0 done; 1 a job was refused or did not succeed; 64 wrong usage; 65 wrong input;
      69 no queue answers.
      """,
    version: "0.1.0",
    subcommands: [
      RerankCommand.self, SubmitCommand.self, ResultsCommand.self, StatusCommand.self,
      JobsCommand.self, WorkersCommand.self, ModelsCommand.self, BackendsCommand.self,
      ConfigCommand.self, EvalCommand.self,
    ])
}
