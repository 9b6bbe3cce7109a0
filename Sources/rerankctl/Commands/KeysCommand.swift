import AccessKeys
import ArgumentParser
import ZeroMQ

struct KeysCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys",
    abstract: "Makes CURVE keys, and says whom a queue lets in, and as what.",
    discussion: """
      rerankctl keys generate queue.key worker.key
      rerankctl keys authorize workers-berlin worker --key 'KEY' --list authorized_keys
      rerankctl keys authorize shop producer --key 'KEY' --tenant shop --list authorized_keys
      rerankctl keys list --list authorized_keys
      rerankctl keys revoke shop --list authorized_keys --dry-run

      Everything here is about files of this machine. A queue reads its list anew when it changes
      (queue.sockets.authorized_keys_file): who was taken out of it loses their connections at once.

      Roles: a producer submits, and sees the jobs and results of its tenants; a worker is given jobs;
      control may do everything that rerankctl can.
      """,
    subcommands: [
      Generate.self, Public.self, Authorize.self, Revoke.self, List.self,
    ])

  struct Generate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Writes new secret keys, of mode 0600, and prints their public keys.",
      discussion: """
        rerankctl keys generate /etc/rerankd/queue.key
        rerankctl keys generate queue.key worker.key gateway.key -o json

        A file that is there already is an error, and then none is written.
        """)

    @Argument(help: "A file for each secret key.", completion: .file())
    var files: [String]

    @OptionGroup var display: OutputOptions

    func run() async throws {
      try await CommandFailure.reporting {
        let keys = zip(files, try SecretKeyFile.generate(files)).map(PublicKeyView.init)
        try display.printer.list(keys) { PublicKeyView.table(keys) }
      }
    }
  }

  struct Public: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Prints the public keys of secret keys.",
      discussion: """
        rerankctl keys public /etc/rerankd/queue.key
        """)

    @Argument(help: "Files with a secret key each.", completion: .file())
    var files: [String]

    @OptionGroup var display: OutputOptions

    func run() async throws {
      try await CommandFailure.reporting {
        let keys = try files.map { PublicKeyView($0, try SecretKeyFile.read($0).publicKey) }
        try display.printer.list(keys) { PublicKeyView.table(keys) }
      }
    }
  }

  /// Which list is meant.
  struct ListOptions: ParsableArguments {
    @Option(help: "The queue's list of authorized keys.", completion: .file())
    var list: String

    var file: AuthorizedKeysFile { AuthorizedKeysFile(list) }
  }

  struct Authorize: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Adds a key to a queue's list.",
      discussion: """
        rerankctl keys authorize workers-berlin worker --key 'KEY' --list authorized_keys
        rerankctl keys authorize shop producer --key 'KEY' --tenant shop --list authorized_keys
        rerankctl keys authorize gateway producer --key 'KEY' --tenant '*' --list authorized_keys
        rerankctl keys authorize operator control --key 'KEY' --list authorized_keys

        The list is made when it is not there. A producer without --tenant may submit for the tenant
        "default" alone, which is what jobs have that name none.
        """)

    @Argument(help: "What the key is called in logs and lists.")
    var name: String

    @Argument(
      help: "What its holder may do: producer, worker or control.",
      transform: { text in
        guard let role = AccessRole(rawValue: text) else {
          throw ValidationError("a role is producer, worker or control")
        }
        return role
      })
    var role: AccessRole

    @Option(
      // A key may begin with a hyphen.
      parsing: .unconditional,
      help: ArgumentHelp(
        "The public key, as keys generate prints it: 40 characters. Quote it.",
        valueName: "public-key"))
    var key: String

    @Option(
      help: ArgumentHelp(
        "Of a producer: a tenant that it may act for; * for all. Again for more.",
        valueName: "name"))
    var tenant: [String] = []

    @OptionGroup var list: ListOptions
    @OptionGroup var display: OutputOptions

    func run() async throws {
      try await CommandFailure.reporting {
        let authorized = try AuthorizedKey(
          name: name, role: role, publicKey: publicKey(),
          tenants: tenant.isEmpty ? nil : try TenantScope(list: tenant.joined(separator: ",")))
        try list.file.authorize(authorized)
        let views = [AuthorizedKeyView(authorized)]
        try display.printer.list(views) { AuthorizedKeyView.table(views) }
      }
    }

    private func publicKey() throws -> CurvePublicKey {
      do {
        return try CurvePublicKey(z85: key)
      } catch {
        throw InputError("--key: \(error.message)")
      }
    }
  }

  struct Revoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Takes keys out of a queue's list; their connections end.",
      discussion: """
        rerankctl keys revoke shop --list authorized_keys
        rerankctl keys revoke shop workers-berlin --list authorized_keys --dry-run

        A name that is not in the list is an error, and then nothing is changed. What a worker held
        goes to another; jobs that a producer submitted stay.
        """)

    @Argument(help: "The keys' names.")
    var names: [String]

    @Flag(help: "Only say which.")
    var dryRun = false

    @OptionGroup var list: ListOptions
    @OptionGroup var display: OutputOptions

    func run() async throws {
      try await CommandFailure.reporting {
        let revoked = try list.file.revoke(Set(names), dryRun: dryRun).map(AuthorizedKeyView.init)
        try display.printer.list(revoked) { AuthorizedKeyView.table(revoked) }
        if dryRun { CommandFailure.say("--dry-run: the list is as it was") }
      }
    }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Prints who is in a queue's list.",
      discussion: """
        rerankctl keys list --list /etc/rerankd/authorized_keys
        rerankctl keys list --list authorized_keys -o json | jq '.[] | select(.role == "control")'
        """)

    @OptionGroup var list: ListOptions
    @OptionGroup var display: OutputOptions

    func run() async throws {
      try await CommandFailure.reporting {
        let keys = try list.file.read().keys.keys.map(AuthorizedKeyView.init)
        try display.printer.list(keys) { AuthorizedKeyView.table(keys) }
      }
    }
  }
}
