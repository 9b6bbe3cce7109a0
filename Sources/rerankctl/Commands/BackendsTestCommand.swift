import ArgumentParser
import Foundation
import Logging
import RemoteEngine
import Scoring
import Settings

struct BackendsTestCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "test",
    abstract: "Asks backends for their models and for two scores, from this machine.",
    discussion: """
      rerankctl backends test                        every backend of the configuration
      rerankctl backends test hub --config /etc/rerankd.yaml
      rerankctl backends test --base-url https://hub.example --token-file hub.token --model NAME
      rerankctl backends test -o jsonl | jq -r 'select(.state != "ok") | .note'

      Each is asked as a worker asks it: with its token, certificates and proxy, in its API's words. No
      queue is needed; run it where the workers run. The requests count against the account, and not
      against the limits that the queue keeps. The first request's latency has the connection's making
      in it.

      Exit codes: 0 all of them work, or with warnings; 1 one of them does not; 65 the configuration is
      wrong, or has no such backend.
      """)

  @Argument(help: "Names of backends; all that a model names by default.")
  var names: [String] = []

  @Option(help: "rerankd's configuration file. Environment: RERANKD_CONFIG.")
  var config: String?

  @Option(help: "Instead of the configuration's: a backend at this address, without /v1/rerank.")
  var baseURL: String?

  @Option(help: "With --base-url: a model, as the backend names it.")
  var model: String?

  @Option(help: "With --base-url: openai, cohere, jina, tei or llama.")
  var dialect = RemoteEngineConfiguration.DialectName.openai

  @Option(help: "With --base-url: the file that holds the token.", completion: .file())
  var tokenFile: String?

  @Option(help: "With --base-url: the environment variable that holds the token.")
  var tokenEnv: String?

  @Option(help: "How long one answer may take, where the configuration does not allow less.")
  var timeout = TimeArgument(.seconds(30))

  @OptionGroup var display: OutputOptions

  func validate() throws {
    guard timeout.duration > .zero else { throw ValidationError("--timeout must be more than 0") }
    guard baseURL == nil else {
      guard names.isEmpty, config == nil else {
        throw ValidationError("--base-url stands for the configuration: give one of them")
      }
      guard model != nil else {
        throw ValidationError(
          "--base-url needs --model; a name that the backend has not shows those that it has")
      }
      guard tokenFile == nil || tokenEnv == nil else {
        throw ValidationError("give --token-file or --token-env, not both")
      }
      return
    }
    guard model == nil, tokenFile == nil, tokenEnv == nil, dialect == .openai else {
      throw ValidationError(
        "--model, --dialect, --token-file and --token-env go with --base-url; a backend of the "
          + "configuration has its own")
    }
  }

  func run() async throws {
    try await CommandFailure.reporting {
      var answers: [BackendAnswerView] = []
      for var backend in try backends() {
        backend.responseTimeout = min(backend.responseTimeout, timeout.duration)
        answers += try await BackendTest(backend).run()
      }
      try display.printer.list(answers) { BackendAnswerView.table(answers) }
      guard answers.allSatisfy({ $0.state != .failed }) else { throw CommandFailure.unsuccessful }
    }
  }

  private func backends() throws -> [RemoteEngineConfiguration] {
    if let baseURL, let model {
      var backend = RemoteEngineConfiguration(
        name: URL(string: baseURL)?.host() ?? "backend", baseURL: baseURL,
        models: [.init(name: model)])
      backend.dialect = dialect
      backend.credentials =
        tokenFile.map { .file($0) } ?? tokenEnv.map { .environment($0) } ?? .none
      return [backend]
    }
    let environment = ProcessInfo.processInfo.environment
    let all: [RemoteEngineConfiguration]
    do {
      all = try DaemonConfiguration.load(
        ConfigurationLayers(path: config ?? environment["RERANKD_CONFIG"], environment: environment)
      ).backends
    } catch let error as ConfigurationError {
      throw InputError("\(error)")
    }
    guard !all.isEmpty else {
      throw InputError(
        "the configuration has no backend that a model names: give one by --config, or --base-url")
    }
    return try names.isEmpty
      ? all
      : names.map { name in
        guard let found = all.first(where: { $0.name == name }) else {
          throw InputError(
            "no model of the configuration names a backend \"\(name)\"; there are "
              + all.map(\.name).joined(separator: ", "))
        }
        return found
      }
  }
}

/// Asks one backend by the engine that workers have.
private struct BackendTest {
  private let backend: RemoteEngineConfiguration
  private let engine: RemoteRerankEngine

  /// - Throws: ``InputError`` for what no engine can work with.
  init(_ backend: RemoteEngineConfiguration) throws {
    self.backend = backend
    do {
      // What it would log stands in the answers, or is for `config check` to say.
      engine = try RemoteRerankEngine(
        backend, environment: ProcessInfo.processInfo.environment,
        logger: Logger(label: "rerankctl") { _ in SwiftLogNoOpLogHandler() })
    } catch let error as RemoteEngineConfiguration.Invalid {
      throw InputError("backend \"\(backend.name)\": \(error)")
    }
  }

  func run() async throws -> [BackendAnswerView] {
    var answers: [BackendAnswerView] = []
    let (listing, latency) = await timed { try await engine.listedModels() }
    var listed: Set<String>?
    switch listing {
    case .success(let names):
      listed = names
      answers.append(BackendAnswerView(backend.name, listed: names, latency: latency))
    case .failure(let error):
      answers.append(BackendAnswerView(backend.name, .models, error: error, latency: latency))
    }
    for model in backend.models {
      if let listed, !listed.contains(model.servedName) {
        answers.append(BackendAnswerView(backend.name, unlisted: model))
      } else {
        answers.append(await answer(of: model))
      }
    }
    await engine.shutdown()
    return answers
  }

  private func answer(of model: RemoteEngineConfiguration.Model) async -> BackendAnswerView {
    let (scores, latency) = await timed { try await engine.goldenPairScores(model: model.name) }
    switch scores {
    case .success(let scores):
      return BackendAnswerView(backend.name, model, scores: scores, latency: latency)
    case .failure(let error):
      return BackendAnswerView(backend.name, .rerank, model.name, error: error, latency: latency)
    }
  }

  private func timed<Value>(
    _ question: () async throws -> Value
  ) async -> (Result<Value, EngineError>, Duration) {
    let start = ContinuousClock.now
    let result: Result<Value, EngineError>
    do {
      result = .success(try await question())
    } catch let error as EngineError {
      result = .failure(error)
    } catch {
      result = .failure(
        EngineError(code: .internal, message: "\(error)", isRetryable: false))
    }
    return (result, start.duration(to: .now))
  }
}
