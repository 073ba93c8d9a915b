import CMFRABI
import Glibc
import MFRCore

/// What a coordinator is started with. All else lies in the buffer, so that any coordinator can follow any other.
public struct CoordinatorSettings: Sendable {
  /// The buffer, open in the coordinator.
  var descriptor: Int32
  var sync: RunOptions.Sync
  var selection: SelectionPolicy
  /// Absolute path, empty for none.
  var events: String
  var verbose: Bool

  var arguments: [String] {
    ["coordinator", "--buffer-fd", String(descriptor), "--sync", sync.rawValue, "--select", selection.rawValue]
      + ["--events", events] + (verbose ? ["--verbose"] : [])
  }

  init(descriptor: Int32, sync: RunOptions.Sync, selection: SelectionPolicy, events: String, verbose: Bool) {
    self.descriptor = descriptor
    self.sync = sync
    self.selection = selection
    self.events = events
    self.verbose = verbose
  }

  /// Reads what `arguments` wrote; nil when it is anything else.
  public init?(arguments: [String]) {
    guard arguments.first == "coordinator" else { return nil }
    self.init(descriptor: -1, sync: .auto, selection: .fastest, events: "", verbose: false)
    var rest = arguments.dropFirst()
    while let option = rest.popFirst() {
      if option == "--verbose" {
        verbose = true
        continue
      }
      guard let value = rest.popFirst() else { return nil }
      switch option {
      case "--buffer-fd": descriptor = Int32(value) ?? -1
      case "--sync": sync = RunOptions.Sync(rawValue: value) ?? .auto
      case "--select": selection = SelectionPolicy(rawValue: value) ?? .fastest
      case "--events": events = value
      default: return nil
      }
    }
    if descriptor < 0 { return nil }
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
