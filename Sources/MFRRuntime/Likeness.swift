import CMFRABI
import Glibc

/// What this process shows of itself to others, as the anchor: the guest's name and command line (`ps`, `pgrep`,
/// `pidof`, `killall`), and its standing with the kernel when memory runs out.
///
/// A guest changes its title by writing to its own memory, so there is a look once a second besides those that it asks for.
struct Likeness {
  static let pause: Int64 = 1_000_000_000
  /// Longer command lines are cut.
  private static let limit = 256 << 10

  private var name: [UInt8] = []
  private var commandLine: [UInt8] = []
  /// `oom_score_adj` of the guest and of all its processes, as it was last seen or set.
  private var score = ProcessFiles.read(Self.scoreFile("self"), limit: 16)
  private var due: UInt64 = 0

  /// Looks at the guest, if it is time or the guest has asked for it. Returns the nanoseconds until the next time.
  mutating func look(_ buffer: SyncBuffer, coordinator: Int32) -> Int64 {
    let now = mfr_host_now_ns()
    let asked = buffer.load(mfr_header_renamed(buffer.base)) != 0
    guard asked || now >= due else { return Int64(due &- now) }
    due = now &+ UInt64(Self.pause)
    buffer.store(mfr_header_renamed(buffer.base), 0)  // before it is looked at: what changes now asks again
    let leader = buffer.leaderPid
    if leader > 0 {
      show(leader)
      let replicas = (0..<SyncBuffer.replicaCount).map { buffer.load(mfr_replica_pid(buffer.base, $0)) }
      level(leader, replicas.filter { $0 > 0 && $0 != leader } + [coordinator].filter { $0 > 0 })
    }
    return Self.pause
  }

  /// Takes over the name and the command line of a process that executes the guest's program.
  mutating func show(_ pid: Int32) {
    if let now = ProcessFiles.read("/proc/\(pid)/comm", limit: 64), !now.isEmpty, now != name,
      Self.write("/proc/self/comm", now.last == 10 ? now.dropLast() : now[...])
    {
      name = now
    }
    // Of a process that is dying it is empty.
    guard let now = ProcessFiles.read("/proc/\(pid)/cmdline", limit: Self.limit), !now.isEmpty, now != commandLine
    else { return }
    // Where the kernel does not let us, it is not tried again until it changes.
    _ = now.withUnsafeBytes { raw in raw.baseAddress.map { mfr_host_show_command_line($0, raw.count) } ?? 0 }
    commandLine = now
  }

  /// A score that the guest has set for itself holds for all of it; one that somebody else has set for the guest's pid,
  /// too. Otherwise the kernel would choose this process in the place of a guest that it must not choose.
  private mutating func level(_ leader: Int32, _ others: [Int32]) {
    guard let theirs = ProcessFiles.read(Self.scoreFile("\(leader)"), limit: 16), !theirs.isEmpty,
      let ours = ProcessFiles.read(Self.scoreFile("self"), limit: 16)
    else { return }
    let new = theirs != score ? theirs : ours
    score = new
    for file in (["self", "\(leader)"] + others.map(String.init)).map(Self.scoreFile)
    where ProcessFiles.read(file, limit: 16) != new {
      _ = Self.write(file, new[...])
    }
  }

  private static func scoreFile(_ process: String) -> String { "/proc/\(process)/oom_score_adj" }

  private static func write(_ path: String, _ bytes: ArraySlice<UInt8>) -> Bool {
    let descriptor = open(path, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) } == bytes.count
  }
}
