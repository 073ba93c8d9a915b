import Foundation
import Testing

@Suite("Call table")
struct CallTableTests {
  let table: CallTable

  init() throws {
    table = try CallTable.load()
    try #require(table.rows.count > 300)
  }

  /// A call that the table lacks is answered ENOSYS, so the platform's own list decides what must be there.
  @Test("Every system call of the platform's header has one row, under its number")
  func completeness() throws {
    let header = try String(contentsOfFile: "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", encoding: .utf8)
    let platform = header.matches(of: /(?m)^#define __NR_(\w+) (\d+)$/).map { (String($0.1), Int($0.2)!) }
    try #require(platform.count > 300)
    let rows = Dictionary(grouping: table.rows, by: \.name)
    for (name, number) in platform {
      let found = rows[name] ?? []
      #expect(found.count == 1, "\(name) has \(found.count) rows")
      #expect(found.allSatisfy { $0.number == number }, "\(name) is number \(number)")
    }
  }

  @Test("Every row can be read, and no name stands twice")
  func rowsAreReadable() {
    #expect(table.unreadable == [])
    let twice = Dictionary(grouping: table.rows, by: \.name).filter { $0.value.count > 1 }.keys
    #expect(twice.sorted() == [])
  }

  @Test("Rows stand in the order of their numbers")
  func order() {
    for (row, next) in zip(table.rows, table.rows.dropFirst()) {
      #expect(row.number < next.number, "\(next.name) stands after \(row.name)")
    }
  }

  @Test("Arity is the number of arguments that are not `_`, and these come last")
  func arity() {
    for row in table.rows {
      let real = row.arguments.prefix { $0.name != "_" }.count
      #expect(row.arity == real, "\(row.name)")
      #expect(row.arguments.dropFirst(real).allSatisfy { $0.name == "_" }, "\(row.name): a gap in the arguments")
    }
  }

  @Test("Rows use the words of the table's head, with as many numbers as these take")
  func vocabulary() {
    let classes: Set = ["LOCAL", "SHARED", "IDENTITY", "STRUCTURAL", "REFUSED"]
    let flags: Set = ["BLOCKS", "CLOSES", "RESTARTS", "CREDS"]
    let commits = [
      "NONE": 0, "REPEAT": 0, "COUNT_IN": 0, "COUNT_OUT": 0, "COUNT_RW": 0, "RECORD": 0, "POSITION": 0,
      "NEWFD": 0, "NEWFD2": 0, "CLOSED": 0, "STATE": 0, "CHILD": 0, "LOOK": 0, "GONE": 1, "MADE": 1,
    ]
    let words = [
      "_": 0, "INT": 0, "LONG": 0, "FD": 0, "PID": 0, "SKIP": 0, "STR": 0, "PATH": 0, "LENP": 0,
      "PEEK": 1, "IN": 1, "IN_ARG": 1, "IN_N": 2, "OUT": 1, "OUT_RET": 1, "OUT_ARG": 1, "OUT_RETN": 2,
      "INOUT": 1, "INOUT_N": 2, "OUT_LEN": 1, "IOV_IN": 1, "IOV_OUT": 1,
    ]
    for row in table.rows {
      #expect(classes.contains(row.callClass), "\(row.name)")
      #expect(row.flags.isSubset(of: flags), "\(row.name)")
      #expect(commits[row.commit.name] == row.commit.numbers.count, "\(row.name): \(row.commit)")
      for word in row.arguments {
        #expect(words[word.name] == word.numbers.count, "\(row.name): \(word)")
      }
    }
  }

  /// A length argument that is itself an address would size a copy by a pointer.
  @Test("Numbers that name another argument name one of the right kind")
  func references() {
    for row in table.rows {
      for (index, word) in row.arguments.enumerated() {
        let reference: Int
        switch word.name {
        case "IN_ARG", "OUT_RET", "OUT_ARG", "OUT_LEN", "IOV_IN", "IOV_OUT": reference = word.numbers[0]
        case "IN_N", "OUT_RETN", "INOUT_N": reference = word.numbers[1]
        default: continue
        }
        let kinds = word.name == "OUT_LEN" ? ["LENP"] : ["INT", "LONG"]
        guard row.arguments.indices.contains(reference) else {
          Issue.record("\(row.name): argument \(index) names argument \(reference)")
          continue
        }
        let target = row.arguments[reference]
        #expect(kinds.contains(target.name), "\(row.name): argument \(index) takes its length from \(target)")
      }
    }
  }

  @Test("Commit rules fit their rows")
  func commits() {
    for row in table.rows {
      switch row.callClass {
      case "LOCAL", "REFUSED": #expect(row.commit.name == "NONE", "\(row.name) has no slot")
      case "SHARED": #expect(row.commit.name != "NONE", "\(row.name) can be left half done")
      default: break
      }
      switch row.commit.name {
      case "GONE", "MADE":
        #expect(row.arguments[row.commit.numbers[0]].name == "PATH", "\(row.name)")
      case "NEWFD2":
        #expect(row.arguments.contains { $0.description == "OUT(8)" }, "\(row.name)")
      case "CLOSED":
        #expect(row.flags.contains("CLOSES"), "\(row.name)")
      case "POSITION", "COUNT_IN", "COUNT_OUT", "COUNT_RW":
        #expect(row.arguments[0].name == "FD", "\(row.name)")
      default: break
      }
      if row.flags.contains("RESTARTS") {
        #expect(row.flags.contains("BLOCKS"), "\(row.name): only what waits is restarted")
      }
    }
  }

  /// Sizes that the table states as numbers, against the platform's own structures.
  @Test("Sizes of structures are the platform's")
  func sizes() throws {
    let rows = Dictionary(table.rows.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    func expect(_ name: String, _ argument: Int, _ size: Int) throws {
      let row = try #require(rows[name])
      #expect(row.arguments[argument].numbers.first == size, "\(name): \(row.arguments[argument])")
    }
    try expect("stat", 1, MemoryLayout<stat>.size)
    try expect("newfstatat", 2, MemoryLayout<stat>.size)
    try expect("clock_gettime", 1, MemoryLayout<timespec>.size)
    try expect("gettimeofday", 0, MemoryLayout<timeval>.size)
    try expect("getrusage", 1, MemoryLayout<rusage>.size)
    try expect("getrlimit", 1, MemoryLayout<rlimit>.size)
    try expect("times", 0, MemoryLayout<tms>.size)
    try expect("uname", 0, MemoryLayout<utsname>.size)
    try expect("setitimer", 1, MemoryLayout<itimerval>.size)
    try expect("poll", 0, MemoryLayout<pollfd>.size)
    try expect("sendmsg", 1, MemoryLayout<msghdr>.size)
    try expect("waitid", 2, MemoryLayout<siginfo_t>.size)
    try expect("sigaltstack", 0, MemoryLayout<stack_t>.size)
    // Packed in C, or not imported.
    try expect("epoll_wait", 1, 12)
    try expect("statfs", 1, 120)
    try expect("statx", 4, 256)
    try expect("sysinfo", 0, 112)
  }

  @Test("Entries lead to calls of the table and pass no more than these take")
  func entries() throws {
    let rows = Dictionary(try CallTable.load().rows.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let entries = try Entry.load()
    #expect(Set(entries.map(\.symbol)).count == entries.count, "a symbol stands twice")
    for entry in entries {
      guard let row = rows[entry.call] else {
        Issue.record("\(entry.symbol): no call \(entry.call)")
        continue
      }
      #expect(entry.arguments <= row.arity, "\(entry.symbol) passes \(entry.arguments) to \(entry.call)")
    }
  }
}

@Suite("Functions of IN_FILE rows")
struct CallFunctionTests {
  private func source(_ file: String) -> String? {
    try? Repository.text("CShim/Preload/calls/\(file).c")
  }

  /// `long mfr_call_read(…)`, or a line such as `COLLAPSE(read)` that makes one.
  @Test("Each is in the file that its row names")
  func present() throws {
    let rows = try CallTable.load().rows
    var sources: [String: String?] = [:]
    for row in rows {
      guard let file = row.file else { continue }
      let text = sources[file] ?? source(file)
      sources[file] = text
      guard let text else {
        Issue.record("\(row.name): there is no CShim/Preload/calls/\(file).c")
        continue
      }
      let pattern = try Regex("(?m)\\bmfr_call_\(row.name)\\b|^[A-Z][A-Z0-9_]*\\(\(row.name)\\b")
      #expect(text.firstMatch(of: pattern) != nil, "mfr_call_\(row.name) is not in calls/\(file).c")
    }
  }

  @Test("None is left that no row leads to")
  func reachable() throws {
    let rows = Dictionary(try CallTable.load().rows.map { ($0.name, $0.file) }, uniquingKeysWith: { first, _ in first })
    let folder = Repository.root.appending(path: "CShim/Preload/calls")
    for url in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    where url.pathExtension == "c" {
      let file = url.deletingPathExtension().lastPathComponent
      for match in try String(contentsOf: url, encoding: .utf8).matches(of: /(?m)^long mfr_call_(\w+)\(/) {
        let name = String(match.1)
        #expect(rows[name] == .some(.some(file)), "mfr_call_\(name) in \(file).c has no row IN_FILE(\(file))")
      }
    }
  }
}
