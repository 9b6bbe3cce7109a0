import Testing
import Tokenization

struct EncodingTests {
  @Test(arguments: Fixtures.settings)
  func encodesAsTheReferenceDoes(setting: String) throws {
    let tokenizer = try Fixtures.tokenizer(setting)
    let cases = try Fixtures.encodings().cases
    #expect(cases.count > 350)
    for one in cases {
      let ids = try #require(one.ids[setting])
      #expect(tokenizer.encode(one.text) == ids, "\(one.text.debugDescription)")
      #expect(tokenizer.count(one.text) == ids.count)
      #expect(ids.count <= one.text.utf8.count)
    }
  }

  @Test func controlTokensInTextAreTextUnlessTheyAreToBeRecognised() throws {
    let asText = try Fixtures.tokenizer()
    let recognising = try Fixtures.tokenizer(controlTokens: .recognised)
    let separator = try #require(asText.id(ofToken: "[SEP]"))
    var differing = 0
    for one in try Fixtures.encodings().cases {
      let ids = try #require(one.ids["uncased"])
      #expect(recognising.encode(one.text) == one.recognised ?? ids, "\(one.text)")
      #expect(!asText.encode(one.text).contains(separator))
      if one.recognised != nil { differing += 1 }
    }
    #expect(differing >= 3)
  }

  @Test func pairsFollowTheTemplate() throws {
    let tokenizer = try Fixtures.tokenizer()
    for pair in try Fixtures.encodings().pairs {
      let encoded = tokenizer.encodePair(query: pair.query, document: pair.document)
      #expect(encoded.ids == pair.ids)
      #expect(encoded.tokenTypes == pair.types)
      #expect(
        encoded.ids.count
          == tokenizer.count(pair.query) + tokenizer.count(pair.document)
          + tokenizer.pairOverhead)
    }
  }

  @Test func oneEncodedQueryServesManyDocuments() throws {
    let tokenizer = try Fixtures.tokenizer()
    let query = tokenizer.encode("the cat")
    var pairs = EncodedPair()
    tokenizer.appendPair(query: query, document: tokenizer.encode("sat"), to: &pairs)
    tokenizer.appendPair(query: query, document: tokenizer.encode("mat"), to: &pairs)
    let single = ["sat", "mat"].map { tokenizer.encodePair(query: "the cat", document: $0) }
    #expect(pairs.ids == single[0].ids + single[1].ids)
    #expect(pairs.tokenTypes == single[0].tokenTypes + single[1].tokenTypes)
  }

  @Test func truncationKeepsTheFirstTokensAndEndsBetweenCharacters() throws {
    for setting in Fixtures.settings {
      let tokenizer = try Fixtures.tokenizer(setting)
      for one in try Fixtures.encodings().cases {
        let whole = try #require(one.ids[setting])
        for tokensMax in [0, 1, 2, 3, 5, whole.count - 1, whole.count, whole.count + 1]
        where tokensMax >= 0 {
          let cut = tokenizer.truncate(one.text, toTokens: tokensMax)
          #expect(one.text.hasPrefix(cut) || cut.isEmpty)
          #expect(cut.utf8.elementsEqual(one.text.utf8.prefix(cut.utf8.count)))
          let ids = tokenizer.encode(cut)
          #expect(ids.count <= tokensMax)
          if tokensMax >= whole.count { #expect(cut.utf8.count == one.text.utf8.count) }
        }
      }
    }
  }

  @Test(arguments: [
    ("the cat sat on the mat", 3, "the cat sat"), ("unwantable", 1, "un"),
    ("cafe\u{301} cafe\u{301}", 1, "cafe\u{301}"), ("a,b", 2, "a,"), ("東京", 1, "東"),
    ("  the", 1, "  the"), ("the  ", 1, "the  "), ("zzz", 0, ""), ("👨‍👩‍👧 a", 1, "👨‍👩‍👧"),
  ])
  func truncationCutsAfterTheLastTokenThatFits(text: String, tokensMax: Int, cut: String) throws {
    #expect(try Fixtures.tokenizer().truncate(text, toTokens: tokensMax) == cut)
  }

  @Test func unknownWordsAndLongOnesAreOneToken() throws {
    let tokenizer = try Fixtures.tokenizer()
    #expect(tokenizer.encode("日") == [tokenizer.unknownID])
    #expect(tokenizer.count(String(repeating: "a", count: 100)) == 100)
    #expect(tokenizer.encode(String(repeating: "a", count: 1_000_000)) == [tokenizer.unknownID])
  }

  @Test func manyThreadsShareOneTokenizer() async throws {
    let tokenizer = try Fixtures.tokenizer()
    let expected = tokenizer.encode("the unwantable cat's mat")
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 {
        group.addTask {
          (0..<200).allSatisfy { _ in tokenizer.encode("the unwantable cat's mat") == expected }
        }
      }
      for await same in group { #expect(same) }
    }
  }
}
