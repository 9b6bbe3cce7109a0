/// What an image costs of a model's context.
///
/// The count that is reported is a token for each 32×32 block: an image of more than 1,310,720
/// pixels is first scaled by √(1,310,720 / (w·h)), and both sides are rounded down to multiples of
/// 32. The model itself rounds small images up (Qwen's `smart_resize`), so the check against the
/// context takes the larger of the two counts.
///
/// Both are computed in whole numbers: since 1,310,720 = 1,280·32², a scaled side has
/// ⌊√(1,280·w/h)⌋ blocks, without the rounding of a floating-point root.
public enum ImageTokens {
  public static let blockPixels = 32
  /// More blocks are scaled down to these.
  public static let blocksMax = 1_280
  /// The model enlarges images of fewer blocks.
  public static let blocksMin = 4
  /// The model refuses a side more than this many times the other.
  public static let aspectRatioMax = 200
  /// No image costs more: what an image of unknown size counts as.
  public static let tokensMax = 1_280
  /// Of each side, so that the arithmetic cannot overflow.
  public static let sidePixelsMax = Int(Int32.max)

  /// The tokens that are reported, 0 for an image smaller than a block.
  ///
  /// - Parameters:
  ///   - width: 1 to ``sidePixelsMax``.
  ///   - height: likewise.
  public static func count(width: Int, height: Int) -> Int {
    if width * height > blocksMax * blockPixels * blockPixels {
      return root(blocksMax * width / height) * root(blocksMax * height / width)
    }
    return (width / blockPixels) * (height / blockPixels)
  }

  /// The tokens to check the context with.
  public static func contextCount(width: Int, height: Int) -> Int {
    max(count(width: width, height: height), modelCount(width: width, height: height))
  }

  /// Qwen's `smart_resize` with a factor of 32, at most 1,280 blocks and at least 4.
  static func modelCount(width: Int, height: Int) -> Int {
    let blocks = rounded(width) * rounded(height)
    if blocks > blocksMax {
      return max(1, root(blocksMax * width / height)) * max(1, root(blocksMax * height / width))
    }
    if blocks < blocksMin {
      return rootUp(blocksMin * width, over: height) * rootUp(blocksMin * height, over: width)
    }
    return blocks
  }

  /// Blocks along a side, half to even.
  private static func rounded(_ side: Int) -> Int {
    let (blocks, rest) = side.quotientAndRemainder(dividingBy: blockPixels)
    let up = rest * 2 > blockPixels || (rest * 2 == blockPixels && blocks % 2 == 1)
    return up ? blocks + 1 : blocks
  }

  /// ⌊√value⌋
  private static func root(_ value: Int) -> Int {
    var root = Int(Double(value).squareRoot())
    while root * root > value { root -= 1 }
    while (root + 1) * (root + 1) <= value { root += 1 }
    return root
  }

  /// ⌈√(value / divisor)⌉
  private static func rootUp(_ value: Int, over divisor: Int) -> Int {
    let whole = (value + divisor - 1) / divisor
    let root = root(whole)
    return root * root == whole ? root : root + 1
  }
}
