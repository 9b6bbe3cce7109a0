internal import RerankdProtocol

/// Checks a serialized `RerankRequest` in one pass over its bytes, without decoding it: a query,
/// 1 to `documentsMax` documents, none of them empty or too large, UTF-8, images only where the
/// model takes them.
struct RequestCheck {
  let limits: IntakeLimits
  /// Whether the job's model takes images.
  let takesImages: Bool
  /// Where the request stands: "jobs[3].request".
  let path: String

  func run(_ reader: ProtobufReader, into violations: inout FieldViolations) {
    do {
      try walk(reader, into: &violations)
    } catch {
      violations.add(path, "is no serialized RerankRequest: \(error.message)")
    }
  }

  private func walk(
    _ reader: ProtobufReader, into violations: inout FieldViolations
  ) throws(ProtobufReader.Malformed) {
    var reader = reader
    var query: ContentFacts?
    var documents = 0
    while let field = try reader.next() {
      switch field.number {
      case 1:
        // Protobuf merges a sub-message that occurs twice; so the parts of both are the query.
        let more = try facts(try reader.nested(field), "\(path).query", into: &violations)
        query = (query ?? ContentFacts()).merged(with: more)
      case 2:
        let index = documents
        documents += 1
        guard index < limits.documentsMax else { continue }
        let document = try facts(
          try reader.nested(field), "\(path).documents[\(index)]", into: &violations)
        check(document, "\(path).documents[\(index)]", into: &violations)
      case 3, 7:
        guard try reader.varint(field) <= UInt64(UInt32.max) else {
          let name = field.number == 3 ? "top_n" : "max_tokens_per_doc"
          violations.add("\(path).\(name)", "is larger than \(UInt32.max)")
          continue
        }
      case 4:
        let instruction = try reader.range(field)
        if instruction.count > limits.instructionBytesMax {
          violations.add(
            "\(path).instruction",
            "has \(instruction.count) bytes; the limit is \(limits.instructionBytesMax)")
        } else if !reader.isUTF8(instruction) {
          violations.add("\(path).instruction", "is not UTF-8")
        }
      case 5:
        if try reader.varint(field) > 2 {
          violations.add("\(path).over_budget", "is no known OverBudgetPolicy")
        }
      case 6:
        if try reader.varint(field) > 1 {
          violations.add("\(path).document_failure", "is no known DocumentFailurePolicy")
        }
      default: continue
      }
    }
    if let query, !query.isEmpty {
      check(query, "\(path).query", into: &violations)
    } else {
      violations.add("\(path).query", "is missing or empty; a request needs a query")
    }
    if documents == 0 {
      violations.add("\(path).documents", "is empty; a request needs at least one document")
    }
    if documents > limits.documentsMax {
      violations.add(
        "\(path).documents", "has \(documents) documents; the limit is \(limits.documentsMax)")
    }
  }

  /// What the checks need to know of one query or document.
  private struct ContentFacts {
    var textBytes = 0
    var images = 0

    var isEmpty: Bool { textBytes == 0 && images == 0 }

    func merged(with other: ContentFacts) -> ContentFacts {
      ContentFacts(textBytes: textBytes + other.textBytes, images: images + other.images)
    }
  }

  private func check(
    _ content: ContentFacts, _ field: @autoclosure () -> String,
    into violations: inout FieldViolations
  ) {
    if content.isEmpty {
      violations.add(field(), "is empty: neither text nor image")
    }
    if content.textBytes > limits.documentTextBytesMax {
      violations.add(
        field(),
        "has \(content.textBytes) bytes of text; the limit is \(limits.documentTextBytesMax)")
    }
    if content.images > 0, !takesImages {
      violations.add(field(), "has an image, and the model takes text alone")
    }
  }

  private func facts(
    _ reader: ProtobufReader, _ field: @autoclosure () -> String,
    into violations: inout FieldViolations
  ) throws(ProtobufReader.Malformed) -> ContentFacts {
    var reader = reader
    var facts = ContentFacts()
    var parts = 0
    while let part = try reader.next() {
      guard part.number == 1 else { continue }
      let index = parts
      parts += 1
      var partReader = try reader.nested(part)
      // Of a oneof that occurs twice, the last one counts; but no reader takes a text that is none.
      var text: Range<Int>?
      var image: ProtobufReader?
      while let kind = try partReader.next() {
        switch kind.number {
        case 1:
          let range = try partReader.range(kind)
          if !partReader.isUTF8(range) {
            violations.add("\(field()).parts[\(index)].text", "is not UTF-8")
          }
          text = range
          image = nil
        case 2:
          image = try partReader.nested(kind)
          text = nil
        default: continue
        }
      }
      if let text {
        facts.textBytes += text.count
      } else if let image {
        facts.images += 1
        if let problem = try self.problem(of: image) {
          violations.add("\(field()).parts[\(index)].image", problem)
        }
      }
    }
    return facts
  }

  /// Nil for an image that has data, or an http(s) URL.
  private func problem(of image: ProtobufReader) throws(ProtobufReader.Malformed) -> String? {
    var reader = image
    var problem: String? = "has neither data nor a URL"
    while let source = try reader.next() {
      switch source.number {
      case 1:
        problem = try reader.range(source).isEmpty ? "has no data" : nil
      case 2:
        let range = try reader.range(source)
        guard reader.isUTF8(range) else { return "has a URL that is not UTF-8" }
        if range.count > limits.imageURLBytesMax {
          problem = "has a URL of \(range.count) bytes; the limit is \(limits.imageURLBytesMax)"
        } else if let url = reader.string(range), Self.isWebURL(url) {
          problem = nil
        } else {
          problem = "has a URL that begins with neither http:// nor https://"
        }
      default: continue
      }
    }
    return problem
  }

  private static func isWebURL(_ url: String) -> Bool {
    let start = url.prefix(8).lowercased()
    return start.hasPrefix("http://") || start == "https://"
  }
}
