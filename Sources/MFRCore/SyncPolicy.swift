/// When followers are woken, as numbers that replicas read.
public struct SyncPolicy: Equatable, Sendable {
  /// Wake only when the leader is about to block or the lag passes `wakeLag`.
  public var idle: Bool
  /// Rounds that a follower spins before it parks.
  public var spin: UInt32
  /// Slots that a parked follower may be behind before it is woken.
  public var wakeLag: UInt32
  /// How long a follower waits at a free slot before it asks for the lead, in microseconds.
  public var lateMicroseconds: UInt32

  /// `cores`: processors that this process may use.
  public init(method: RunOptions.Sync, level: UInt32, cores: UInt32) {
    switch method {
    case .eager: idle = false
    case .idle: idle = true
    case .auto: idle = level &+ 1 > max(cores, 1) - 1
    }
    spin = idle ? 0 : 200
    wakeLag = 512
    lateMicroseconds = 10_000
  }
}
