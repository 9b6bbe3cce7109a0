import Foundation
import TestSupport
import Testing

@testable import Scoring

struct ImageTokensTests {
  @Test(arguments: [
    (512, 512, 256), (1_296, 1_936, 1_247), (1_024, 768, 768), (1_920, 1_080, 1_222),
    (1, 1, 0), (31, 4_000, 0), (32, 32, 1), (63, 95, 2), (1_280, 1_024, 1_280),
    (2_560, 2_048, 1_280), (100_000, 80_000, 1_280), (2_147_483_647, 2_147_483_647, 1_225),
  ])
  func countsBlocksOfTheScaledImage(width: Int, height: Int, tokens: Int) {
    #expect(ImageTokens.count(width: width, height: height) == tokens)
    #expect(ImageTokens.count(width: height, height: width) == tokens)
  }

  @Test func agreesWithTheFormulaInFloatingPointAndNeverExceedsTheCap() {
    func formula(_ width: Int, _ height: Int) -> Int {
      let pixels = Double(width * height)
      let scale = pixels > 1_310_720 ? (1_310_720 / pixels).squareRoot() : 1
      return Int(Double(width) * scale / 32) * Int(Double(height) * scale / 32)
    }
    for width in stride(from: 1, through: 6_000, by: 37) {
      for height in stride(from: 1, through: 6_000, by: 41) {
        let tokens = ImageTokens.count(width: width, height: height)
        #expect(tokens == formula(width, height), "\(width)×\(height)")
        #expect(tokens <= ImageTokens.tokensMax)
        #expect(ImageTokens.contextCount(width: width, height: height) <= ImageTokens.tokensMax)
      }
    }
  }

  @Test(arguments: [
    // Rounded to the nearest block: up …
    (48, 48, 4), (1_010, 1_010, 1_024), (80, 80, 4), (112, 112, 16),
    // … enlarged to four blocks and more …
    (1, 1, 4), (20, 20, 4), (200, 1, 29), (32, 96, 8), (5_000, 25, 156),
    // … and scaled down.
    (1_920, 1_080, 1_222), (4_000, 3_000, 1_230),
  ])
  func modelRoundsSmallImagesUp(width: Int, height: Int, tokens: Int) {
    #expect(ImageTokens.modelCount(width: width, height: height) == tokens)
  }

  @Test func contextIsCheckedWithTheLargerCount() {
    #expect(ImageTokens.count(width: 48, height: 48) == 1)
    #expect(ImageTokens.contextCount(width: 48, height: 48) == 4)
    // Half to even rounds 80 down to 64 with both rules, and 1,008 up to 1,024 with the model's.
    #expect(ImageTokens.contextCount(width: 1_008, height: 992) == 992)
    #expect(ImageTokens.count(width: 1_008, height: 992) == 961)
  }
}

struct ImageHeaderTests {
  private static let folder = SharedData.data.appending(path: "images")

  @Test(.needsSharedData("images"))
  func readsEveryImageOfTheSharedDataAsPillowDoes() throws {
    let table = try String(contentsOf: Self.folder.appending(path: "images.csv"), encoding: .utf8)
    let rows = table.split(whereSeparator: \.isNewline).dropFirst()
    #expect(rows.count == 54)
    for row in rows {
      let cells = row.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      let file = try [UInt8](Data(contentsOf: Self.folder.appending(path: cells[0])))
      guard cells[1] != "malformed" else {
        let error = #expect(throws: EngineError.self, "\(row)") { try ImageHeader(parsing: file) }
        #expect(error?.code == .invalidArgument)
        continue
      }
      let header = try #require(try? ImageHeader(parsing: file), "\(row)")
      #expect([header.width, header.height] == [Int(cells[1]), Int(cells[2])], "\(row)")
      #expect(header.format.rawValue == cells[3], "\(row)")
      #expect(header.orientation == Int(cells[4]), "\(row)")
      #expect([header.displayWidth, header.displayHeight] == [Int(cells[5]), Int(cells[6])])
    }
  }

  @Test(.needsSharedData("images"))
  func everyBeginningOfAFileIsReadOrRefused() throws {
    for name in [
      "d_progressive_orient6.jpg", "hopper_orientation_6.webp", "1_trns.png", "d_anim.gif",
    ] {
      let file = try [UInt8](Data(contentsOf: Self.folder.appending(path: name)))
      let whole = try ImageHeader(parsing: file)
      for count in 0..<min(file.count, 1_500) {
        if let header = try? ImageHeader(parsing: Array(file[..<count])) {
          #expect(header.width == whole.width && header.height == whole.height)
        }
      }
    }
  }

  @Test func readsThePixelOfADataURL() throws {
    let header = try ImageHeader(dataURL: "DATA:image/gif;base64," + onePixelGIF)
    #expect(header == ImageHeader(format: .gif, width: 1, height: 1))
  }

  @Test(arguments: [
    "data:image/gif;base64", "data:image/gif,R0lGODlhAQABAAAAADs=", "data:;base64,###",
    "data:image/gif;base64,", "https://example.org/a.gif",
  ])
  func refusesDataURLsOfOtherKinds(url: String) {
    #expect(throws: EngineError.self) { try ImageHeader(dataURL: url) }
  }

  @Test func onlySoManyPartsOfAFileAreLookedAt() throws {
    func segments(_ count: Int) -> [UInt8] {
      let empty: [UInt8] = [0xFF, 0xE0, 0, 2]
      let frame: [UInt8] = [0xFF, 0xC0, 0, 8, 8, 0, 3, 0, 5, 1]
      return [0xFF, 0xD8] + Array(repeatElement(empty, count: count).joined()) + frame
    }
    let most = try ImageHeader(parsing: segments(ImageHeader.Limits.partsMax - 1))
    #expect(most == ImageHeader(format: .jpeg, width: 5, height: 3))
    #expect(throws: EngineError.self) {
      try ImageHeader(parsing: segments(ImageHeader.Limits.partsMax))
    }
  }

  @Test func dataURLAboveTheLimitIsNotDecoded() {
    let url = "data:;base64," + String(repeating: "A", count: ImageHeader.Limits.urlBytesMax)
    let error = #expect(throws: EngineError.self) { try ImageHeader(dataURL: url) }
    #expect(error?.message.contains("longer than 67108864 bytes") == true)
  }

  @Test func readsOrientationFromXMPAsElementOrAttribute() {
    let xmp = ByteReader(Array("<tiff:Orientation>6</tiff:Orientation>".utf8))
    #expect(ImageOrientation.xmp(xmp, 0..<xmp.count) == 6)
    let attribute = ByteReader(Array("tiff:Orientation=\"8\"".utf8))
    #expect(ImageOrientation.xmp(attribute, 0..<attribute.count) == 8)
    let wrong = ByteReader(Array("tiff:Orientation=\"9\"".utf8))
    #expect(ImageOrientation.xmp(wrong, 0..<wrong.count) == nil)
  }
}

let onePixelGIF = "R0lGODlhAQABAAAAADs="
