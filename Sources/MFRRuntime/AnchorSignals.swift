import CMFRABI
import Glibc

/// A signal that is posted while the guest computes is taken at its next call, if it comes to one soon.
struct Insistence {
  /// Where the leader stood when the signal was posted.
  let sequence: UInt64
  var pause: UInt64 = 2_000_000
  var next: UInt64

  init(_ buffer: SyncBuffer) {
    let leader = UInt32(truncatingIfNeeded: buffer.load(mfr_header_grant(buffer.base)) & 0xff) % SyncBuffer.replicaCount
    sequence = buffer.load(mfr_replica_seq(buffer.base, leader))
    next = mfr_host_now_ns() &+ pause
  }
}

/// Signals from outside, on their way to the guest.
extension Anchor {
  private func bit(_ signal: Int32) -> UInt64 { 1 << UInt64(max(1, min(signal, 64)) - 1) }

  /// What the guest would do with a signal, as far as the leader has told.
  private enum Disposition { case stops, delivered }

  private func disposition(_ signal: Int32) -> Disposition {
    let base = buffer.base
    if buffer.load(mfr_header_sig_blocked(base)) & bit(signal) != 0 { return .delivered }
    if buffer.load(mfr_header_sig_caught(base)) & bit(signal) != 0 { return .delivered }
    // Ignored ones are posted too: blocked, they stay pending (sigwait takes them); else the leader drops them.
    if buffer.load(mfr_header_sig_ignored(base)) & bit(signal) != 0 { return .delivered }
    switch signal {
    case SIGTSTP, SIGTTIN, SIGTTOU: return .stops
    default: return .delivered
    }
  }

  /// Takes one signal to where the guest is.
  func forward(_ signal: RawSignal, _ state: inout State) {
    let number = signal.number
    guard (1...64).contains(number) else { return }
    if number == SIGCONT { signalReplicas(SIGCONT) }
    if buffer.load(mfr_header_mode(buffer.base)) != MFR_MODE_LANE.rawValue {
      forwardDirectly(signal)
      return
    }
    switch disposition(number) {
    case .stops:
      // A replica that sends one to the whole group asks for the stop as well, and waits for it.
      if !isFromMember(signal) { stopAll(number, &state) }
    case .delivered: post(known(signal), &state)
    }
  }

  private func stopAll(_ number: Int32, _ state: inout State) {
    let stops = mfr_header_stops(buffer.base)
    mfr_signal_cancel(buffer.base, UInt32(number))
    _ = mfr_add_acqrel32(stops, 1)
    stopReplicas()
    stopSelf(number)
    postContinuation(&state)
    signalReplicas(SIGCONT)
    // A replica that waits for its own stop goes on.
    _ = mfr_add_acqrel32(stops, 1)
    _ = mfr_host_futex_wake(stops, Int32.max)
  }

  /// They have stopped when this returns: whoever is told that this process has may use the terminal.
  private func stopReplicas() {
    signalReplicas(SIGSTOP)
    for index in 0..<SyncBuffer.replicaCount {
      let pid = buffer.load(mfr_replica_pid(buffer.base, index))
      guard isReplica(pid) else { continue }
      var info = RawSignal()
      _ = info.waitid(P_PID.rawValue, pid, WEXITED | 2 | 0x0100_0000)  // WSTOPPED, WNOWAIT
    }
  }

  /// What the call thread does about stopping: the guest wants it for itself; or this process was stopped from
  /// outside, all of the guest with it, and goes on.
  func serveStops(_ state: inout State) {
    let wanted = buffer.load(mfr_header_stop_wanted(buffer.base))
    if wanted != 0 {
      buffer.store(mfr_header_stop_wanted(buffer.base), 0)  // before it is asked for again
      if let signal = [SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU].first(where: { UInt32($0) == wanted }) {
        stopAll(signal, &state)
      }
    }
    let flag = mfr_header_anchor_stopped(buffer.base)
    if buffer.load(flag) == MFR_ANCHOR_CONTINUED.rawValue {
      signalReplicas(SIGCONT)
      if mfr_cas_acqrel32(flag, MFR_ANCHOR_CONTINUED.rawValue, MFR_ANCHOR_RUNS.rawValue) != 0 {
        buffer.wakeCoordinator()
      }
    }
  }

  /// The signal that continues the guest comes before the guest goes on.
  private func postContinuation(_ state: inout State) {
    var signal = RawSignal()
    let number = signal.bytes.withUnsafeMutableBytes { raw in
      raw.baseAddress.map { mfr_host_sigwait(1 << UInt64(SIGCONT - 1), $0, 0) } ?? 0
    }
    if number == SIGCONT { post(known(signal), &state) }
  }

  /// A signal from a replica, or from this process for it, sent to the whole process group, as the guest sees it: from
  /// itself, and from the kernel when a process of the background has used its terminal.
  private func known(_ signal: RawSignal) -> RawSignal {
    guard isFromMember(signal) else { return signal }
    let info = signal.info
    if info.signo == SIGTTIN || info.signo == SIGTTOU { return RawSignal(fromKernel: info.signo) }
    var signal = signal
    signal.sender = getpid()
    return signal
  }

  private func isFromMember(_ signal: RawSignal) -> Bool {
    let info = signal.info
    guard info.code == 0, info.pid != 0 else { return false }
    return info.pid == getpid()
      || (0..<SyncBuffer.replicaCount).contains { buffer.load(mfr_replica_pid(buffer.base, $0)) == info.pid }
  }

  /// The replica without a lane has stopped: by itself, then so does this process; or because this one was stopped.
  func replicaStopped(_ pid: Int32) {
    if buffer.load(mfr_header_anchor_stopped(buffer.base)) != MFR_ANCHOR_RUNS.rawValue {
      signalReplicas(SIGCONT)
    } else if ProcessFiles.state(pid) == UInt8(ascii: "T") {
      stopSelf(SIGSTOP)
    }
  }

  /// Puts a signal into the buffer, and makes the leader look.
  private func post(_ signal: RawSignal, _ state: inout State) {
    let posted = signal.bytes.withUnsafeBytes { raw in
      raw.baseAddress.map { mfr_signal_post(buffer.base, UInt32(signal.number), $0, 0, signal.target) } ?? 0
    }
    // No room: it waits here, and those that come after it in the kernel's queue.
    if posted < 0 { state.held = signal }
    kick()
    state.insistence = Insistence(buffer)
    buffer.wakeAnchor()
  }

  /// Whether a signal of the same timer waits for the guest.
  func isPending(_ signal: RawSignal) -> Bool {
    mfr_host_timer_signal_waits(buffer.base, UInt32(signal.number), signal.timer, 1 &+ signal.overrun) != 0
  }

  /// Posts the signal that had to wait, if there is room now.
  func postHeld(_ state: inout State) {
    guard let signal = state.held else { return }
    state.held = nil
    forward(signal, &state)
  }

  /// Kicks replicas that compute, so that they take a signal without coming to a call. Returns when to do so
  /// again, in nanoseconds from now; nil when all is delivered or will be at the next call.
  func insist(_ state: inout State) -> Int64? {
    guard var insistence = state.insistence else { return nil }
    state.insistence = nil
    guard buffer.load(mfr_header_mode(buffer.base)) == MFR_MODE_LANE.rawValue else { return nil }
    let now = mfr_host_now_ns()
    if now < insistence.next {
      state.insistence = insistence
      return Int64(insistence.next &- now)
    }
    let leader = UInt32(truncatingIfNeeded: buffer.load(mfr_header_grant(buffer.base)) & 0xff) % SyncBuffer.replicaCount
    let at = buffer.load(mfr_replica_seq(buffer.base, leader))
    // Two calls later it is still pending: it is blocked, and unblocking it is a call.
    let waits = at &- insistence.sequence < 2 && (1...64).contains { mfr_host_signal_waits(buffer.base, $0) != 0 }
    let point = buffer.load(mfr_header_signal_point(buffer.base))
    var computing: [UInt32] = waits ? [leader] : []
    for index in 0..<SyncBuffer.replicaCount
    where index != leader && buffer.load(mfr_header_live(buffer.base)) & (1 << index) != 0 {
      if point != 0, point > buffer.load(mfr_replica_seq(buffer.base, index)) { computing.append(index) }
    }
    if computing.isEmpty { return nil }
    for index in computing where buffer.load(mfr_replica_phase(buffer.base, index)) == MFR_PHASE_GUEST.rawValue {
      let pid = buffer.load(mfr_replica_pid(buffer.base, index))
      if isReplica(pid) { _ = mfr_host_kick(buffer.base, index, pid) }
    }
    insistence.pause = min(insistence.pause &* 2, 500_000_000)
    insistence.next = now &+ insistence.pause
    state.insistence = insistence
    return Int64(insistence.pause)
  }

  /// Gets the leader out of a blocking call, or out of its place in the queue for a slot.
  private func kick() {
    let leader = UInt32(truncatingIfNeeded: buffer.load(mfr_header_grant(buffer.base)) & 0xff)
    guard leader < SyncBuffer.replicaCount else { return }
    let pid = buffer.load(mfr_replica_pid(buffer.base, leader))
    guard isReplica(pid) else { return }
    _ = mfr_host_kick(buffer.base, leader, pid)
    buffer.unpark(leader)
  }

  /// One replica, and no lane: it gets its signals from the kernel as always.
  private func forwardDirectly(_ signal: RawSignal) {
    let info = signal.info
    // The terminal signals the whole process group, and the replica is in it.
    let fromKernel = info.code == 0x80
    let byTerminal: [Int32] = [SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGHUP, SIGWINCH, SIGCONT]
    if fromKernel, byTerminal.contains(info.signo) { return }
    for index in 0..<SyncBuffer.replicaCount {
      let pid = buffer.load(mfr_replica_pid(buffer.base, index))
      guard buffer.load(mfr_replica_state(buffer.base, index)) != MFR_REPLICA_DEAD.rawValue, isReplica(pid) else {
        continue
      }
      let queued = signal.bytes.withUnsafeBytes { raw -> Int32 in
        guard info.code < 0, let start = raw.baseAddress else { return -EPERM }
        return mfr_host_sigqueueinfo(pid, info.signo, start)
      }
      if queued < 0 { _ = mfr_host_kill(pid, info.signo) }
      return
    }
  }

  private func signalReplicas(_ signal: Int32) {
    for index in 0..<SyncBuffer.replicaCount {
      let pid = buffer.load(mfr_replica_pid(buffer.base, index))
      if isReplica(pid) { _ = mfr_host_kill(pid, signal) }
    }
  }

  /// The buffer can lie: only a living or unreaped child of ours is signalled.
  private func isReplica(_ pid: Int32) -> Bool {
    guard pid > 0 else { return false }
    var info = RawSignal()
    return info.waitid(P_PID.rawValue, pid, WEXITED | WNOHANG | WNOWAIT) == 0
  }

  /// Stops this process by `signal`, as its parent expects of a stopped guest; returns when it goes on. The
  /// kernel discards a terminal's stop signal in an orphaned process group: then it returns at once.
  func stopSelf(_ signal: Int32) {
    _ = mfr_host_tgkill(getpid(), mfr_host_gettid(), signal)
    if signal == SIGSTOP { return }
    mfr_host_set_mask(~bit(signal))
    _ = mfr_host_block_all()
  }
}
