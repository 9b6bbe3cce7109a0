import AccessKeys
import ArgumentParser
import Evaluation
import Foundation
import RerankdProtocol

/// How a command ends that could not do what it was asked: one line on standard error, and an exit
/// code that says what kind of thing went wrong.
enum CommandFailure {
  /// A job was refused or did not succeed.
  static let unsuccessful = ExitCode(1)
  /// sysexits' EX_DATAERR and EX_UNAVAILABLE.
  static let wrongInput = ExitCode(65)
  static let queueAway = ExitCode(69)

  /// As shells report a program that a signal ended.
  static func ended(by signal: Int32) -> ExitCode { ExitCode(128 + signal) }

  static func reporting(_ body: () async throws -> Void) async throws {
    do {
      try await body()
    } catch let error as CallError {
      say(error.description)
      throw exitCode(for: error.code)
    } catch let error as InputError {
      say(error.description)
      throw wrongInput
    } catch let error as AccessKeysError {
      say(error.description)
      throw wrongInput
    } catch let error as EvaluationError {
      say(error.description)
      throw wrongInput
    } catch let error as HubError {
      say(error.description)
      throw exitCode(for: error.code)
    } catch where !(error is ExitCode || error is ValidationError || error is CleanExit) {
      say("\(error)")
      throw ExitCode.failure
    }
  }

  static func say(_ message: String) {
    FileHandle.standardError.write(Data("rerankctl: \(message)\n".utf8))
  }

  private static func exitCode(for code: StatusCode) -> ExitCode {
    switch code {
    case .unavailable, .deadlineExceeded: queueAway
    case .invalidArgument, .notFound: wrongInput
    default: unsuccessful
    }
  }

  private static func exitCode(for code: HubError.Code) -> ExitCode {
    switch code {
    case .unavailable: queueAway
    case .unauthorized, .gated, .notFound, .revisionNotFound, .unusable, .unexpected: wrongInput
    case .corrupt, .full, .file: unsuccessful
    }
  }
}
