/// A number with a fixed number of decimals, without Foundation.
public func fixed(_ value: Double, _ decimals: Int) -> String {
  guard value.isFinite else { return "-" }
  var scale = 1.0
  for _ in 0..<decimals { scale *= 10 }
  let scaled = (value.magnitude * scale).rounded()
  guard scaled < 1e18 else { return String(value) }
  let whole = UInt64(scaled) / UInt64(scale)
  let sign = value < 0 && scaled > 0 ? "-" : ""
  guard decimals > 0 else { return sign + String(whole) }
  let fraction = String(UInt64(scaled) - whole * UInt64(scale))
  return sign + String(whole) + "." + String(repeating: "0", count: decimals - fraction.count) + fraction
}

/// A time in the unit that suits it.
public func shown(_ time: Duration) -> String {
  switch time.nanoseconds {
  case ..<1_000: "\(time.nanoseconds) ns"
  case ..<100_000: "\(fixed(time.microseconds, 1)) us"
  case ..<1_000_000: "\(fixed(time.microseconds, 0)) us"
  case ..<1_000_000_000: "\(fixed(time.milliseconds, 1)) ms"
  default: "\(fixed(time.seconds, 2)) s"
  }
}

public func padded(_ text: String, _ width: Int) -> String {
  text + String(repeating: " ", count: max(0, width - text.count))
}

extension Array where Element: Comparable {
  /// The element at fraction `q` of the sorted values.
  public func quantile(_ q: Double) -> Element? {
    guard !isEmpty else { return nil }
    let sorted = self.sorted()
    return sorted[Swift.min(sorted.count - 1, Int(q * Double(sorted.count)))]
  }
  public var median: Element? { quantile(0.5) }
}
