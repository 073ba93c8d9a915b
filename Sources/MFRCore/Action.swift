/// What the runtime is to do; carried out in the order given.
public enum Action: Equatable, Sendable {
  /// Write the fate of the slot that the dead replica was at, and let the anchor reap it.
  case settle(ReplicaIndex, Settlement)
  /// Free all slots after the first up to the second one: they hold calls of a replica that had gone astray.
  case discardSlots(after: LaneSequence, through: LaneSequence)
  /// Move the grant, with a new epoch.
  case grant(ReplicaIndex)
  /// Let a replica that waits at a slot look again.
  case wake(ReplicaIndex)
  case dismissBid(ReplicaIndex)
  /// `kill -9`; `leaving`: it was told to go, so its death is no loss.
  case kill(ReplicaIndex, leaving: Bool)
  case verdict(ReplicaIndex, Verdict)
  /// Ask `donor` to clone itself into a free place.
  case clone(ReplicaIndex, donor: ReplicaIndex)
  /// Nothing came of a clone: the place is free again.
  case abandonClone(ReplicaIndex, donor: ReplicaIndex?)
  /// Get a replica to look at its requests.
  case nudge(ReplicaIndex)
  /// Hand a joiner its address ranges.
  case unshare(ReplicaIndex)
  /// Hand a large replica its address ranges, to make huge pages of what is wholly present in them.
  case fold(ReplicaIndex)
  /// The replica that asked is the only one left.
  case alone(ReplicaIndex)
  /// The replicas of the image before `execve` are gone.
  case execOver
  /// A replica is lost; counted once for each life, and its successor will make it good (`count(.respawn)`).
  case noteLoss(ReplicaIndex, at: Moment)
  /// That a replica is in step has been told.
  case noteInStep(ReplicaIndex)
  /// What is missing will not be made good.
  case forgetLosses
  /// No replica is made until the user asks for it.
  case halt
  case count(Counter)
  case report(Event)

  public enum Counter: Sendable { case failover, respawn, divergence, bid, fault, collapse }
}

/// Answer to a replica that stopped at a fault or a divergence; values as in `mfr_verdict`.
public enum Verdict: UInt32, Sendable {
  case own = 1
  case go = 2
  case die = 3
  /// The slot has been emptied: come to it again.
  case again = 4
}

/// Something that happened to a set, for the events file and the log.
public struct Event: Equatable, Sendable {
  public enum Level: Int, Comparable, Sendable {
    case info, warning, error
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
  }
  /// Why a replica was lost.
  public struct Cause: Equatable, Sendable {
    /// `poison`, `fault`, `divergence`, `signal`, `exit`, `hang`, `memory`, `clones` (they died before they were in
    /// step), `collapse`, `exec`, `level`.
    public var kind: String
    public var signal: Int32?
    public var code: Int32?
    public var address: UInt64?
    public var status: Int32?
    public init(kind: String, signal: Int32? = nil, code: Int32? = nil, address: UInt64? = nil, status: Int32? = nil) {
      self.kind = kind
      self.signal = signal
      self.code = code
      self.address = address
      self.status = status
    }
    /// Something in the replica failed; nobody has done it from outside.
    var isOwnDoing: Bool {
      switch kind {
      case "poison": true
      case "fault": (code ?? 1) > 0
      case "signal": [4, 5, 7, 8, 11, 31].contains(signal ?? 0)  // ILL, TRAP, BUS, FPE, SEGV, SYS
      default: false
      }
    }
    /// Broken hardware, or a signal that somebody has sent: nothing that the replica did.
    var isFromOutside: Bool { kind == "poison" || kind == "fault" && (code ?? 1) <= 0 }
  }

  public var level = Level.info
  /// `lost`, `left`, `in_step`, `lead`, `divergence`, `fault`, `collapse`, `growth`, …
  public var name: String
  public var replica: ReplicaIndex?
  public var pid: ProcessID?
  public var cause: Cause?
  public var sequence: LaneSequence?
  public var call: UInt32?
  public var settlement: Settlement?
  /// From the death of a replica to the decision about its slot.
  public var untilDecision: Duration?
  /// From the death of a replica to its successor being in step, with memory of its own.
  public var untilInStep: Duration?
  /// From its clone to a replica's being in step.
  public var sinceClone: Duration?
  public var text: String?

  public init(_ name: String, _ replica: ReplicaView? = nil, level: Level = .info) {
    self.name = name
    self.level = level
    self.replica = replica?.index
    pid = replica?.pid
    sequence = replica?.sequence
  }
}
