/// How `mfr-run` is to run one program: command line over environment over built-in defaults.
public struct RunOptions: Equatable, Sendable {
  public enum Sync: String, CaseIterable, Sendable { case auto, eager, idle }

  public init() {}

  /// Duplicates beside the leader.
  public var level: UInt32 = 2
  public var selection: SelectionPolicy = .fastest
  public var sync: Sync = .auto
  public var name = ""
  /// File for events, empty for none.
  public var events = ""
  public var limits = Limits()
  public var verbose = false
  /// Level of the processes that the program makes; nil: that of their parent.
  public var children: UInt32?
  /// Levels by program name.
  public var levels: [LevelRule] = []
  /// How long such a process lives before it is protected, in milliseconds.
  public var youngMilliseconds: UInt32 = 100
  /// Program and its arguments, exactly as given.
  public var program: [String] = []

  /// Options that take a value.
  static let keys = [
    "level", "children", "level-of", "protect-after", "select", "sync", "name", "events", "hang-after", "respawn-limit",
  ]
  public static let maximumLevel: UInt32 = 15

  /// What the command line asks for.
  public enum Request: Equatable, Sendable {
    case run(RunOptions)
    case help
    case version
  }

  /// A command line or a variable that cannot be understood. `description` says what to do.
  public struct Invalid: Error, Equatable, CustomStringConvertible {
    public let description: String
  }

  /// Reads `arguments` (without argv[0]). Options end at the first argument that is none, and at `--`: whatever
  /// follows belongs to the program. `environment` looks a variable up.
  public static func parse(
    _ arguments: [String], environment: (String) -> String?
  ) throws(Invalid) -> Request {
    var options = RunOptions()
    for key in keys + ["verbose"] {
      let variable = "MFR_" + key.uppercased().replacing("-", with: "_")
      guard let value = environment(variable) else { continue }
      try options.set(key, value, from: variable)
    }
    var rest = arguments[...]
    while let argument = rest.first {
      if argument == "--" {
        rest = rest.dropFirst()
        break
      }
      guard argument.hasPrefix("-"), argument != "-" else { break }
      rest = rest.dropFirst()
      switch argument {
      case "--help", "-h": return .help
      case "--version": return .version
      case "-v", "--verbose": options.verbose = true
      default:
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let key = String(parts[0].dropFirst(2))
        guard parts[0].hasPrefix("--"), keys.contains(key) else {
          throw Invalid(description: "unknown option \(argument); see mfr-run --help, or put -- before the program")
        }
        if parts.count == 2 {
          try options.set(key, String(parts[1]), from: "--\(key)")
        } else if let value = rest.popFirst() {
          try options.set(key, value, from: "--\(key)")
        } else {
          throw Invalid(description: "--\(key) needs a value; see mfr-run --help")
        }
      }
    }
    options.program = Array(rest)
    if options.program.isEmpty {
      throw Invalid(description: "no program given; use mfr-run [options] program [arguments], or mfr-run --help")
    }
    return .run(options)
  }

  private mutating func set(_ key: String, _ value: String, from source: String) throws(Invalid) {
    switch key {
    case "level":
      guard let level = UInt32(value), level <= Self.maximumLevel else {
        throw Invalid(description: "\(source): \(value) is no level; give a number from 0 to \(Self.maximumLevel)")
      }
      self.level = level
    case "children":
      guard let level = UInt32(value), level <= Self.maximumLevel else {
        throw Invalid(description: "\(source): \(value) is no level; give a number from 0 to \(Self.maximumLevel)")
      }
      children = level
    case "level-of":
      for part in value.split(separator: ",", omittingEmptySubsequences: false) {
        guard let rule = LevelRule(String(part)) else {
          throw Invalid(
            description: "\(source): \(part) is no rule; give a program's name, = and a level, like nginx=3")
        }
        levels.append(rule)
      }
    case "protect-after":
      guard let time = UInt32(value), time <= 1_000_000 else {
        throw Invalid(description: "\(source): \(value) is no time; give milliseconds, like 100")
      }
      youngMilliseconds = time
    case "select":
      guard let policy = SelectionPolicy(rawValue: value) else {
        throw Invalid(description: "\(source): \(value) is no selection; give \(SelectionPolicy.list)")
      }
      selection = policy
    case "sync":
      guard let method = Sync(rawValue: value) else {
        throw Invalid(description: "\(source): \(value) is no synchronisation method; give auto, eager or idle")
      }
      sync = method
    case "name":
      guard !value.isEmpty, value.utf8.count < 64, !value.utf8.contains(where: { $0 < 0x20 }) else {
        throw Invalid(description: "\(source): a name has 1 to 63 bytes and no control characters")
      }
      name = value
    case "events": events = value
    case "hang-after":
      guard limits.setHangAfter(value) else {
        throw Invalid(description: "\(source): \(value) is no time; give seconds, or 0 for never")
      }
    case "respawn-limit":
      guard limits.setRespawns(value) else {
        throw Invalid(
          description: "\(source): \(value) is no rate; give it as 100/10 (replicas/seconds), or 0 for none")
      }
    case "verbose": verbose = !(value.isEmpty || value == "0")
    default: break
    }
  }

  public static let help = """
    Usage: mfr-run [options] [--] program [arguments]

    Runs an unmodified program as one leader and several duplicates in lock-step, so that the loss of any of
    them - a poisoned page, a crash, a kill - goes unnoticed outside.

      --level N        duplicates beside the leader, 0 to 15 (default 2)
      --children N     the same for processes that the program makes (default: as their parent)
      --level-of P=N   the same for programs named P; may be repeated
      --protect-after MS  processes that the program makes are protected when they have lived so long (default 100)
      --select POLICY  who leads: fastest (default)
      --sync METHOD    when followers are woken: auto (default), eager, idle
      --name NAME      a name for mfr-ctl
      --events FILE    append one JSON line for each event
      --hang-after S   replace a replica that makes no progress for S seconds while
                       others do (default 10, 0: never)
      --respawn-limit N/S
                       make no more replicas when more than N were lost by their own doing
                       within S seconds (default 100/10, 0: no limit)
      -v, --verbose    tell on stderr what happens to replicas
      --version        print the version
      -h, --help       print this text

    MFR_LEVEL, MFR_CHILDREN, MFR_LEVEL_OF, MFR_PROTECT_AFTER, MFR_SELECT, MFR_SYNC, MFR_NAME, MFR_EVENTS,
    MFR_HANG_AFTER, MFR_RESPAWN_LIMIT and MFR_VERBOSE stand for the options; the command line wins. The exit
    status is the program's. Own failures: 125 (mfr-run itself), 126 (cannot execute), 127 (not found), 64 (usage).
    """
}
