import CMFRABI
import Glibc

/// Stops the guest when its anchor is stopped.
///
/// `kill -STOP` of the pid that the outside knows reaches the anchor alone, which can neither catch it nor know of
/// it, and a parent is told, but no child. So this looks: every 10 ms, at some 5 µs each.
final class StopWatch: Sendable {
  private let buffer: SyncBuffer

  init(_ buffer: SyncBuffer) { self.buffer = buffer }

  func start() {
    let context = Unmanaged.passRetained(self).toOpaque()
    _ = mfr_host_start_thread({ Unmanaged<StopWatch>.fromOpaque($0).takeUnretainedValue().serve() }, context)
  }

  private func serve() {
    mfr_host_thread_name("mfr-stop")
    let anchor = buffer.anchor
    let descriptor = open("/proc/\(anchor)/stat", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    var bytes = [UInt8](repeating: 0, count: 512)
    let flag = mfr_header_anchor_stopped(buffer.base)
    while true {
      usleep(10_000)
      let count = pread(descriptor, &bytes, bytes.count, 0)
      if count <= 0 { return }
      if ProcessFiles.state(in: bytes[..<count]) == UInt8(ascii: "T") {
        buffer.store(flag, MFR_ANCHOR_STOPPED.rawValue)
        stopReplicas()  // each time: some may be new, or have been continued
      } else if buffer.load(flag) == MFR_ANCHOR_STOPPED.rawValue {
        // The anchor continues them: it knows whether it is about to stop again.
        buffer.store(flag, MFR_ANCHOR_CONTINUED.rawValue)
        buffer.wakeAnchor()
      }
    }
  }

  private func stopReplicas() {
    for place in 0..<SyncBuffer.replicaCount {
      if let pid = buffer.replicaPid(place) { _ = mfr_host_kill(pid, SIGSTOP) }
    }
  }
}
