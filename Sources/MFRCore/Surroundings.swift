/// What a decision may want to know beyond the buffer. Asked for only when it matters, as the answers take
/// system calls; tests answer with values.
public struct Surroundings: Sendable {
  /// What the kernel says about a process.
  public struct Vital: Equatable, Sendable {
    public enum State: Sendable { case runs, sleeps, stopped }
    public var state: State
    /// Its processor time so far: in user mode, and all of it.
    public var user: Duration
    public var total: Duration
    public init(state: State, user: Duration, total: Duration) {
      self.state = state
      self.user = user
      self.total = total
    }
  }

  /// In bytes: what a clone of a replica will take, and what it may take without making memory short.
  public struct Memory: Equatable, Sendable {
    public var needed: UInt64
    public var free: UInt64
    /// With less than this left, the kernel is about to kill somebody.
    public var reserve: UInt64
    public init(needed: UInt64, free: UInt64, reserve: UInt64 = 0) {
      self.needed = needed
      self.free = free
      self.reserve = reserve
    }
  }

  /// nil: the kernel does not tell.
  var vital: @Sendable (ReplicaView) -> Vital?
  var memory: @Sendable (ReplicaView) -> Memory?

  public init(
    vital: @escaping @Sendable (ReplicaView) -> Vital? = { _ in nil },
    memory: @escaping @Sendable (ReplicaView) -> Memory? = { _ in nil }
  ) {
    self.vital = vital
    self.memory = memory
  }
}
