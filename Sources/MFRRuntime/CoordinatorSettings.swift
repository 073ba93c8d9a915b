import CMFRABI
import Glibc
import MFRCore

/// What a coordinator is started with. All else lies in the buffer, so that any coordinator can follow any other.
public struct CoordinatorSettings: Sendable {
  /// The buffer, open in the coordinator.
  var descriptor: Int32
  var anchor: Int32
  var sync: RunOptions.Sync
  var selection: SelectionPolicy
  /// Absolute path, empty for none.
  var events: String
  var limits: Limits
  var verbose: Bool

  var arguments: [String] {
    [
      "coordinator", "--buffer-fd", String(descriptor), "--anchor", String(anchor), "--sync", sync.rawValue, "--select",
      selection.rawValue,
    ]
      + ["--events", events, "--hang-after", limits.hangAfterArgument, "--respawn-limit", limits.respawnsArgument]
      + (verbose ? ["--verbose"] : [])
  }

  init(
    descriptor: Int32, anchor: Int32, sync: RunOptions.Sync, selection: SelectionPolicy, events: String, limits: Limits,
    verbose: Bool
  ) {
    self.descriptor = descriptor
    self.anchor = anchor
    self.sync = sync
    self.selection = selection
    self.events = events
    self.limits = limits
    self.verbose = verbose
  }

  /// Reads what `arguments` wrote; nil when it is anything else.
  public init?(arguments: [String]) {
    guard arguments.first == "coordinator" else { return nil }
    self.init(
      descriptor: -1, anchor: -1, sync: .auto, selection: .fastest, events: "", limits: Limits(), verbose: false)
    var rest = arguments.dropFirst()
    while let option = rest.popFirst() {
      if option == "--verbose" {
        verbose = true
        continue
      }
      guard let value = rest.popFirst() else { return nil }
      switch option {
      case "--buffer-fd": descriptor = Int32(value) ?? -1
      case "--anchor": anchor = Int32(value) ?? -1
      case "--sync": sync = RunOptions.Sync(rawValue: value) ?? .auto
      case "--select": selection = SelectionPolicy(rawValue: value) ?? .fastest
      case "--events": events = value
      case "--hang-after": if !limits.setHangAfter(value) { return nil }
      case "--respawn-limit": if !limits.setRespawns(value) { return nil }
      default: return nil
      }
    }
    if descriptor < 0 || anchor <= 1 { return nil }
  }

  /// How the anchor starts a coordinator: its pid, or -errno. Everything that a restart needs is made now: it must work
  /// when memory is short.
  func starter(buffer: SyncBuffer, tool: String, null: Int32, errors: Int32) -> @Sendable () -> Int32 {
    let path = CStrings([tool])
    let argv = CStrings(["mfr-coordinator"] + arguments)
    let envp = CStrings(["PATH=/usr/bin:/bin"] + Self.environment())
    let descriptor = descriptor
    return {
      guard let file = path.pointers[0] else { return -ENOMEM }
      var how = mfr_host_spawn(
        path: file, argv: argv.pointers, envp: envp.pointers, mask: 0, ignore_child: 0, own_group: 1,
        keep_fd: descriptor, null_fd: null, stderr_fd: errors, die_with_parent: 0)
      let started = mfr_host_spawn_program(&how)
      if started > 0 {
        buffer.store(mfr_header_coordinator_pid(buffer.base), started)
        _ = mfr_add_acqrel32(mfr_header_coordinator_starts(buffer.base), 1)
      }
      return started
    }
  }

  /// Variables that tell where the control socket belongs.
  static func environment() -> [String] {
    let names: [String] = ["MFR_RUNTIME_DIR", "XDG_RUNTIME_DIR"]
    return names.compactMap { name in
      getenv(name).map { "\(name)=\(String(cString: $0))" }
    }
  }
}

extension SyncPolicy {
  /// Makes replicas go by this policy from their next call on.
  func write(to buffer: SyncBuffer) {
    let base = buffer.base
    buffer.store(mfr_header_spin(base), spin)
    buffer.store(mfr_header_wake_lag(base), wakeLag)
    buffer.store(mfr_header_late_us(base), lateMicroseconds)
    buffer.store(mfr_header_sync(base), idle ? MFR_SYNC_IDLE.rawValue : MFR_SYNC_EAGER.rawValue)
  }
}
