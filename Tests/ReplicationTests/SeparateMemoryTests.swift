import Foundation
import Glibc
import MFRHarness
import Testing

/// What `/proc/PID/pagemap` says of the pages of private writable mappings.
enum PageFrames {
  private static let pageSize = UInt64(sysconf(Int32(_SC_PAGESIZE)))

  /// False without CAP_SYS_ADMIN: then all frame numbers read as 0.
  static let areVisible: Bool = zeroPage != 0

  /// Frame of the page of zeros that stands for anonymous memory which was read and never written.
  private static let zeroPage: UInt64 = {
    guard let page = mmap(nil, Int(pageSize), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), page != MAP_FAILED,
      page.load(as: UInt8.self) == 0
    else { return 0 }
    defer { munmap(page, Int(pageSize)) }
    let address = UInt64(UInt(bitPattern: page))
    return (try? entries(getpid(), address..<address + pageSize).first).map(frame(of:)) ?? 0
  }()

  private static func frame(of entry: UInt64) -> UInt64 { entry >> 63 == 1 ? entry & (1 << 55 - 1) : 0 }

  private static func entries(_ pid: pid_t, _ range: Range<UInt64>) throws -> [UInt64] {
    let file = open("/proc/\(pid)/pagemap", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw MFRHarness.SystemError("open /proc/\(pid)/pagemap") }
    defer { close(file) }
    var entries = [UInt64](repeating: 0, count: Int((range.upperBound - range.lowerBound) / pageSize))
    let read = entries.withUnsafeMutableBytes {
      pread(file, $0.baseAddress, $0.count, off_t(range.lowerBound / pageSize * 8))
    }
    return Array(entries[..<max(0, read / 8)])
  }

  /// Frame of each present page, by address.
  static func of(_ pid: pid_t) throws -> [UInt64: UInt64] {
    var frames: [UInt64: UInt64] = [:]
    for line in try File.text("/proc/\(pid)/maps").split(separator: "\n") {
      let fields = line.split(separator: " ")
      let bounds = fields[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
      // [vsyscall] and the like are the kernel's.
      guard bounds.count == 2, fields[1].dropFirst().hasPrefix("w"), fields[1].hasSuffix("p") else { continue }
      for (offset, entry) in try entries(pid, bounds[0]..<bounds[1]).enumerated() {
        let number = frame(of: entry)
        if number != 0, number != zeroPage { frames[bounds[0] + UInt64(offset) * pageSize] = number }
      }
    }
    return frames
  }

  /// Pages that two of the processes have in one frame, as text. A frame that one has given back while we read and
  /// another got is no such page: what is shared is seen twice.
  static func shared(between pids: [pid_t]) throws -> (pages: Int, shared: Set<String>) {
    let (pages, first) = try look(pids)
    return (pages, first.isEmpty ? [] : first.intersection(try look(pids).shared))
  }

  private static func look(_ pids: [pid_t]) throws -> (pages: Int, shared: Set<String>) {
    var owner: [UInt64: (pid: pid_t, address: UInt64)] = [:]
    var shared: Set<String> = []
    var pages = 0
    for pid in pids {
      for (address, frame) in try of(pid) {
        pages += 1
        if let other = owner[frame], other.pid != pid {
          shared.insert(
            "0x\(String(address, radix: 16)) of \(pid) = 0x\(String(other.address, radix: 16)) of \(other.pid)")
        } else {
          owner[frame] = (pid, address)
        }
      }
    }
    return (pages, shared)
  }
}

@Suite(
  "Separate memory", .serialized,
  .enabled(if: PageFrames.areVisible, "page frame numbers read as 0: this needs CAP_SYS_ADMIN"))
struct SeparateMemoryTests {
  /// The same in an interpreter, whose memory is less orderly.
  static let python = [
    Tool.find("python3") ?? "python3", "-c",
    """
    import time
    kept = []
    n = 0
    while True:
        print(n, flush=True)
        kept.append(bytearray(n % 50 * 1000))
        if len(kept) > 100: kept.clear()
        n += 1
        time.sleep(0.005)
    """,
  ]

  @Test(
    "No present private writable page has one frame in two replicas, also after losses",
    arguments: ["counter", "large", "python3", "mapped files"])
  func separate(program: String) async throws {
    let programs = ["python3": Self.python, "mapped files": MappedFileTests.python]
    let guest = try await LiveGuest(level: 2, program: programs[program], megabytes: program == "large" ? 64 : nil)
    try expectSeparate(guest, "after the start")
    try guest.kill(replica: try guest.replicas()[0])
    try expectSeparate(guest, "after the loss of the leader")
    try guest.kill(replica: try guest.replicas()[2])
    try expectSeparate(guest, "after the loss of a follower")
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test(
    "A large guest's memory becomes huge pages, in all replicas and after losses, so that it is quick to clone",
    .enabled(if: File.exists("/sys/kernel/mm/transparent_hugepage/enabled"), "this kernel has no huge pages"))
  func folded() async throws {
    let guest = try await LiveGuest(level: 2, megabytes: 64)
    for _ in 0..<2 {
      for pid in try guest.replicas() {
        let folded = wait(upTo: .seconds(60)) { Self.hugeKilobytes(pid) >= 60 << 10 }
        #expect(folded, "\(Self.hugeKilobytes(pid)) kB of \(pid) are huge pages")
      }
      try guest.kill(replica: try guest.replicas()[0])
    }
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  private static func hugeKilobytes(_ pid: pid_t) -> Int {
    let lines = (try? File.text("/proc/\(pid)/smaps_rollup"))?.split(separator: "\n") ?? []
    let line = lines.first { $0.hasPrefix("AnonHugePages:") }
    return line.flatMap { Int($0.split(separator: " ")[1]) } ?? 0
  }

  @Test("Pages that a fork has left in common are seen")
  func control() throws {
    let parent = try Child([try #require(Tool.find("python3")), "-c", "import os, time; os.fork(); time.sleep(60)"])
    defer { parent.stop(SIGKILL) }
    var child: pid_t?
    _ = wait(upTo: .seconds(10)) {
      child = (try? File.text("/proc/\(parent.pid)/task/\(parent.pid)/children")).flatMap {
        $0.split(separator: " ").first.flatMap { pid_t($0) }
      }
      return child != nil
    }
    let pids = [parent.pid, try #require(child)]
    defer { kill(pids[1], SIGKILL) }
    #expect(try PageFrames.shared(between: pids).shared.count > 100)
  }

  private func expectSeparate(_ guest: LiveGuest, _ when: String) throws {
    let replicas = try guest.replicas()
    #expect(replicas.count == 3)
    let (pages, shared) = try PageFrames.shared(between: replicas)
    #expect(pages > 3 * 100, "\(when): only \(pages) pages were present")
    #expect(shared.isEmpty, "\(when): \(shared.count) of \(pages) pages: \(shared.sorted().prefix(5))")
  }
}
