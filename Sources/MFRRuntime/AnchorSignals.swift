import CMFRABI
import Glibc

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
      signalReplicas(SIGSTOP)
      stopSelf(number)
      signalReplicas(SIGCONT)
    case .delivered: post(signal, &state)
    }
  }

  /// Puts a signal into the buffer, and makes the leader look.
  private func post(_ signal: RawSignal, _ state: inout State) {
    let number = signal.number
    let pending = mfr_header_sig_pending(buffer.base)
    if buffer.load(pending) & bit(number) != 0 {
      // Only real-time signals queue; another one of a standard signal is the same one.
      if number >= 32, state.queued.count < 4096 { state.queued.append(signal) }
      kick()
      return
    }
    signal.bytes.withUnsafeBytes { raw in
      if let start = raw.baseAddress { mfr_signal_post(buffer.base, UInt32(number), start) }
    }
    kick()
  }

  /// Posts the real-time signals that had to wait, as far as there is room now, in their order.
  func flushQueue(_ state: inout State) {
    guard !state.queued.isEmpty else { return }
    let waiting = state.queued
    state.queued = []
    for signal in waiting { post(signal, &state) }
  }

  /// Gets the leader out of a blocking call, or out of its place in the queue for a slot.
  private func kick() {
    let leader = UInt32(truncatingIfNeeded: buffer.load(mfr_header_grant(buffer.base)) & 0xff)
    guard leader < SyncBuffer.replicaCount else { return }
    let pid = buffer.load(mfr_replica_pid(buffer.base, leader))
    guard isReplica(pid) else { return }
    _ = mfr_host_tgkill(pid, pid, MFR_KICK_SIGNAL)
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
