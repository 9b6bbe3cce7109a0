import ArgumentParser
import RerankdProtocol

/// How jobs are to be treated, by flags; a job's own line goes before them.
struct JobOptions: ParsableArguments {
  @Option(name: [.short, .long], help: "The model, as the queue's catalogue names it.")
  var model = "builtin"

  @Option(help: "Whose job it is; jobs of a model are served fairly over tenants.")
  var tenant: String?

  // What begins with a hyphen is a number here.
  @Option(parsing: .unconditional, help: "-100 to 100, higher first.")
  var priority: Int32 = 0

  @Option(help: "One deadline over all attempts.")
  var deadline: TimeArgument?

  @Option(help: "How often the job may be tried.")
  var maxAttempts: UInt32?

  @Flag(help: "Let the model's fallbacks score the job where the model is out of service.")
  var allowFallback = false

  @Option(
    help: ArgumentHelp(
      "What becomes of documents beyond the model's token budget.",
      discussion: """
        truncate shortens them from their ends; windows scores them in overlapping parts, of which the \
        best one counts.
        """))
  var overBudget = OverBudgetWord.reject

  @Option(help: "Shorten each document's text to so many tokens first.")
  var maxTokensPerDoc: UInt32 = 0

  @Option(help: "What becomes of a job with documents that cannot be scored.")
  var documentFailure = DocumentFailureWord.failJob

  /// What a job is that says no more than its query and its documents.
  var defaults: JobLine {
    JobLine(spec: spec, request: request)
  }

  var spec: JobSpec {
    var spec = JobSpec()
    spec.model = model
    spec.tenant = tenant ?? ""
    spec.priority = priority
    spec.deadlineMs = deadline?.duration.wholeMilliseconds ?? 0
    spec.maxAttempts = maxAttempts ?? 0
    spec.allowFallback = allowFallback
    return spec
  }

  var request: RerankRequest {
    var request = RerankRequest()
    request.overBudget = overBudget.policy
    request.maxTokensPerDoc = maxTokensPerDoc
    request.documentFailure = documentFailure.policy
    return request
  }
}
