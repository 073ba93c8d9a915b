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
  private var set: ReplicaSet
  private let surroundings: Surroundings
  private var level: UInt32?
  /// Replicas that there were in the last round.
  private var pids: [ProcessID] = []
  /// When to try again to open the control socket; nil: it is open.
  private var controlDue: UInt64?
  private var sharedFiles: SharedFiles?
  private var mapped: UInt32 = 0

  /// Serves until the set is over, then ends this process.
  public static func serve(_ settings: CoordinatorSettings) throws -> Never {
    // The language's runtime would write a backtrace first, and outlive a fault that was sent: it is replaced at once.
    for fault in [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV] { mfr_host_set_default(fault) }
    _ = mfr_host_no_core()
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)  // the events file may be at the limit that the program was given
    mfr_host_raise_descriptor_limit()
    mfr_host_hurry()
    let buffer = try SyncBuffer(mapping: settings.descriptor, anchor: settings.anchor)
    close(settings.descriptor)
    mfr_host_guard_buffer(buffer.base, 0)
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
    let file = events.file
    control = ControlServer(buffer: buffer) { file?.drain(upTo: .milliseconds(100)) }
    set = ReplicaSet(limits: settings.limits)
    surroundings = Surroundings(
      vital: { ProcessFiles.vital($0.pid.rawValue) }, memory: { Headroom.of($0.pid.rawValue) })
  }

  private func run() -> Never {
    startControl()
    BrokenPages.tell(buffer, events)
    StopWatch(buffer).start()
    // One before this may have died between a grant and waking the one that has it.
    for place in 0..<SyncBuffer.replicaCount { buffer.unpark(place) }
    let futex = mfr_header_coordinator_wake(buffer.base)
    let anchor = buffer.anchor
    while true {
      let seen = buffer.load(futex)
      round()
      _ = mfr_add_acqrel32(mfr_header_coordinator_rounds(buffer.base), 1)  // the anchor looks at that
      if buffer.load(mfr_header_ending(buffer.base)) != 0 { finish() }
      let timeout = set.wait.map(Self.nanoseconds) ?? 1_000_000_000
      _ = mfr_host_futex_wait(futex, seen, min(max(1000, timeout), 1_000_000_000))
      // Without an anchor there is no guest. Not by its pid, which another process may have by now: an orphan has another
      // parent.
      if getppid() != anchor {
        endOrphans()
        finish(orphaned: true)
      }
    }
  }

  /// Starts the control thread. There may be no room for one now, and some later: it is tried until there is.
  private func startControl() {
    let told = controlDue != nil
    guard let trouble = control.start() else {
      controlDue = nil
      return
    }
    controlDue = mfr_host_now_ns() &+ 1_000_000_000
    if !told { tellOfControl(trouble) }
  }

  private func tellOfControl(_ trouble: String) {
    var event = Event("control", level: .warning)
    event.text = trouble
    events.write(event)
  }

  private func round() {
    if let due = controlDue, mfr_host_now_ns() >= due { startControl() }
    if let trouble = control.takeTrouble() { tellOfControl(trouble) }
    let view = buffer.view(facts: true)
    let changed = level != view.level
    if changed {
      level = view.level
      let cores = UInt32(clamping: mfr_host_usable_cores())
      SyncPolicy(method: settings.sync, level: view.level, cores: cores).write(to: buffer)
    }
    // Nothing is late, and nothing can be repaired, while all of it is stopped.
    if buffer.load(mfr_header_anchor_stopped(buffer.base)) != 0, buffer.load(mfr_header_ending(buffer.base)) == 0 {
      set.pause()
    } else {
      let actions = set.plan(view, now: Moment(mfr_host_now_ns()), in: surroundings)
      for action in actions { repairs.carryOut(action) }
      // The anchor keeps in mind what a broken page of the buffer would take with it, above all who there is.
      let pids = view.replicas.map(\.pid)
      if changed || pids != self.pids || !actions.isEmpty { buffer.wakeAnchor() }
      self.pids = pids
    }
    let mapped = buffer.load(mfr_header_map_count(buffer.base))
    if mapped != self.mapped {
      self.mapped = mapped
      if sharedFiles == nil { sharedFiles = SharedFiles(buffer) }
      sharedFiles?.look()
    }
    let context = ControlServer.Context(view: view, growth: set.growthReason(view), events: events)
    if control.serve(context) == .restore {
      set.restore()
      buffer.store(mfr_header_halted(buffer.base), 0)
      buffer.wakeCoordinator()
    }
  }

  /// The kernel has ended the replicas with the anchor, but for one that makes its calls itself and has changed its user since.
  private func endOrphans() {
    for place in 0..<SyncBuffer.replicaCount {
      // It has our new parent now, and our buffer mapped: another process of that number has not.
      let pid = buffer.load(mfr_replica_pid(buffer.base, place))
      if pid > 1, pid != getpid(), ProcessFiles.parent(pid) == getppid(), ProcessFiles.mapsBuffer(pid) {
        _ = mfr_host_kill(pid, SIGKILL)
      }
    }
  }

  private func finish(orphaned: Bool = false) -> Never {
    // What died last is still told.
    round()
    var event = Event("end")
    let kind = buffer.load(mfr_header_exit_kind(buffer.base))
    let value = buffer.load(mfr_header_exit_value(buffer.base))
    if kind == MFR_EXIT_STATUS.rawValue { event.cause = Event.Cause(kind: "exit", status: value) }
    if kind == MFR_EXIT_SIGNAL.rawValue { event.cause = Event.Cause(kind: "signal", signal: value) }
    if orphaned {
      event.level = .warning
      event.text = "mfr-run has died"
    }
    events.write(event)
    events.file?.drain(upTo: .seconds(2))
    control.stop()
    mfr_host_exit(0)
  }

  private static func nanoseconds(_ duration: Duration) -> Int64 {
    let (seconds, attoseconds) = duration.components
    return seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000
  }
}
