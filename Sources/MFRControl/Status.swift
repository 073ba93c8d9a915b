/// One replica set, as `mfr-ctl status` shows it.
public struct SetStatus: Equatable, Sendable {
  public struct Replica: Equatable, Sendable {
    public var index: UInt32
    public var pid: Int32
    /// `leader`, `follower` or `joining`.
    public var role: String
    public var sequence: UInt64
    /// Slots behind the leader.
    public var lag: UInt64
    public var unshared: Bool
    public init(index: UInt32, pid: Int32, role: String, sequence: UInt64, lag: UInt64, unshared: Bool) {
      self.index = index
      self.pid = pid
      self.role = role
      self.sequence = sequence
      self.lag = lag
      self.unshared = unshared
    }
  }
  public var id: UInt32
  public var name: String
  public var program: String
  /// Pid of the anchor: the one that the outside knows.
  public var pid: Int32
  public var level: UInt32
  /// `protected`, `degraded` or `unprotected`.
  public var state: String
  public var reason: String
  public var calls: UInt64
  public var failovers: UInt64
  /// Replicas that died though nobody had told them to go.
  public var lost: UInt64
  public var respawns: UInt64
  public var divergences: UInt64
  public var bids: UInt64
  /// What is wrong beside the protection, as the file of events that cannot be written; empty when nothing is.
  public var trouble: String
  public var replicas: [Replica]

  public init(
    id: UInt32, name: String, program: String, pid: Int32, level: UInt32, state: String, reason: String, calls: UInt64,
    failovers: UInt64, lost: UInt64, respawns: UInt64, divergences: UInt64, bids: UInt64, trouble: String = "",
    replicas: [Replica]
  ) {
    self.id = id
    self.name = name
    self.program = program
    self.pid = pid
    self.level = level
    self.state = state
    self.reason = reason
    self.calls = calls
    self.failovers = failovers
    self.lost = lost
    self.respawns = respawns
    self.divergences = divergences
    self.bids = bids
    self.trouble = trouble
    self.replicas = replicas
  }

  public var json: JSON {
    .object([
      .init("id", JSON(id)), .init("name", .string(name)), .init("program", .string(program)), .init("pid", JSON(pid)),
      .init("level", JSON(level)), .init("state", .string(state)), .init("reason", .string(reason)),
      .init("calls", JSON(calls)), .init("failovers", JSON(failovers)), .init("lost", JSON(lost)),
      .init("respawns", JSON(respawns)),
      .init("divergences", JSON(divergences)), .init("bids", JSON(bids)),
      .init("trouble", .string(trouble)),
      .init(
        "replicas",
        .array(
          replicas.map {
            .object([
              .init("index", JSON($0.index)), .init("pid", JSON($0.pid)), .init("role", .string($0.role)),
              .init("sequence", JSON($0.sequence)), .init("lag", JSON($0.lag)), .init("unshared", .bool($0.unshared)),
            ])
          })),
    ])
  }

  /// nil when a member is missing or of another kind.
  public init?(json: JSON) {
    func number(_ key: String) -> Int64? { json[key]?.integer }
    guard let id = number("id"), let pid = number("pid"), let level = number("level"),
      let program = json["program"]?.string, let state = json["state"]?.string, let reason = json["reason"]?.string,
      let calls = number("calls"), let failovers = number("failovers"), let respawns = number("respawns"),
      let divergences = number("divergences"), let list = json["replicas"]?.array
    else { return nil }
    self.init(
      id: UInt32(clamping: id), name: json["name"]?.string ?? "", program: program, pid: Int32(clamping: pid),
      level: UInt32(clamping: level), state: state, reason: reason, calls: UInt64(clamping: calls),
      failovers: UInt64(clamping: failovers), lost: UInt64(clamping: number("lost") ?? 0),
      respawns: UInt64(clamping: respawns),
      divergences: UInt64(clamping: divergences), bids: UInt64(clamping: number("bids") ?? 0),
      trouble: json["trouble"]?.string ?? "",
      replicas: list.compactMap { entry in
        guard let pid = entry["pid"]?.integer, let role = entry["role"]?.string else { return nil }
        return Replica(
          index: UInt32(clamping: entry["index"]?.integer ?? 0), pid: Int32(clamping: pid), role: role,
          sequence: UInt64(clamping: entry["sequence"]?.integer ?? 0),
          lag: UInt64(clamping: entry["lag"]?.integer ?? 0),
          unshared: entry["unshared"]?.bool ?? false)
      })
  }
}
