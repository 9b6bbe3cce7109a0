import Foundation
import TestSupport
import Testing

extension SystemTests {
  /// `rerankctl completions`, in the shells that are on this machine.
  @Suite struct CompletionsCommandTests {
    /// Loads a script, and says what it completes a line's last word to.
    private func completions(
      _ shell: String, _ asking: (_ script: String) -> String
    ) async throws -> Set<String>? {
      let script = try await ControlOutput.of(["completions", shell])
      try #require(script.exit == .status(0), "\(script.error)")
      guard Program.exists(shell) else {
        print("skipped: \(shell) is missing")
        return nil
      }
      let folder = try TemporaryFolder("completions")
      let path = try folder.write(script.output, to: "_rerankctl")
      let product = try ChildProcess.builtProduct("rerankctl").deletingLastPathComponent().path
      let search = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
      let process = try ChildProcess(
        "/usr/bin/env", arguments: [shell, "-c", asking(path)],
        environment: ["PATH": product + ":" + search, "HOME": folder.url.path])
      #expect(try await process.waitForExit() == .status(0))
      #expect(process.text(of: .error) == "")
      return Set(
        process.text(of: .output).split(whereSeparator: \.isWhitespace).map(String.init))
    }

    private static let verbs: Set = ["list", "show", "retry", "cancel", "purge", "export"]

    @Test func bashCompletesVerbs() async throws {
      let found = try await completions("bash") { script in
        """
        source '\(script)'; COMP_WORDS=(rerankctl jobs ''); COMP_CWORD=2; COMP_LINE='rerankctl jobs '
        COMP_POINT=${#COMP_LINE}; $(complete -p rerankctl | sed 's/.*-F \\([^ ]*\\).*/\\1/') \
        rerankctl '' jobs; echo "${COMPREPLY[@]}"
        """
      }
      if let found { #expect(found.isSuperset(of: Self.verbs)) }
    }

    @Test func zshLoadsTheScript() async throws {
      let found = try await completions("zsh") { script in
        """
        autoload -Uz compinit && compinit -u -D && source '\(script)' && compdef _rerankctl rerankctl \
        && print -r -- ${_comps[rerankctl]} && whence -w _rerankctl_jobs
        """
      }
      if let found { #expect(found == ["_rerankctl", "_rerankctl_jobs:", "function"]) }
    }

    @Test func fishCompletesVerbs() async throws {
      let found = try await completions("fish") { script in
        "source '\(script)'; complete --do-complete 'rerankctl jobs ' | cut -f 1"
      }
      if let found { #expect(found.isSuperset(of: Self.verbs)) }
    }
  }
}
