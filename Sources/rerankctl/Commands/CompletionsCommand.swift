import ArgumentParser

struct CompletionsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "completions", abstract: "Prints a completion script for a shell.",
    discussion: """
      rerankctl completions bash > /etc/bash_completion.d/rerankctl
      rerankctl completions zsh > "${fpath[1]}/_rerankctl"
      rerankctl completions fish > ~/.config/fish/completions/rerankctl.fish
      """)

  enum Shell: String, ExpressibleByArgument, CaseIterable {
    case bash, zsh, fish
  }

  @Argument(help: "bash, zsh or fish.")
  var shell: Shell

  func run() {
    let script: CompletionShell =
      switch shell {
      case .bash: .bash
      case .zsh: .zsh
      case .fish: .fish
      }
    print(Rerankctl.completionScript(for: script))
  }
}
