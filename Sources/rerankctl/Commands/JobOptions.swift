import ArgumentParser
import RerankdProtocol

/// How jobs are to be treated, by flags; a job's own line goes before them.
struct JobOptions: ParsableArguments {
  @Option(name: [.short, .long], help: "The model, as the queue's catalogue names it.")
  var model = "builtin"

  @Option(help: "Whose job it is; jobs of a model are served fairly over tenants.")
  var tenant: String?

  @Option(help: "-100 to 100, higher first.")
  var priority: Int32 = 0

  @Option(help: "One deadline over all attempts.")
  var deadline: TimeArgument?

  @Option(help: "How often the job may be tried.")
  var maxAttempts: UInt32?

  var spec: JobSpec {
    var spec = JobSpec()
    spec.model = model
    spec.tenant = tenant ?? ""
    spec.priority = priority
    spec.deadlineMs = deadline?.duration.wholeMilliseconds ?? 0
    spec.maxAttempts = maxAttempts ?? 0
    return spec
  }
}
