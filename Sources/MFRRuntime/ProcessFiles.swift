import CMFRABI
import Glibc
import MFRControl

/// What `/proc/PID` tells about replicas.
enum ProcessFiles {
  /// A whole file, at most `limit` bytes; nil when it cannot be read.
  static func read(_ path: String, limit: Int = 4 << 20) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while bytes.count < limit {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      if count < 0 { return nil }
      if count == 0 { break }
      bytes += chunk[..<count]
    }
    return bytes
  }

  /// Totals of `/proc/PID/io`, also of a zombie.
  static func ioTotals(_ pid: Int32) -> (read: UInt64, written: UInt64)? {
    guard let bytes = read("/proc/\(pid)/io", limit: 4096) else { return nil }
    var totals: [UInt64] = []
    // The first two lines are rchar and wchar.
    for line in bytes.split(separator: 10).prefix(2) {
      guard let number = UInt64(String(decoding: line.drop { !(48...57).contains($0) }, as: UTF8.self)) else {
        return nil
      }
      totals.append(number)
    }
    return totals.count == 2 ? (totals[0], totals[1]) : nil
  }

  /// State of a process as `ps` shows it, nil when there is no such process.
  static func state(_ pid: Int32) -> UInt8? {
    guard let bytes = read("/proc/\(pid)/stat", limit: 4096) else { return nil }
    return state(in: bytes[...])
  }

  static func state(in bytes: ArraySlice<UInt8>) -> UInt8? {
    guard let name = bytes.lastIndex(of: UInt8(ascii: ")")), name + 2 < bytes.endIndex else { return nil }
    return bytes[name + 2]
  }

  /// Parent of a process, nil when there is no such process.
  static func parent(_ pid: Int32) -> Int32? {
    guard let bytes = read("/proc/\(pid)/stat", limit: 4096), let name = bytes.lastIndex(of: UInt8(ascii: ")")) else {
      return nil
    }
    let fields = bytes[(name + 1)...].split(separator: 32)
    return fields.count > 1 ? Int32(String(decoding: fields[1], as: UTF8.self)) : nil
  }

  /// Whether it has a buffer of MFR mapped. false when that cannot be read.
  static func mapsBuffer(_ pid: Int32) -> Bool {
    guard let maps = read("/proc/\(pid)/maps") else { return false }
    return String(decoding: maps, as: UTF8.self).contains("/memfd:mfr")
  }

  /// How a process ends that is about to: it makes no call any more, but is no zombie yet. nil when it is not so - a
  /// proxy of its own may still get the lock that it waits for.
  static func dying(_ pid: Int32) -> (code: Int32, status: Int32)? {
    guard let bytes = read("/proc/\(pid)/stat", limit: 4096), let name = bytes.lastIndex(of: UInt8(ascii: ")")) else {
      return nil
    }
    // From the third field of proc(5) on.
    let fields = bytes[(name + 1)...].split(separator: 32).map { String(decoding: $0, as: UTF8.self) }
    let exiting: UInt64 = 4  // PF_EXITING (include/linux/sched.h)
    guard fields.count > 49, let flags = UInt64(fields[6]), flags & exiting != 0, fields[17] == "1",
      let code = Int32(fields[49].prefix { $0 != "\n" })
    else { return nil }
    if code & 0x7f == 0 { return (Int32(CLD_EXITED), code >> 8 & 0xff) }
    return (Int32(code & 0x80 != 0 ? CLD_DUMPED : CLD_KILLED), code & 0x7f)
  }

  /// What follows the last slash.
  static func lastComponent(_ path: String) -> String {
    String(path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...])
  }

  /// Names of what a process executes, the one to show first: of its file, and the one that the kernel shows, which for
  /// a script is the script's.
  static func names(_ pid: Int32) -> [String] {
    var short = read("/proc/\(pid)/comm", limit: 64).map { String(decoding: $0, as: UTF8.self) } ?? ""
    if short.hasSuffix("\n") { short.removeLast() }
    var buffer = [CChar](repeating: 0, count: 4097)
    let count = readlink("/proc/\(pid)/exe", &buffer, 4096)
    let path = String(decoding: buffer[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let file = lastComponent(path)
    return (file.hasPrefix(short) ? [file, short] : [short, file]).filter { !$0.isEmpty }
  }

  /// All processes with a parent, dead ones included.
  static func children(of parent: Int32) -> [Int32] {
    guard let folder = opendir("/proc") else { return [] }
    defer { closedir(folder) }
    var found: [Int32] = []
    while let entry = readdir(folder) {
      let name = String(cString: DirectoryEntry.name(entry))
      if let pid = Int32(name), self.parent(pid) == parent { found.append(pid) }
    }
    return found
  }

  struct Mapping {
    var start: UInt64
    var end: UInt64
    var permissions: String
    var name: String
    var isOfFile: Bool { name.hasPrefix("/") }
    var isPrivateWritable: Bool {
      permissions.dropFirst().hasPrefix("w") && permissions.hasSuffix("p")
        && !["[vvar]", "[vdso]", "[vsyscall]", "[vvar_vclock]"].contains(name)
    }
  }

  /// The address space, in ascending order.
  static func mappings(_ pid: Int32) -> [Mapping] {
    guard let bytes = read("/proc/\(pid)/maps", limit: 64 << 20) else { return [] }
    var found: [Mapping] = []
    for line in bytes.split(separator: 10) {
      let fields = line.split(separator: 32, maxSplits: 5)
      guard fields.count >= 2 else { continue }
      let bounds = fields[0].split(separator: UInt8(ascii: "-"))
      guard bounds.count == 2, let start = UInt64(String(decoding: bounds[0], as: UTF8.self), radix: 16),
        let end = UInt64(String(decoding: bounds[1], as: UTF8.self), radix: 16), start < end
      else { continue }
      let name = fields.count > 5 ? String(decoding: fields[5].drop { $0 == 32 }, as: UTF8.self) : ""
      found.append(
        Mapping(start: start, end: end, permissions: String(decoding: fields[1], as: UTF8.self), name: name))
    }
    return found
  }

  /// Runs of pages of a mapping that are neither in memory nor empty: swapped out, or broken. At most `limit`;
  /// then the last one takes in what lies between.
  static func awayRuns(_ pid: Int32, _ mappings: [Mapping], limit: Int) -> [Range<UInt64>] {
    let descriptor = open("/proc/\(pid)/pagemap", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var runs: [Range<UInt64>] = []
    let chunk = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: 4096)
    defer { chunk.deallocate() }
    for mapping in mappings {
      var page = mapping.start / 4096
      while page < mapping.end / 4096 {
        let wanted = Int(min(4096, mapping.end / 4096 - page))
        let count = pread(descriptor, chunk.baseAddress, wanted * 8, off_t(truncatingIfNeeded: page &* 8)) / 8
        if count <= 0 { break }
        for offset in 0..<count where chunk[offset] >> 62 == 1 {  // swapped, not present
          let address = (page + UInt64(offset)) * 4096
          if let last = runs.last, last.upperBound == address || runs.count == limit && last.lowerBound >= mapping.start
          {
            runs[runs.count - 1] = last.lowerBound..<address + 4096
          } else if runs.count < limit {
            runs.append(address..<address + 4096)
          }
        }
        page += UInt64(count)
      }
    }
    return runs
  }

  /// Addresses of the pages of a mapping that are in memory, at most 65536 of them.
  static func presentPages(_ pid: Int32, _ mapping: Mapping) -> [UInt64] {
    let descriptor = open("/proc/\(pid)/pagemap", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var pages: [UInt64] = []
    var entries = [UInt64](repeating: 0, count: 512)
    var page = mapping.start / 4096
    while page < mapping.end / 4096, pages.count < 65536 {
      let wanted = Int(min(512, mapping.end / 4096 - page))
      let count = pread(descriptor, &entries, wanted * 8, off_t(truncatingIfNeeded: page &* 8)) / 8
      if count <= 0 { break }
      for offset in 0..<count where entries[offset] >> 63 == 1 { pages.append((page + UInt64(offset)) * 4096) }
      page += UInt64(count)
    }
    return pages
  }
}
