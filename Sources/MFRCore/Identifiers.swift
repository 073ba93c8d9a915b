/// Place of a replica in its set, 0 to 15. Places are used again; `ReplicaView.generation` tells one from the next.
public struct ReplicaIndex: RawRepresentable, Hashable, Comparable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public init(_ value: UInt32) { rawValue = value }
  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Number of a slot in the lane of a set.
public struct LaneSequence: RawRepresentable, Hashable, Comparable, Sendable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public init(_ value: UInt64) { rawValue = value }
  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
  /// Slots from here to `other`, 0 when `other` lies behind.
  public func distance(to other: Self) -> UInt64 {
    other.rawValue > rawValue ? other.rawValue - rawValue : 0
  }
}

/// A process as the kernel numbers it.
public struct ProcessID: RawRepresentable, Hashable, Sendable {
  public let rawValue: Int32
  public init(rawValue: Int32) { self.rawValue = rawValue }
  public init(_ value: Int32) { rawValue = value }
}

/// A point on the monotonic clock, in nanoseconds.
public struct Moment: RawRepresentable, Hashable, Comparable, Sendable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public init(_ nanoseconds: UInt64) { rawValue = nanoseconds }
  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
  /// Time from `earlier` to this moment, zero when that lies ahead.
  public func since(_ earlier: Moment) -> Duration {
    .nanoseconds(Int64(clamping: rawValue > earlier.rawValue ? rawValue - earlier.rawValue : 0))
  }
  public static func + (moment: Moment, duration: Duration) -> Moment {
    let (seconds, attoseconds) = duration.components
    return Moment(moment.rawValue &+ UInt64(clamping: seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000))
  }
}
