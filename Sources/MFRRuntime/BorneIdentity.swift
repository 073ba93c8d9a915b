import CMFRABI
import Glibc

/// User and groups of the guest, which the anchor's main thread bears: `ps` shows them, and whoever may signal the guest by
/// them may signal its pid. All other threads, and the coordinators that they start, keep what they have.
struct BorneIdentity {
  private struct Identity: Equatable {
    var users: [UInt32]
    var groupIds: [UInt32]
    var groups: [UInt32]
  }

  /// Only from the superuser there is a way back to the rights that this process needs.
  private let isAble = geteuid() == 0
  private var last: Identity?
  private var wanted: Identity?

  /// Looks at the guest. Whether there is something to `bear` that was not there before.
  mutating func look(_ leader: Int32) -> Bool {
    guard isAble, let now = Self.identity(of: leader) else { return false }
    if last == nil { last = Self.identity(of: getpid()) }
    if now == last { return false }
    last = now
    wanted = now
    return true
  }

  /// On the main thread, with all its rights. What the kernel refuses is not tried again until it changes.
  mutating func bear() {
    guard let now = wanted else { return }
    wanted = nil
    var identity = mfr_host_identity()
    identity.ruid = now.users[0]
    identity.euid = now.users[1]
    identity.rgid = now.groupIds[0]
    identity.egid = now.groupIds[1]
    let groups = now.groups.prefix(Int(MFR_HOST_GROUPS))
    identity.group_count = UInt32(groups.count)
    withUnsafeMutableBytes(of: &identity.groups) { room in groups.withUnsafeBytes { room.copyMemory(from: $0) } }
    _ = mfr_host_bear(&identity)
  }

  /// As `/proc/PID/status` has it (proc_pid_status(5)): real, effective, saved and file system ids.
  private static func identity(of pid: Int32) -> Identity? {
    guard let bytes = ProcessFiles.read("/proc/\(pid)/status", limit: 64 << 10) else { return nil }
    func numbers(_ name: String) -> [UInt32] {
      let line = bytes.split(separator: 10).first { $0.starts(with: name.utf8) } ?? []
      return line.dropFirst(name.utf8.count).split { $0 == 9 || $0 == 32 }.compactMap {
        UInt32(String(decoding: $0, as: UTF8.self))
      }
    }
    let (users, groups) = (numbers("Uid:"), numbers("Gid:"))
    guard users.count == 4, groups.count == 4 else { return nil }
    return Identity(users: Array(users[..<2]), groupIds: Array(groups[..<2]), groups: numbers("Groups:"))
  }
}
