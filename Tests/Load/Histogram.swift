import MFRHarness

/// Latencies in buckets that are at most 1/32 wide. Adding one costs a few instructions.
struct Histogram {
  private static let steps = 32
  private var counts = [UInt64](repeating: 0, count: 64 * steps)
  private(set) var total: UInt64 = 0
  private(set) var greatest: UInt64 = 0

  @inline(__always)
  mutating func add(nanoseconds value: UInt64) {
    counts[Self.bucket(value)] &+= 1
    total &+= 1
    if value > greatest { greatest = value }
  }

  func quantile(_ q: Double) -> Duration {
    var left = UInt64(Double(total) * q)
    for (index, count) in counts.enumerated() where count > 0 {
      if left < count { return .nanoseconds(Int64(min(Self.upperEnd(index), greatest))) }
      left -= count
    }
    return .nanoseconds(Int64(greatest))
  }

  var max: Duration { .nanoseconds(Int64(greatest)) }

  @inline(__always)
  private static func bucket(_ value: UInt64) -> Int {
    if value < UInt64(steps) { return Int(value) }
    let exponent = 63 - value.leadingZeroBitCount  // at least 5
    return (exponent - 4) * steps + Int((value >> UInt64(exponent - 5)) & UInt64(steps - 1))
  }

  private static func upperEnd(_ index: Int) -> UInt64 {
    if index < steps { return UInt64(index) }
    let exponent = UInt64(index / steps + 4)
    return (1 << exponent) + (UInt64(index % steps + 1) << (exponent - 5)) - 1
  }
}
