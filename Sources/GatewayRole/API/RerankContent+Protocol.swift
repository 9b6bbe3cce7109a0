package import RerankdProtocol
package import Scoring

extension RerankContent {
  package init(_ content: Content) {
    self.init(
      parts: content.parts.compactMap { part in
        switch part.kind {
        case .text(let text): .text(text)
        case .image(let image):
          switch image.source {
          case .data(let data): .imageData(Array(data))
          case .url(let url): .imageURL(url)
          case nil: nil
          }
        case nil: nil
        }
      })
  }
}

extension TokenBudget.Policy {
  package init(_ policy: OverBudgetPolicy) {
    self =
      switch policy {
      case .truncate: .truncate
      case .windows: .windows
      case .reject, .UNRECOGNIZED: .reject
      }
  }
}
