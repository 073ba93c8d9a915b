import Glibc

/// A point on the monotonic clock.
public struct Instant: Comparable, Sendable {
  public let nanoseconds: UInt64

  public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  @inline(__always)
  public static var now: Instant {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
  }

  public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
  public static func + (a: Instant, b: Duration) -> Instant {
    Instant(nanoseconds: a.nanoseconds &+ UInt64(max(0, b.nanoseconds)))
  }
  public static func - (a: Instant, b: Instant) -> Duration {
    .nanoseconds(Int64(bitPattern: a.nanoseconds &- b.nanoseconds))
  }
}

extension Duration {
  public var nanoseconds: Int64 {
    components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
  }
  public var seconds: Double { Double(nanoseconds) / 1e9 }
  public var milliseconds: Double { Double(nanoseconds) / 1e6 }
  public var microseconds: Double { Double(nanoseconds) / 1e3 }

  public static func seconds(fraction: Double) -> Duration { .nanoseconds(Int64(fraction * 1e9)) }
}

/// Sleeps at least `time`; goes on after signals.
public func pause(_ time: Duration) {
  var left = timespec()
  let total = max(0, time.nanoseconds)
  left.tv_sec = Int(total / 1_000_000_000)
  left.tv_nsec = Int(total % 1_000_000_000)
  var rest = timespec()
  while nanosleep(&left, &rest) != 0 && errno == EINTR { left = rest }
}

/// Asks `condition` again and again until it holds or `limit` has passed.
public func wait(
  upTo limit: Duration, every step: Duration = .milliseconds(2), until condition: () throws -> Bool
) rethrows -> Bool {
  let deadline = Instant.now + limit
  while true {
    if try condition() { return true }
    if Instant.now >= deadline { return false }
    pause(step)
  }
}
