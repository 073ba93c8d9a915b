import Glibc
import MFRControl

/// A process of a guest that is no replica set: young, foreign, or one that cannot be.
struct PlainProcess {
  var pid: Int32
  /// The process that made it, or its set's.
  var parent: Int32
  var program: String
  /// Why it has no duplicates.
  var reason: String

  var json: JSON {
    .object([
      .init("pid", JSON(pid)), .init("parent", JSON(parent)), .init("program", .string(program)),
      .init("state", .string("unprotected")), .init("reason", .string(reason)),
    ])
  }
}

/// All that runs under `mfr-run`: sets as their coordinators describe them, and what else `/proc` shows of their processes.
struct Tree {
  let sets: [SetStatus]
  private(set) var processes: [PlainProcess] = []
  private let parents: [Int32: Int32]

  init(_ sets: [SetStatus]) {
    self.sets = sets
    var replicas: Set<Int32> = []
    var anchor: [Int32: Int32] = [:]
    for set in sets {
      for replica in set.replicas {
        replicas.insert(replica.pid)
        anchor[replica.pid] = set.pid
      }
    }
    // A replica without a lane makes children of its own.
    parents = Self.allParents().mapValues { anchor[$0] ?? $0 }
    let anchors = Set(sets.map(\.pid))
    var known = anchors
    var fresh = Array(anchors)
    while let parent = fresh.popLast() {
      for (pid, itsParent) in parents where itsParent == parent && !replicas.contains(pid) && !known.contains(pid) {
        guard let process = Self.look(pid, parent) else { continue }
        known.insert(pid)
        fresh.append(pid)
        processes.append(process)
      }
    }
    processes.sort { $0.pid < $1.pid }
  }

  /// The process of a guest that made this one; nil for the first of a tree, and for orphans.
  func parent(of pid: Int32) -> Int32? {
    guard let parent = parents[pid] else { return nil }
    return sets.contains { $0.pid == parent } || processes.contains { $0.pid == parent } ? parent : nil
  }
  func children(of pid: Int32) -> (sets: [SetStatus], processes: [PlainProcess]) {
    (sets.filter { parent(of: $0.pid) == pid }, processes.filter { $0.parent == pid })
  }

  // MARK: /proc

  private static func allParents() -> [Int32: Int32] {
    guard let folder = opendir("/proc") else { return [:] }
    defer { closedir(folder) }
    var found: [Int32: Int32] = [:]
    while let entry = readdir(folder) {
      let name = String(cString: DirectoryEntry.name(entry))
      guard let pid = Int32(name), let fields = stat(pid), fields.count > 1, fields[0] != "Z" else { continue }
      found[pid] = Int32(fields[1])
    }
    return found
  }

  /// Fields of `/proc/PID/stat` from the third on.
  private static func stat(_ pid: Int32) -> [Substring]? {
    guard let text = text("/proc/\(pid)/stat"), let name = text.lastIndex(of: ")") else { return nil }
    return text[text.index(after: name)...].split(separator: " ")
  }

  private static func text(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = read(descriptor, &chunk, chunk.count)
      if count <= 0 { break }
      bytes += chunk[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func look(_ pid: Int32, _ parent: Int32) -> PlainProcess? {
    guard let command = text("/proc/\(pid)/cmdline"), !command.hasPrefix("mfr-coordinator") else { return nil }
    var program = text("/proc/\(pid)/comm") ?? ""
    if program.hasSuffix("\n") { program.removeLast() }
    return PlainProcess(pid: pid, parent: parent, program: program, reason: reason(pid))
  }

  private static func reason(_ pid: Int32) -> String {
    guard let maps = text("/proc/\(pid)/maps"), !maps.isEmpty else { return "its memory cannot be looked at" }
    if !maps.contains("/libmfrshim.so") {
      return "foreign: static, set-uid, or made by one that is unprotected for good"
    }
    // The buffer of the set that it comes from; who can become a set has let go of that.
    if maps.contains("/memfd:mfr") { return "made by a program that had given its protection up" }
    for line in maps.split(separator: "\n") {
      let fields = line.split(separator: " ", maxSplits: 5)
      if fields.count > 1, fields[1].hasPrefix("rw"), fields[1].hasSuffix("s"), !line.contains("/memfd:mfr") {
        return "maps writable shared memory"
      }
    }
    return "young, or it cannot be a set: the events tell which"
  }
}
