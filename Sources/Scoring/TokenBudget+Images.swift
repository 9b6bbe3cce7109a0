extension TokenBudget {
  /// Checks a side's parts and counts its images.
  func imageTokens(
    of content: RerankContent, name: String
  ) throws(DocumentRefusal) -> Tokens {
    guard content.hasImages else {
      guard !content.text.isBlank else {
        throw DocumentRefusal(error: .invalid("\(name) is empty"))
      }
      return Tokens()
    }
    guard model.acceptsImages else {
      throw DocumentRefusal(
        error: .invalid("\(name) has an image, and \(model.name) takes text only"))
    }
    var tokens = Tokens()
    for part in content.parts {
      guard let image = try imageTokens(of: part, name: name) else { continue }
      tokens.usage += image.usage
      tokens.context += image.context
    }
    return tokens
  }

  /// nil for text.
  private func imageTokens(
    of part: RerankContent.Part, name: String
  ) throws(DocumentRefusal) -> Tokens? {
    let header: ImageHeader
    do throws(EngineError) {
      switch part {
      case .text: return nil
      case .imageData(let data): header = try ImageHeader(parsing: data)
      case .imageURL(let url):
        let scheme = url.prefix { $0 != ":" }.lowercased()
        if ["http", "https"].contains(scheme) {
          return Tokens(usage: ImageTokens.tokensMax, context: ImageTokens.tokensMax)
        }
        guard scheme == "data" else {
          throw .malformedImage("its URL is neither http(s) nor data:")
        }
        header = try ImageHeader(dataURL: url)
      }
    } catch {
      throw DocumentRefusal(error: .invalid("\(name): \(error.message)"))
    }
    let (width, height) = (header.displayWidth, header.displayHeight)
    guard max(width, height) <= ImageTokens.aspectRatioMax * min(width, height) else {
      throw DocumentRefusal(
        error: .invalid(
          "\(name): an image of \(width)×\(height) pixels; the model takes none whose one side is "
            + "more than \(ImageTokens.aspectRatioMax) times the other"))
    }
    return Tokens(
      usage: ImageTokens.count(width: width, height: height),
      context: ImageTokens.contextCount(width: width, height: height))
  }
}
