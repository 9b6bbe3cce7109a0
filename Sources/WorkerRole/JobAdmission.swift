import RerankdProtocol
import Scoring

/// Asks the queue for leave to send a job's requests, and tells it how they end.
struct JobAdmission: BackendAdmission {
  let shell: WorkerShell
  let lease: LeaseRef

  func withPermit<Answer: Sendable>(
    backend: String, tokens: Int, _ request: @Sendable () async throws -> Answer
  ) async throws -> Answer {
    let permit = try await shell.permit(backend: backend, tokens: tokens, lease: lease)
    do {
      let answer = try await request()
      await shell.handle(.permitEnded(permit, .answered))
      return answer
    } catch let error as EngineError {
      await shell.handle(.permitEnded(permit, .failed(error)))
      throw error
    } catch {
      await shell.handle(.permitEnded(permit, .unfinished))
      throw error
    }
  }
}
