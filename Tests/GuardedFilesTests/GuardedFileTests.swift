import Foundation
import Glibc
import TestSupport
import Testing

@testable import GuardedFiles

@Suite struct GuardedFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder("guarded") }

  private func file(
    _ kind: GuardedFile.Kind, _ mode: mode_t, _ text: String = "text\n", bytesMax: Int = 100
  ) throws -> GuardedFile {
    let path = try folder.write(text, to: "file")
    #expect(chmod(path, mode) == 0)
    return GuardedFile(path, kind, bytesMax: bytesMax)
  }

  private func code(_ file: GuardedFile) -> GuardedFileError.Code? {
    do {
      _ = try file.read()
      return nil
    } catch {
      #expect(error.message.contains(file.path))
      return error.code
    }
  }

  @Test(arguments: [0o600, 0o400] as [mode_t])
  func ownSecretIsForItsOwnerAlone(mode: mode_t) throws {
    let (version, text) = try file(.secret, mode).read()
    #expect(text == "text\n")
    #expect(try version == GuardedFile(folder.path("file"), .secret, bytesMax: 100).version())
  }

  @Test(arguments: [0o640, 0o440, 0o604, 0o601, 0o620, 0o602, 0o666] as [mode_t])
  func ownSecretThatOthersCanReachIsRefused(mode: mode_t) throws {
    let file = try file(.secret, mode)
    #expect(code(file) == .permissions)
    #expect(throws: GuardedFileError.self) { try file.version() }
  }

  /// As Kubernetes mounts secrets for a pod's group, and systemd credentials.
  @Test func secretOfAnotherOwnerMayBeReadByItsGroup() {
    let secret = GuardedFile.Kind.secret
    #expect(secret.problem(mode: 0o440, owner: 0, user: 1_000) == nil)
    #expect(secret.problem(mode: 0o400, owner: 0, user: 1_000) == nil)
    #expect(secret.problem(mode: 0o440, owner: 1_000, user: 1_000) != nil)
    #expect(secret.problem(mode: 0o444, owner: 0, user: 1_000) != nil)
    #expect(secret.problem(mode: 0o460, owner: 0, user: 1_000) != nil)
    #expect(secret.problem(mode: 0o444, owner: 0, user: 1_000)?.mend == "chmod o=")
  }

  @Test(
    arguments: [(0o644, true), (0o600, true), (0o664, false), (0o646, false)] as [(mode_t, Bool)])
  func listIsReadableButForItsOwnerToWrite(mode: mode_t, isRight: Bool) throws {
    #expect(code(try file(.allowList, mode)) == (isRight ? nil : .permissions))
  }

  @Test func linkIsFollowedToTheFileThatCounts() throws {
    _ = try file(.secret, 0o644)
    let link = folder.path("link")
    #expect(symlink("file", link) == 0)
    #expect(code(GuardedFile(link, .secret, bytesMax: 100)) == .permissions)
    #expect(chmod(folder.path("file"), 0o600) == 0)
    #expect(code(GuardedFile(link, .secret, bytesMax: 100)) == nil)
  }

  @Test func whatIsNoSmallTextIsRefused() throws {
    #expect(code(try file(.secret, 0o600, String(repeating: "x", count: 101))) == .content)
    #expect(code(try file(.secret, 0o600, String(repeating: "x", count: 100))) == nil)
    #expect(code(GuardedFile(folder.path("absent"), .secret, bytesMax: 1)) == .unreadable)
    #expect(code(GuardedFile(folder.url.path, .secret, bytesMax: 1)) == .unreadable)
    let pipe = folder.path("pipe")
    #expect(mkfifo(pipe, 0o600) == 0)
    // And nobody waits for somebody to write into it.
    #expect(code(GuardedFile(pipe, .secret, bytesMax: 1)) == .unreadable)
    let descriptor = open(folder.path("binary"), O_WRONLY | O_CREAT, 0o600)
    #expect(write(descriptor, [0xFF, 0xFE] as [UInt8], 2) == 2)
    close(descriptor)
    #expect(code(GuardedFile(folder.path("binary"), .secret, bytesMax: 9)) == .content)
  }

  @Test func changeIsAnotherVersion() throws {
    let file = try file(.allowList, 0o644)
    let before = try file.version()
    #expect(try file.version() == before)
    let lock = try file.lock()
    // The same length, and at once.
    try file.replace(with: "next\n", under: lock)
    lock.release()
    #expect(try file.version() != before)
    #expect(try file.read().text == "next\n")
  }

  @Test func newFilesHaveTheModeOfTheirKind() throws {
    for (kind, mode) in [(.secret, 0o600), (.allowList, 0o644)] as [(GuardedFile.Kind, mode_t)] {
      let file = GuardedFile(folder.path("new-\(kind)"), kind, bytesMax: 100)
      let before = umask(0)
      try file.create("a")
      umask(before)
      #expect(self.mode(file.path) == mode)
      let error = #expect(throws: GuardedFileError.self) { try file.create("b") }
      #expect(error?.code == .exists)
      #expect(try file.read().text == "a")
    }
  }

  @Test func replacingKeepsModeAndLink() throws {
    _ = try file(.allowList, 0o600)
    let link = folder.path("link")
    #expect(symlink(folder.path("file"), link) == 0)
    let linked = GuardedFile(link, .allowList, bytesMax: 100)
    let lock = try linked.lock()
    // What an editor that was killed left behind is in nobody's way.
    try folder.write("half", to: "file.new")
    try linked.replace(with: "new", under: lock)
    lock.release()
    #expect(mode(folder.path("file")) == 0o600)
    var status = stat()
    #expect(lstat(link, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
    #expect(try linked.read().text == "new")
    #expect(access(folder.path("file.new"), F_OK) != 0)
  }

  @Test func editsWaitForOneAnother() async throws {
    let file = try file(.allowList, 0o644, "", bytesMax: 10_000)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<8 {
        group.addTask {
          let lock = try file.lock()
          defer { lock.release() }
          try file.replace(with: try file.read().text + "\(number)\n", under: lock)
        }
      }
      try await group.waitForAll()
    }
    #expect(try file.read().text.split(separator: "\n").sorted() == (0..<8).map { "\($0)" })
  }

  private func mode(_ path: String) -> mode_t? {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & 0o777 : nil
  }
}
