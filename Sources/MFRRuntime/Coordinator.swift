import CMFRABI
import Glibc
import MFRControl
import MFRCore
import Synchronization

/// Watches one replica set and repairs it. Replicas make progress without it.
public final class Coordinator {
  private let buffer: SyncBuffer
  private let settings: CoordinatorSettings
  private let events: EventLog
  private let control: ControlServer
  private var repairs: Repairs
  private var set = ReplicaSet()
  private var level: UInt32?

  /// Serves until the set is over, then ends this process.
  public static func serve(_ settings: CoordinatorSettings) throws -> Never {
    signal(SIGPIPE, SIG_IGN)
    let buffer = try SyncBuffer(mapping: settings.descriptor)
    close(settings.descriptor)
    guard buffer.load(mfr_header_magic(buffer.base)) == UInt64(MFR_ABI_MAGIC),
      buffer.load(mfr_header_version(buffer.base)) == MFR_ABI_VERSION
    else { throw SystemError("buffer version", EINVAL) }
    Coordinator(buffer: buffer, settings: settings).run()
  }

  private init(buffer: SyncBuffer, settings: CoordinatorSettings) {
    self.buffer = buffer
    self.settings = settings
    events = EventLog(buffer: buffer, path: settings.events, verbose: settings.verbose)
    repairs = Repairs(buffer: buffer, events: events)
    control = ControlServer(buffer: buffer)
  }

  private func run() -> Never {
    if let trouble = control.start() {
      var event = Event("control", level: .warning)
      event.text = trouble
      events.write(event)
    }
    let futex = mfr_header_coordinator_wake(buffer.base)
    let anchor = buffer.load(mfr_header_anchor_pid(buffer.base))
    while true {
      let seen = buffer.load(futex)
      round()
      if buffer.load(mfr_header_ending(buffer.base)) != 0 { finish() }
      // Without an anchor there is no guest; it is looked for when nothing else happens.
      let timeout = set.wait.map(Self.nanoseconds) ?? 1_000_000_000
      let waited = mfr_host_futex_wait(futex, seen, max(1000, timeout))
      if waited == -ETIMEDOUT, mfr_host_kill(anchor, 0) == -ESRCH { finish() }
    }
  }

  private func round() {
    let view = buffer.view(facts: true)
    if level != view.level {
      level = view.level
      let cores = UInt32(clamping: mfr_host_usable_cores())
      SyncPolicy(method: settings.sync, level: view.level, cores: cores).write(to: buffer)
    }
    for action in set.plan(view, now: Moment(mfr_host_now_ns())) { repairs.carryOut(action) }
    control.serve(view, growth: set.growthReason)
  }

  private func finish() -> Never {
    // What died last is still told.
    round()
    var event = Event("end")
    let kind = buffer.load(mfr_header_exit_kind(buffer.base))
    let value = buffer.load(mfr_header_exit_value(buffer.base))
    if kind == MFR_EXIT_STATUS.rawValue { event.cause = Event.Cause(kind: "exit", status: value) }
    if kind == MFR_EXIT_SIGNAL.rawValue { event.cause = Event.Cause(kind: "signal", signal: value) }
    events.write(event)
    control.stop()
    mfr_host_exit(0)
  }

  private static func nanoseconds(_ duration: Duration) -> Int64 {
    let (seconds, attoseconds) = duration.components
    return seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000
  }
}
