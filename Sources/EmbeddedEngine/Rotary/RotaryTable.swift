import Foundation

/// The angles by which queries and keys turn at each position: a pair of columns i of a head turns by
/// position · theta^(−2i / headSize), computed in fp32 as transformers does.
struct RotaryTable: Sendable {
  /// [positions][headSize / 2]
  private let cosines: FloatBuffer
  /// [positions][headSize / 2]
  private let sines: FloatBuffer
  private let half: Int

  init(positions: Int, headSize: Int, theta: Float) {
    half = headSize / 2
    cosines = FloatBuffer(count: positions * half)
    sines = FloatBuffer(count: positions * half)
    for pair in 0..<half {
      let frequency = 1 / pow(theta, Float(2 * pair) / Float(headSize))
      for position in 0..<positions {
        let angle = Float(position) * frequency
        cosines.start[position * half + pair] = cos(angle)
        sines.start[position * half + pair] = sin(angle)
      }
    }
  }

  /// The tables' rows from a position on.
  func rows(from position: Int) -> (cosines: UnsafePointer<Float>, sines: UnsafePointer<Float>) {
    (UnsafePointer(cosines.start + position * half), UnsafePointer(sines.start + position * half))
  }
}
