import CMFRABI
import Glibc
import Synchronization

/// The process whose pid the outside knows: parent and reaper of every replica.
///
/// It does five things only: notes deaths, forwards signals into the buffer, answers calls that belong to the
/// outside identity of the process, shows itself as the guest (`Likeness`), and ends as the guest ends. The signal
/// loop runs on the main thread (the replicas' PR_SET_PDEATHSIG is bound to it), the calls on a second one; both hold `state` while they act.
public final class Anchor: Sendable {
  struct State {
    var calls: AnchorCalls
    var coordinator: CoordinatorWatch
    /// A signal for which the buffer has no room.
    var held: RawSignal?
    var insistence: Insistence?
    var likeness = Likeness()
    var lastDead: (code: Int32, status: Int32)?
  }

  let buffer: SyncBuffer
  let state: Mutex<State>

  /// `startCoordinator`: starts one and returns its pid, or -errno.
  public init(
    buffer: SyncBuffer, descriptor: Int32, coordinator: Int32, startCoordinator: @escaping @Sendable () -> Int32
  ) {
    self.buffer = buffer
    state = Mutex(
      State(
        calls: AnchorCalls(buffer, descriptor),
        coordinator: CoordinatorWatch(pid: coordinator, start: startCoordinator)))
  }

  /// Children that the guest had before this process was its anchor. The guest knows of those that have ended, or a
  /// signal that waits here tells it.
  func adopt(_ children: [Int32]) {
    state.withLock { state in
      if mfr_host_subreaper(-1) > 0 { state.calls.expectOrphans() }
      for pid in children {
        var info = RawSignal()
        let ended = info.waitid(P_PID.rawValue, pid, WEXITED | WNOHANG | WNOWAIT) == 0 && info.info.pid == pid
        state.calls.adopt(pid, ended: ended)
      }
    }
    // What was pending is there when the guest goes on.
    state.withLock { takePending(&$0) }
  }

  private func takePending(_ state: inout State) {
    while state.held == nil {
      var signal = RawSignal()
      let number = signal.wait(for: UInt64.max, timeout: 0)
      if number <= 0 { return }
      take(number, signal, &state)
    }
  }

  /// From now on this process shows itself as `pid` does, which executes the guest's program.
  func resemble(_ pid: Int32) { state.withLock { $0.likeness.show(pid) } }

  /// Starts the second thread. Before the guest runs: without it a call that the anchor makes for it would never come
  /// back.
  func startCallThread() throws(SystemError) {
    mfr_host_guard_buffer(buffer.base, 1)
    let context = Unmanaged.passRetained(self).toOpaque()
    let started = mfr_host_start_thread(
      { Unmanaged<Anchor>.fromOpaque($0).takeUnretainedValue().serveCalls() }, context)
    try SystemError.check("starting a thread", started)
  }

  /// Starts the thread that notices deaths before the kernel has taken the memory of the dead apart. Without it they are
  /// noticed after that.
  func startDeathThread() {
    let context = Unmanaged.passRetained(self).toOpaque()
    _ = mfr_host_start_thread({ Unmanaged<Anchor>.fromOpaque($0).takeUnretainedValue().watchForDeaths() }, context)
  }

  private func watchForDeaths() {
    mfr_host_thread_name("mfr-deaths")
    mfr_host_open_bus()
    while true {
      let died = mfr_host_wait_for_death(buffer.base)
      if died < 0 { return }
      if died > 0 { state.withLock { scan(&$0) } }
    }
  }

  /// Serves until the guest has ended, then ends this process the same way. All signals must be blocked.
  public func run() -> Never {
    mfr_host_open_bus()
    state.withLock {
      scan(&$0)  // whoever died before we listened
      mfr_host_remember()
    }
    _ = mfr_host_pdeathsig(0)  // the call thread keeps it: the guest may change it
    let waiting = mfr_host_signal_fd()
    while true {
      // While the buffer has no room for a real-time signal, the kernel keeps those that follow.
      if waiting < 0 || state.withLock({ $0.held != nil }) {
        var signal = RawSignal()
        let number = signal.wait(for: 0x7fff_ffff, timeout: 1_000_000)
        state.withLock { take(number, signal, &$0) }
        continue
      }
      mfr_host_step_down()
      _ = mfr_host_wait_readable(waiting)
      mfr_host_step_up()
      // Taken while nobody else acts: the call thread finds a timer's signal either here or in the buffer.
      state.withLock { state in
        var signal = RawSignal()
        let number = signal.wait(for: UInt64.max, timeout: 0)
        if number > 0 { take(number, signal, &state) }
        state.likeness.identity.bear()
      }
    }
  }

  private func take(_ number: Int32, _ signal: RawSignal, _ state: inout State) {
    repairBuffer(&state)
    buffer.store(mfr_header_anchor_ppid(buffer.base), getppid())
    switch number {
    case MFR_KICK_SIGNAL:  // our own: `Likeness`, or the fault handler, to which a signal came that was none of ours
      var bus = RawSignal()
      let came = bus.bytes.withUnsafeMutableBytes { $0.baseAddress.map { mfr_host_sent_bus($0) } ?? 0 }
      if came != 0 { forward(bus, &state) }
    case SIGCHLD: childChanged(signal, &state)
    case 1...64:
      if let signal = state.calls.posixTimers.translate(signal, pending: isPending) { forward(signal, &state) }
    default: break
    }
    postHeld(&state)
    mfr_host_remember()
  }

  /// What has been found broken of it, if anything.
  private func repairBuffer(_ state: inout State) {
    mfr_host_check_alarm()
    // Also those of a repair that began where this process met the page itself.
    while case let pid = mfr_host_next_reaped(), pid > 0 { state.calls.replicaReaped(pid) }
  }

  /// The second thread: reaps what is settled, answers calls.
  private func serveCalls() {
    mfr_host_thread_name("mfr-calls")
    mfr_host_open_bus()
    state.withLock { $0.calls.takeDeathSignal() }
    let futex = mfr_header_anchor_wake(buffer.base)
    while true {
      let seen = buffer.load(futex)
      let pause = state.withLock { state -> Int64? in
        repairBuffer(&state)
        defer { mfr_host_remember() }
        scan(&state)
        serveStops(&state)
        let likeness = state.likeness.look(buffer, coordinator: state.coordinator.pid)  // a call may ask for it
        if let answer = state.calls.serve(buffer, own: ownPids(state)) {
          // What was sent before, the guest has before the answer: by the child that was waited for, say, or by itself.
          takePending(&state)
          state.calls.finish(buffer, answer)
        }
        let timers = state.calls.dueTimers(leader: buffer.leaderPid)
        for signal in timers.signals {
          if let signal = state.calls.posixTimers.translate(signal, pending: isPending) { forward(signal, &state) }
        }
        return [insist(&state), timers.pause, state.coordinator.wait, likeness].compactMap(\.self).min()
      }
      _ = mfr_host_futex_wait(futex, seen, pause ?? -1)
    }
  }

  // MARK: deaths

  private func childChanged(_ signal: RawSignal, _ state: inout State) {
    let info = signal.info
    let before = ownPids(state)  // a coordinator that is replaced below was none of the guest's either
    scan(&state)
    let own = before.union(ownPids(state))
    let code = info.code
    let wasOwn = code > 0 && state.calls.wasReplica(info.pid)  // told of once, also where it is known otherwise
    if code == CLD_STOPPED, own.contains(info.pid),
      buffer.load(mfr_header_mode(buffer.base)) == MFR_MODE_NATIVE.rawValue
    {
      replicaStopped(info.pid)
      return
    }
    // A sender with kill(2) (code <= 0) is no child's doing; but a child's own signal may be lost in it.
    if code <= 0 {
      if info.pid != state.coordinator.pid { forward(signal, &state) }
    } else if !own.contains(info.pid), info.pid != 0, !wasOwn {
      let ended = code != CLD_STOPPED && code != CLD_CONTINUED && code != CLD_TRAPPED
      if !ended || !state.calls.isTold(info.pid) {
        if ended { state.calls.noticed(info.pid) }
        childOfGuest(signal, &state)
      }
      // The signal of its end may have been lost in one that it has stopped or gone on.
      if ended {
        buffer.wakeAnchor()
        return
      }
    }
    for other in state.calls.unnoticed(own: own) { childOfGuest(other, &state) }
    buffer.wakeAnchor()
  }

  private func childOfGuest(_ signal: RawSignal, _ state: inout State) {
    buffer.noteChildEvent()
    if AnchorCalls.childrenVanish(buffer) { state.calls.reapVanishing(signal.info.pid) }
    // SA_NOCLDSTOP: only ends are told.
    let code = signal.info.code
    if code == CLD_STOPPED || code == CLD_CONTINUED, buffer.load(mfr_header_sig_child_flags(buffer.base)) & 1 != 0 {
      return
    }
    forward(signal, &state)
  }

  /// Replicas that exist, and the coordinator: children of ours that are none of the guest's.
  private func ownPids(_ state: State) -> Set<Int32> {
    var pids: Set<Int32> = [state.coordinator.pid]
    for index in 0..<SyncBuffer.replicaCount {
      let pid = buffer.load(mfr_replica_pid(buffer.base, index))
      if pid > 0 { pids.insert(pid) }
    }
    return pids
  }

  /// Notes deaths of replicas, reaps those that are settled, ends when the guest has ended.
  private func scan(_ state: inout State) {
    var living = 0
    var dead = 0
    var news = false
    for index in 0..<SyncBuffer.replicaCount {
      switch look(index, &state) {
      case .absent: break
      case .alive: living += 1
      case .died:
        dead += 1
        news = true
      case .dead: dead += 1
      case .reaped: news = true
      }
    }
    if buffer.load(mfr_header_exit_kind(buffer.base)) != MFR_EXIT_NONE.rawValue, dead > 0 || living == 0 {
      let kind = buffer.load(mfr_header_exit_kind(buffer.base))
      let value = buffer.load(mfr_header_exit_value(buffer.base))
      end(&state, signal: kind == MFR_EXIT_SIGNAL.rawValue, value: value)
    }
    if living == 0, let last = state.lastDead {
      end(&state, signal: last.code != CLD_EXITED, value: last.status)
    }
    if news { buffer.wakeCoordinator() }
    watchCoordinator(&state)
  }

  private enum Look { case absent, alive, died, dead, reaped }

  private func look(_ index: UInt32, _ state: inout State) -> Look {
    let base = buffer.base
    let pid = buffer.load(mfr_replica_pid(base, index))
    let stateField = mfr_replica_state(base, index)
    let current = buffer.load(stateField)
    if pid <= 0 || current == MFR_REPLICA_FREE.rawValue { return .absent }
    if current == MFR_REPLICA_DEAD.rawValue {
      if buffer.load(mfr_replica_settled(base, index)) == 0 { return .dead }
      // It may be dying still: then SIGCHLD comes later.
      var info = RawSignal()
      if info.waitid(P_PID.rawValue, pid, WEXITED | WNOHANG | WNOWAIT) == 0, info.info.pid != pid { return .dead }
      state.calls.reapReplica(pid)
      mfr_host_note_past(base, pid)
      // In this order: whoever sees a dead one that is not settled looks at the state again (Snapshot.swift).
      buffer.store(mfr_replica_pid(base, index), 0)
      buffer.store(stateField, MFR_REPLICA_FREE.rawValue)
      buffer.store(mfr_replica_settled(base, index), 0)
      return .reaped
    }
    var info = RawSignal()
    let result = info.waitid(P_PID.rawValue, pid, WEXITED | WNOHANG | WNOWAIT)
    let what = info.info
    var dying: (code: Int32, status: Int32)?
    if result == 0, what.pid != pid {
      guard buffer.load(mfr_replica_alive(base, index)) == MFR_ALIVE_NOTICED else { return .alive }
      dying = ProcessFiles.dying(pid)
      if dying == nil { return .alive }
    }
    buffer.store(mfr_replica_alive(base, index), 0)
    // ECHILD: the entry names a process that is not ours; it cannot be a replica any more.
    let code = dying?.code ?? (result == 0 ? what.code : Int32(CLD_KILLED))
    let status = dying?.status ?? (result == 0 ? what.status : SIGKILL)
    buffer.store(mfr_replica_wait_code(base, index), code)
    buffer.store(mfr_replica_wait_status(base, index), status)
    buffer.store(mfr_replica_died_ns(base, index), mfr_host_now_ns())
    buffer.store(mfr_replica_settled(base, index), 0)
    buffer.store(stateField, MFR_REPLICA_DEAD.rawValue)
    state.lastDead = (code, status)
    return .died
  }

  private func watchCoordinator(_ state: inout State) {
    // The main thread bears the guest's user, and whatever it started would, too.
    guard mfr_host_gettid() != getpid() else { return buffer.wakeAnchor() }
    var reaped: Int32 = 0
    for news in state.coordinator.look(buffer, reaped: { reaped = $0 }) {
      switch news {
      case .died(let signal): report("the coordinator died of signal \(signal); another one is started")
      case .hung: report("the coordinator has done nothing for ten seconds; another one is started")
      case .failed(let code):
        report("cannot start a coordinator: \(SystemError.text(code)); nothing is repaired until there is one")
      }
    }
    if reaped > 0 { state.calls.replicaReaped(reaped) }  // its SIGCHLD comes later, and is none of the guest's
  }

  // MARK: the end

  /// Ends this process as the guest ended: with exit status `value`, or of the signal of that number.
  private func end(_ state: inout State, signal: Bool, value: Int32) -> Never {
    for index in 0..<SyncBuffer.replicaCount {
      let pid = buffer.load(mfr_replica_pid(buffer.base, index))
      guard pid > 0 else { continue }
      var info = RawSignal()
      if info.waitid(P_PID.rawValue, pid, WEXITED | WNOHANG) == 0, info.info.pid != pid {
        _ = mfr_host_kill(pid, SIGKILL)
        _ = info.waitid(P_PID.rawValue, pid, WEXITED)
      }
    }
    dismissCoordinator(&state)
    if signal, (1...64).contains(value) { dieOf(value) }
    mfr_host_exit(value & 0xff)
  }

  private func dismissCoordinator(_ state: inout State) {
    buffer.store(mfr_header_ending(buffer.base), 1)
    buffer.wakeCoordinator()
    let last = state.coordinator.dismiss()
    if last > 0 { awaitCoordinator(last) }
  }

  /// There will be no guest.
  func dismissCoordinator() { state.withLock { dismissCoordinator(&$0) } }

  private func awaitCoordinator(_ pid: Int32) {
    let deadline = mfr_host_now_ns() &+ 2_000_000_000
    var info = RawSignal()
    while info.waitid(P_PID.rawValue, pid, WEXITED | WNOHANG) == 0, info.info.pid != pid {
      if mfr_host_now_ns() > deadline {
        _ = mfr_host_kill(pid, SIGKILL)
        _ = info.waitid(P_PID.rawValue, pid, WEXITED)
        return
      }
      // The call thread may end the set while the main thread takes the SIGCHLD: never wait for long.
      var ignored = RawSignal()
      ignored.bytes.withUnsafeMutableBytes { raw in
        if let start = raw.baseAddress { _ = mfr_host_sigwait(1 << UInt64(SIGCHLD - 1), start, 2_000_000) }
      }
    }
  }

  private func dieOf(_ signal: Int32) -> Never {
    _ = mfr_host_no_core()
    mfr_host_set_default(signal)
    mfr_host_set_mask(~(1 << UInt64(signal - 1)))
    // To this thread: another one that lets it through would be on its way while this one goes on.
    _ = mfr_host_tgkill(getpid(), mfr_host_gettid(), signal)
    // A signal that does not kill, or one that init may not get.
    mfr_host_exit(128 + signal)
  }

  func report(_ text: String) {
    let line = "mfr-run: \(text)\n"
    _ = line.withCString { write(2, $0, strlen($0)) }
  }
}
