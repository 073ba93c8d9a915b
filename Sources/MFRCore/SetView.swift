/// One replica as the buffer showed it.
public struct ReplicaView: Equatable, Sendable {
  /// `mfr_replica_state`.
  public enum State: UInt32, Sendable {
    case free, reserved, joining, running, faulted, diverged, dead, left
  }
  /// `mfr_phase`.
  public enum Phase: UInt32, Sendable { case guest, call, blocked, parked }

  public struct Fault: Equatable, Sendable {
    public var signal: Int32
    public var code: Int32
    public var address: UInt64
    public var sequence: LaneSequence
    /// How many faults the replica has gone on from before this one: between two calls there may be several.
    public var number: UInt64
    /// When it stopped there.
    public var at: Moment?
    public init(
      signal: Int32, code: Int32, address: UInt64, sequence: LaneSequence, number: UInt64 = 0, at: Moment? = nil
    ) {
      self.at = at
      self.signal = signal
      self.code = code
      self.address = address
      self.sequence = sequence
      self.number = number
    }
    /// The machine says that memory is broken (BUS_MCEERR_AR, BUS_MCEERR_AO).
    public var isHardware: Bool { signal == 7 && (code == 4 || code == 5) }
    /// Somebody sent the signal to this process (SI_USER, SI_TKILL, SI_QUEUE); no instruction faulted.
    public var isSent: Bool { code <= 0 }
  }

  /// `mfr_mark`: what a coordinator has made of it.
  public struct Marks: OptionSet, Equatable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let lost = Marks(rawValue: 1)
    public static let leaves = Marks(rawValue: 2)
    public static let inStep = Marks(rawValue: 4)
  }

  public struct Death: Equatable, Sendable {
    /// Exited on its own, instead of by a signal.
    public var exited: Bool
    /// Exit status, or signal.
    public var value: Int32
    public var at: Moment
    public var facts: SettlementFacts
    public init(exited: Bool, value: Int32, at: Moment, facts: SettlementFacts) {
      self.exited = exited
      self.value = value
      self.at = at
      self.facts = facts
    }
  }

  /// The call that it had where others had another one.
  public struct Divergence: Equatable, Sendable {
    public var sequence: LaneSequence
    public var identity: UInt64
    public var output: UInt64
    public var call: UInt32
    public init(sequence: LaneSequence, identity: UInt64, output: UInt64, call: UInt32) {
      self.sequence = sequence
      self.identity = identity
      self.output = output
      self.call = call
    }
  }

  public var index: ReplicaIndex
  public var state: State = .free
  public var phase: Phase = .guest
  /// It waits at a slot, and nobody has woken it yet.
  public var parked = false
  public var pid = ProcessID(0)
  public var sequence = LaneSequence(0)
  public var bids = false
  /// Its bit in the header's `live`.
  public var live = false
  public var unshared = false
  public var generation: UInt32 = 0
  /// Whom it is a clone of; nil for the first replica of an image.
  public var donor: ReplicaIndex?
  /// When it was cloned.
  public var cloned: Moment?
  public var verdictGiven = false
  public var cloneRequested = false
  public var unshareRequested = false
  public var foldRequested = false
  /// Result of the last request, 0 or -errno.
  public var requestResult: Int64 = 0
  public var fault: Fault?
  /// How many faults it has gone on from, as they were the guest's own.
  public var faults: UInt64 = 0
  public var divergence: Divergence?
  public var marks: Marks = []
  /// `way` in the buffer: replicas whose ways differ may diverge though none is broken.
  public var way: UInt64 = 0
  /// Set while it is dead and not settled.
  public var death: Death?

  public init(index: ReplicaIndex) { self.index = index }

  /// Takes part: would lead, follow, or waits for a verdict.
  var takesPart: Bool {
    guard live else { return false }
    switch state {
    case .joining, .running, .faulted, .diverged: return true
    case .reserved: return pid.rawValue != 0
    case .free, .dead, .left: return false
    }
  }
  /// There is a process, dead or alive, or one may come any moment.
  var exists: Bool { state != .free }
  var canLead: Bool { takesPart && state != .faulted && state != .diverged }
}

/// A slot as the buffer showed it.
public struct SlotView: Equatable, Sendable {
  public enum State: Sendable { case empty, claimed, done }
  public var state: State
  public var owner: ReplicaIndex
  public var call: UInt32
  public var identity: UInt64
  public var output: UInt64
  public init(state: State, owner: ReplicaIndex, call: UInt32, identity: UInt64 = 0, output: UInt64 = 0) {
    self.state = state
    self.owner = owner
    self.call = call
    self.identity = identity
    self.output = output
  }
}

/// A replica set as the buffer showed it, all that a decision is made from.
public struct SetView: Equatable, Sendable {
  public enum Mode: UInt32, Sendable { case starting, lane, native }
  public enum Collapse: UInt32, Sendable { case none, asked, alone }

  public var mode = Mode.lane
  /// Duplicates that are wanted.
  public var level: UInt32 = 2
  public var leader = ReplicaIndex(0)
  public var collapse = Collapse.none
  public var collapseBy = ReplicaIndex(0)
  /// The guest has children that have not been waited for.
  public var hasChildren = false
  /// Must stay at one replica.
  public var mayNotGrow = false
  /// The replica that is in `execve`, 0 for none.
  public var execPid = ProcessID(0)
  /// It is there as the new program, and waits until the others have gone.
  public var execArrived = false
  /// The leader waits because followers have left it no room in the ring.
  public var stalled = false
  /// The guest has ended as it wanted to: deaths are expected.
  public var ended = false
  /// The anchor ends the set; nothing is repaired any more.
  public var ending = false
  /// Too many replicas were lost in short time: none is made.
  public var halted = false
  /// When those replicas were lost that are not made good yet, oldest first.
  public var losses: [Moment] = []
  /// Why it is less protected than asked, as the shim put it.
  public var reason = ""
  public var replicas: [ReplicaView] = []
  /// The slots that the leader and replicas which are dead, bid or diverged are at.
  public var slots: [LaneSequence: SlotView] = [:]

  // Found while deciding.
  var lostLeader: ReplicaView?
  var someoneDied = false

  public init() {}

  subscript(index: ReplicaIndex) -> ReplicaView? { replicas.first { $0.index == index } }
}
