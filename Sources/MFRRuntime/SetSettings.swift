import CMFRABI
import Glibc
import MFRCore

/// What the buffer of a new set says before anything runs.
struct SetSettings {
  var identifier: UInt32
  var level: UInt32
  var family: Family
  var youngMilliseconds: UInt32
  /// Path of this executable, which a child's anchor will be.
  var tool: String

  /// All that is the same for the first set of a tree and for those of its children. Who calls it stands for the anchor.
  func fill(_ buffer: SyncBuffer) {
    let base = buffer.base
    buffer.store(mfr_header_version(base), MFR_ABI_VERSION)
    buffer.store(mfr_header_total_bytes(base), UInt32(SyncBuffer.bytes))
    buffer.store(mfr_header_set_id(base), identifier)
    buffer.store(mfr_header_anchor_pid(base), getpid())
    buffer.store(mfr_header_anchor_tid(base), mfr_host_gettid())
    buffer.store(mfr_header_anchor_ppid(base), getppid())
    buffer.store(mfr_header_start_level(base), level)
    buffer.store(mfr_header_level(base), level)
    buffer.store(mfr_header_level_max(base), UInt64(RunOptions.maximumLevel))
    buffer.store(mfr_header_started_ns(base), mfr_host_now_ns())
    buffer.store(mfr_header_grant(base), 1 << 8)
    buffer.store(mfr_header_live(base), 1)
    SyncPolicy(method: family.sync, level: level, cores: UInt32(clamping: mfr_host_usable_cores())).write(to: buffer)
    buffer.store(mfr_replica_generation(base, 0), 1)
    buffer.store(mfr_replica_state(base, 0), MFR_REPLICA_RUNNING.rawValue)
    buffer.store(mfr_replica_unshared(base, 0), 1)
    // Children inherit nothing that is cut: then they stay unprotected.
    let text = family.text
    guard text.utf8.count < Int(MFR_FAMILY_BYTES), tool.utf8.count < Int(MFR_TOOL_BYTES) else { return }
    buffer.store(mfr_header_young_ms(base), youngMilliseconds)
    buffer.store(mfr_header_child_level(base), family.children.map { $0 + 1 } ?? 0)
    buffer.setText(mfr_header_family(base), capacity: Int(MFR_FAMILY_BYTES), text)
    buffer.setText(mfr_header_tool(base), capacity: Int(MFR_TOOL_BYTES), tool)
  }
}
