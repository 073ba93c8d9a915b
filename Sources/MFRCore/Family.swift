/// What the processes of a tree have in common. It travels from parent to child as text, through memory and
/// environments that are the guest's.
public struct Family: Equatable, Sendable {
  public var sync = RunOptions.Sync.auto
  public var selection = SelectionPolicy.fastest
  /// Absolute path of the file for events, empty for none.
  public var events = ""
  public var limits = Limits()
  /// Level of children; nil: that of their parent.
  public var children: UInt32?
  /// Levels by program name; of two for the same name the later one holds.
  public var levels: [LevelRule] = []
  /// `NAME=value` variables that say where control sockets belong.
  public var variables: [String] = []

  public init() {}

  /// What `mfr-run` was told. `events` is made absolute by the caller.
  public init(_ options: RunOptions, events: String, variables: [String]) {
    sync = options.sync
    selection = options.selection
    self.events = events
    limits = options.limits
    children = options.children
    levels = options.levels
    self.variables = variables
  }

  /// Level of a process that has one of these names, when its parent's would be `inherited`.
  public func level(of names: [String], inherited: UInt32) -> UInt32 {
    levels.last { names.contains($0.program) }?.level ?? inherited
  }

  public var text: String {
    var lines = ["sync=\(sync.rawValue)", "select=\(selection.rawValue)", "events=\(events)"]
    lines += ["hang-after=\(limits.hangAfterArgument)", "respawn-limit=\(limits.respawnsArgument)"]
    if let children { lines.append("children=\(children)") }
    lines += levels.map { "level-of=\($0.text)" }
    lines += variables.map { "variable=\($0)" }
    return lines.joined(separator: "\n")
  }

  /// Reads what `text` wrote; what it does not know it leaves out, as the text may be broken.
  public init(text: String) {
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { continue }
      let value = String(parts[1])
      switch parts[0] {
      case "sync": sync = RunOptions.Sync(rawValue: value) ?? .auto
      case "select": selection = SelectionPolicy(rawValue: value) ?? .fastest
      case "events": events = value
      case "hang-after": _ = limits.setHangAfter(value)
      case "respawn-limit": _ = limits.setRespawns(value)
      case "children": children = UInt32(value).map { min($0, RunOptions.maximumLevel) }
      case "level-of": if let rule = LevelRule(value) { levels.append(rule) }
      case "variable": if value.contains("=") { variables.append(value) }
      default: break
      }
    }
  }
}

/// `NAME=LEVEL`: the level of programs of that name.
public struct LevelRule: Equatable, Sendable {
  public var program: String
  public var level: UInt32
  public init(program: String, level: UInt32) {
    self.program = program
    self.level = level
  }
  public init?(_ text: String) {
    guard let split = text.lastIndex(of: "="), let level = UInt32(text[text.index(after: split)...]),
      level <= RunOptions.maximumLevel
    else { return nil }
    let name = text[..<split]
    guard !name.isEmpty, !name.utf8.contains(where: { $0 < 0x20 || $0 == UInt8(ascii: "/") }) else { return nil }
    self.init(program: String(name), level: level)
  }
  public var text: String { "\(program)=\(level)" }
}
