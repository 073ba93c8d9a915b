import CMFRABI
import Glibc
import Synchronization

/// The process whose pid the outside knows: parent and reaper of every replica.
///
/// It does four things only: notes deaths, forwards signals into the buffer, answers calls that belong to the
/// outside identity of the process, and ends as the guest ends. The signal loop runs on the main thread (the
/// replicas' PR_SET_PDEATHSIG is bound to it), the calls on a second one; both hold `state` while they act.
public final class Anchor: Sendable {
  struct State {
    var calls: AnchorCalls
    var coordinator: Int32
    /// When coordinators were started last, CLOCK_MONOTONIC in nanoseconds.
    var coordinatorStarts: [UInt64] = []
    /// A signal for which the buffer has no room.
    var held: RawSignal?
    var insistence: Insistence?
    var lastDead: (code: Int32, status: Int32)?
  }

  let buffer: SyncBuffer
  /// Starts a coordinator and returns its pid, or -errno.
  let startCoordinator: @Sendable () -> Int32
  let state: Mutex<State>

  public init(buffer: SyncBuffer, coordinator: Int32, startCoordinator: @escaping @Sendable () -> Int32) {
    self.buffer = buffer
    self.startCoordinator = startCoordinator
    state = Mutex(State(calls: AnchorCalls(buffer), coordinator: coordinator))
  }

  /// Serves until the guest has ended, then ends this process the same way. All signals must be blocked.
  public func run() -> Never {
    let context = Unmanaged.passRetained(self).toOpaque()
    let started = mfr_host_start_thread(
      { Unmanaged<Anchor>.fromOpaque($0).takeUnretainedValue().serveCalls() }, context)
    if started < 0 { report("cannot start the call thread: \(SystemError.text(-started))") }
    state.withLock { scan(&$0) }  // whoever died before we listened
    _ = mfr_host_pdeathsig(0)  // the call thread keeps it: the guest may change it
    while true {
      var signal = RawSignal()
      // While the buffer has no room for a real-time signal, the kernel keeps those that follow.
      let full = state.withLock { $0.held != nil }
      let number = signal.bytes.withUnsafeMutableBytes { raw -> Int32 in
        guard let start = raw.baseAddress else { return -EINVAL }
        return mfr_host_sigwait(full ? 0x7fff_ffff : UInt64.max, start, full ? 1_000_000 : -1)
      }
      state.withLock { state in
        buffer.store(mfr_header_anchor_ppid(buffer.base), getppid())
        switch number {
        case SIGCHLD: childChanged(signal, &state)
        case 1...64:
          if let signal = state.calls.posixTimers.translate(signal, pending: isPending) { forward(signal, &state) }
        default: break
        }
        postHeld(&state)
      }
    }
  }

  /// The second thread: reaps what is settled, answers calls.
  private func serveCalls() {
    mfr_host_thread_name("mfr-calls")
    state.withLock { $0.calls.takeDeathSignal() }
    let futex = mfr_header_anchor_wake(buffer.base)
    while true {
      let seen = buffer.load(futex)
      let pause = state.withLock { state -> Int64? in
        scan(&state)
        state.calls.serve(buffer, own: ownPids(state))
        let timers = state.calls.dueTimers(leader: buffer.leaderPid)
        for number in timers.signals { forward(RawSignal(fromKernel: number), &state) }
        return [insist(&state), timers.pause].compactMap(\.self).min()
      }
      _ = mfr_host_futex_wait(futex, seen, pause ?? -1)
    }
  }

  // MARK: deaths

  private func childChanged(_ signal: RawSignal, _ state: inout State) {
    let info = signal.info
    scan(&state)
    let own = ownPids(state)
    let code = info.code
    if code == CLD_STOPPED, own.contains(info.pid),
      buffer.load(mfr_header_mode(buffer.base)) == MFR_MODE_NATIVE.rawValue
    {
      stopSelf(SIGSTOP)
      return
    }
    // A sender with kill(2) (code <= 0) is no child's doing; but a child's own signal may be lost in it.
    if code <= 0 {
      if info.pid != state.coordinator { forward(signal, &state) }
    } else if !own.contains(info.pid), info.pid != 0, !state.calls.wasReplica(info.pid) {
      state.calls.noticed(info.pid)
      childOfGuest(signal, &state)
      buffer.wakeAnchor()
      return
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
    var pids: Set<Int32> = [state.coordinator]
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
      state.calls.reapReplica(pid)
      mfr_host_note_past(base, pid)
      buffer.store(mfr_replica_pid(base, index), 0)
      buffer.store(mfr_replica_settled(base, index), 0)
      buffer.store(stateField, MFR_REPLICA_FREE.rawValue)
      return .reaped
    }
    var info = RawSignal()
    let result = info.waitid(P_PID.rawValue, pid, WEXITED | WNOHANG | WNOWAIT)
    let what = info.info
    if result == 0, what.pid != pid { return .alive }
    // ECHILD: the entry names a process that is not ours; it cannot be a replica any more.
    let code = result == 0 ? what.code : Int32(CLD_KILLED)
    let status = result == 0 ? what.status : SIGKILL
    buffer.store(mfr_replica_wait_code(base, index), code)
    buffer.store(mfr_replica_wait_status(base, index), status)
    buffer.store(mfr_replica_died_ns(base, index), mfr_host_now_ns())
    buffer.store(mfr_replica_settled(base, index), 0)
    buffer.store(stateField, MFR_REPLICA_DEAD.rawValue)
    state.lastDead = (code, status)
    return .died
  }

  private func watchCoordinator(_ state: inout State) {
    guard state.coordinator > 0 else { return }
    var info = RawSignal()
    guard info.waitid(P_PID.rawValue, state.coordinator, WEXITED | WNOHANG) == 0, info.info.pid == state.coordinator
    else { return }
    let now = mfr_host_now_ns()
    state.coordinatorStarts.removeAll { now &- $0 > 10_000_000_000 }
    state.coordinatorStarts.append(now)
    if state.coordinatorStarts.count > 20 {
      report("the coordinator dies again and again; the guest goes on without repair")
      state.coordinator = 0
      return
    }
    state.coordinator = startCoordinator()
    if state.coordinator < 0 {
      report("cannot start a coordinator: \(SystemError.text(-state.coordinator)); the guest goes on without repair")
    }
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
    buffer.store(mfr_header_ending(buffer.base), 1)
    buffer.wakeCoordinator()
    if state.coordinator > 0 { awaitCoordinator(state.coordinator) }
    if signal, (1...64).contains(value) { dieOf(value) }
    mfr_host_exit(value & 0xff)
  }

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
    _ = mfr_host_kill(getpid(), signal)
    // A signal that does not kill, or one that init may not get.
    mfr_host_exit(128 + signal)
  }

  func report(_ text: String) {
    let line = "mfr-run: \(text)\n"
    _ = line.withCString { write(2, $0, strlen($0)) }
  }
}
