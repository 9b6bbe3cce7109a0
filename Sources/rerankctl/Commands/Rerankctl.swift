import ArgumentParser

@main
struct Rerankctl: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rerankctl",
    abstract: "Reranks, submits jobs, controls a Rerankd queue, and evaluates rankers.",
    discussion: """
      rerankctl rerank "query" "document" "document"…
      rerankctl submit jobs.jsonl --reply-channel mine
      rerankctl results --reply-channel mine --follow
      rerankctl status --watch
      rerankctl jobs retry --error-code UNAVAILABLE --dry-run
      rerankctl workers scale 4
      rerankctl ledger backup
      rerankctl models verify ./my-reranker
      rerankctl doctor --config /etc/rerankd.yaml
      rerankctl bench --jobs 1000 --concurrency 16
      rerankctl eval --queries queries.jsonl --qrels qrels.tsv --corpus corpus.jsonl

      Every command that prints takes --output json or jsonl; protocol/schemas/rerankctl.schema.json
      says what they have in them. Colours are for terminals, and NO_COLOR turns them off.

      Exit codes: 0 done; 1 something was refused or did not succeed, or only part of it did; 64 wrong
      usage; 65 wrong input; 69 no queue answers, or not in time; 128 + N ended by signal N.
      """,
    version: "0.1.0",
    subcommands: [
      RerankCommand.self, SubmitCommand.self, ResultsCommand.self, BudgetCommand.self,
      StatusCommand.self, JobsCommand.self, WorkersCommand.self, QueueCommand.self,
      LedgerCommand.self, ModelsCommand.self, BackendsCommand.self, KeysCommand.self,
      ConfigCommand.self, EvalCommand.self, DoctorCommand.self, BenchCommand.self,
      CompletionsCommand.self,
    ])
}
