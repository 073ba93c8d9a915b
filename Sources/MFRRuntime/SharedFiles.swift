import CMFRABI
import Glibc
import MFRControl

/// Looks whether files that the guest has mapped shared are used by other processes, too. Then they cannot be kept in
/// step: the set shrinks to one replica (`mfr_header.map_foreign`).
///
/// A thread of its own looks when the guest maps a file, and when anybody opens one of them, at most every 100 ms.
final class SharedFiles: Sendable {
  private let buffer: SyncBuffer
  private let watch: Int32
  private let wake: (reader: Int32, writer: Int32)

  /// nil: there is nothing to look with; the guest runs on.
  init?(_ buffer: SyncBuffer) {
    self.buffer = buffer
    watch = mfr_host_inotify()
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return nil }
    for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
    wake = (ends[0], ends[1])
    let context = Unmanaged.passRetained(self).toOpaque()
    let started = mfr_host_start_thread(
      { Unmanaged<SharedFiles>.fromOpaque($0).takeUnretainedValue().serve() }, context)
    if started < 0 { return nil }
  }

  /// The guest has mapped something.
  func look() {
    var byte: UInt8 = 0
    _ = write(wake.writer, &byte, 1)
  }

  private struct File: Hashable {
    var device: UInt64
    var number: UInt64
  }

  private func serve() {
    mfr_host_thread_name("mfr-files")
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      var both = [
        pollfd(fd: wake.reader, events: Int16(POLLIN), revents: 0),
        pollfd(fd: watch, events: Int16(POLLIN), revents: 0),
      ]
      if poll(&both, 2, -1) < 0, errno != EINTR { return }
      for descriptor in [wake.reader, watch] { while read(descriptor, &chunk, chunk.count) > 0 {} }
      if buffer.load(mfr_header_map_foreign(buffer.base)) == 0, isShared() {
        buffer.store(mfr_header_map_foreign(buffer.base), 1)
        Repairs.nudge(buffer, UInt32(truncatingIfNeeded: buffer.load(mfr_header_grant(buffer.base)) & 0xff))
      }
      usleep(100_000)  // whoever opens files all the time does not keep a processor busy
    }
  }

  /// The files, as the buffer has them. Watches those that are new.
  private func files() -> Set<File> {
    var files: Set<File> = []
    for place in 0..<min(buffer.load(mfr_header_map_count(buffer.base)), UInt32(MFR_MAP_FILES)) {
      let file = mfr_host_mapped_file(buffer.base, place)
      files.insert(File(device: file.dev, number: file.ino))
    }
    return files
  }

  private func isShared() -> Bool {
    let files = files()
    if files.isEmpty { return false }
    let anchor = buffer.anchor
    var members: Set<Int32> = [anchor, getpid()]
    var own: Int32 = 0
    for place in 0..<SyncBuffer.replicaCount {
      guard let pid = buffer.replicaPid(place) else { continue }
      members.insert(pid)
      own = pid
    }
    // As /proc/PID/maps writes device and inode; the device is not always what stat says.
    var keys: Set<String> = []
    for line in Self.sharedLines(own) {
      guard let number = UInt64(line.inode), files.contains(where: { $0.number == number }) else { continue }
      keys.insert(line.key)
      if line.path.hasPrefix("/"), let file = Self.file(line.path), files.contains(file) {
        _ = mfr_host_watch_open(watch, line.path)
      }
    }
    for pid in Self.processes() where !members.contains(pid) {
      let child = ProcessFiles.parent(pid) == anchor
      if child, Self.hasNotExecuted(pid) { continue }  // it only executes: a fork that shares has been seen
      if Self.sharedLines(pid).contains(where: { keys.contains($0.key) }) { return true }
      // What a child has inherited it need not use.
      if !child, Self.writes(pid, files) { return true }
    }
    return false
  }

  private static func processes() -> [Int32] {
    guard let folder = opendir("/proc") else { return [] }
    defer { closedir(folder) }
    var found: [Int32] = []
    while let entry = readdir(folder) {
      let name = String(cString: DirectoryEntry.name(entry))
      if let pid = Int32(name) { found.append(pid) }
    }
    return found
  }

  private struct Line {
    var key: String
    var inode: Substring
    var path: String
  }

  /// Shared mappings of files of a process.
  private static func sharedLines(_ pid: Int32) -> [Line] {
    guard let bytes = ProcessFiles.read("/proc/\(pid)/maps", limit: 16 << 20) else { return [] }
    var lines: [Line] = []
    for line in bytes.split(separator: 10) {
      // start-end perms offset device inode path
      let fields = line.split(separator: 32, maxSplits: 5)
      guard fields.count >= 5, fields[1].last == UInt8(ascii: "s") else { continue }
      let device = String(decoding: fields[3], as: UTF8.self)
      let inode = String(decoding: fields[4], as: UTF8.self)
      guard inode != "0" else { continue }
      let path = fields.count > 5 ? String(decoding: fields[5].drop { $0 == 32 }, as: UTF8.self) : ""
      lines.append(Line(key: device + " " + inode, inode: Substring(inode), path: path))
    }
    return lines
  }

  private static func file(_ path: String) -> File? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return File(device: UInt64(status.st_dev), number: UInt64(status.st_ino))
  }

  /// PF_FORKNOEXEC in field 9 of /proc/PID/stat.
  private static func hasNotExecuted(_ pid: Int32) -> Bool {
    guard let bytes = ProcessFiles.read("/proc/\(pid)/stat", limit: 4096),
      let name = bytes.lastIndex(of: UInt8(ascii: ")"))
    else { return true }
    let fields = bytes[(name + 1)...].split(separator: 32)
    guard fields.count > 6, let flags = UInt64(String(decoding: fields[6], as: UTF8.self)) else { return true }
    return flags & 0x40 != 0
  }

  /// Whether a process has one of the files open for writing.
  private static func writes(_ pid: Int32, _ files: Set<File>) -> Bool {
    guard let folder = opendir("/proc/\(pid)/fd") else { return false }
    defer { closedir(folder) }
    while let entry = readdir(folder) {
      let name = String(cString: DirectoryEntry.name(entry))
      guard let number = Int32(name), let file = file("/proc/\(pid)/fd/\(number)"), files.contains(file),
        let info = ProcessFiles.read("/proc/\(pid)/fdinfo/\(number)", limit: 4096)
      else { continue }
      let flags = String(decoding: info, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("flags:") }
      if let flags, let value = Int(flags.dropFirst(6).drop { $0 == "\t" }, radix: 8), value & 3 != 0 { return true }
    }
    return false
  }
}
