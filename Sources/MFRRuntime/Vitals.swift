import Glibc
import MFRCore

/// What `/proc` tells about a process that may hang.
extension ProcessFiles {
  static func vital(_ pid: Int32) -> Surroundings.Vital? {
    guard let bytes = read("/proc/\(pid)/stat", limit: 4096), let name = bytes.lastIndex(of: UInt8(ascii: ")")) else {
      return nil
    }
    let fields = bytes[(name + 1)...].split(separator: 32).map { String(decoding: $0, as: UTF8.self) }
    // Behind the name: 3 state, …, 14 utime, 15 stime, in ticks of 1/100 s.
    guard fields.count > 12, let user = Int64(fields[11]), let system = Int64(fields[12]) else { return nil }
    let state: Surroundings.Vital.State =
      switch fields[0] {
      case "R": .runs
      case "T", "t": .stopped
      default: .sleeps
      }
    return Surroundings.Vital(
      state: state, user: .milliseconds(user &* 10), total: .milliseconds((user &+ system) &* 10))
  }
}

/// How much memory a clone takes, and how much there is.
enum Headroom {
  /// Beyond the guest's own memory: page tables of its own are told by the kernel, the rest is small.
  private static let slack: UInt64 = 4 << 20

  static func of(_ pid: Int32) -> Surroundings.Memory? {
    guard let own = kilobytes("/proc/\(pid)/status", ["RssAnon", "VmPTE"]),
      let system = kilobytes("/proc/meminfo", ["MemAvailable"])
    else { return nil }
    let mine = own.reduce(0, &+) &* 1024
    // Whoever has left for this comes back only when there is more than it gave back: see ReplicaSet.shed.
    let margin = mine / 16 &+ slack
    return Surroundings.Memory(
      needed: mine &+ margin, free: min(system[0] &* 1024, groups(pid).min() ?? .max), reserve: margin / 2)
  }

  /// Values of a file with lines `Name:   123 kB`, in the order of `names`; nil when one is missing.
  private static func kilobytes(_ path: String, _ names: [String]) -> [UInt64]? {
    guard let bytes = ProcessFiles.read(path, limit: 64 << 10) else { return nil }
    var found: [String: UInt64] = [:]
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      guard let colon = line.firstIndex(of: ":") else { continue }
      let name = String(line[..<colon])
      guard names.contains(name) else { continue }
      found[name] = UInt64(line[colon...].dropFirst().drop { $0 == " " || $0 == "\t" }.prefix { $0.isNumber })
    }
    let values = names.compactMap { found[$0] }
    return values.count == names.count ? values : nil
  }

  /// What is left in each memory group that the process is in, of either version of the kernel's interface.
  private static func groups(_ pid: Int32) -> [UInt64] {
    guard let bytes = ProcessFiles.read("/proc/\(pid)/cgroup", limit: 16 << 10) else { return [] }
    var left: [UInt64] = []
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      if fields[1].split(separator: ",").contains("memory") {
        left += walk(
          "/sys/fs/cgroup/memory", fields[2], "limit_in_bytes", "usage_in_bytes",
          ["total_inactive_file", "total_active_file"])
      } else if fields[0] == "0" {
        left += walk(
          "/sys/fs/cgroup", fields[2], "max", "current", ["inactive_file", "active_file", "slab_reclaimable"])
      }
    }
    return left
  }

  /// From the group up to the root; in a container the root is the container's own.
  private static func walk(
    _ root: String, _ path: Substring, _ limit: String, _ usage: String, _ reclaimable: [String]
  ) -> [UInt64] {
    var parts = path.split(separator: "/")
    var left: [UInt64] = []
    while true {
      let folder = root + parts.map { "/" + $0 }.joined()
      if let most = number("\(folder)/memory.\(limit)"), let used = number("\(folder)/memory.\(usage)") {
        let files = sum("\(folder)/memory.stat", reclaimable)
        let taken = used > files ? used - files : 0
        left.append(most > taken ? most - taken : 0)
      }
      if parts.isEmpty { return left }
      parts.removeLast()
    }
  }

  /// nil also for `max`.
  private static func number(_ path: String) -> UInt64? {
    guard let bytes = ProcessFiles.read(path, limit: 64) else { return nil }
    return UInt64(String(decoding: bytes.prefix { $0 != 10 }, as: UTF8.self))
  }

  /// What the kernel takes back before it kills anybody.
  private static func sum(_ path: String, _ names: [String]) -> UInt64 {
    let text = String(decoding: ProcessFiles.read(path, limit: 16 << 10) ?? [], as: UTF8.self)
    var sum: UInt64 = 0
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: " ")
      if fields.count == 2, names.contains(String(fields[0])) { sum &+= UInt64(fields[1]) ?? 0 }
    }
    return sum
  }
}
