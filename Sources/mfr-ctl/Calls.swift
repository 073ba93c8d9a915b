import ArgumentParser
import CMFRABI
import Glibc
import MFRControl

struct Calls: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prints what MFR does with each system call.")
  @Flag(help: "Print the table of docs/calls.md.") var markdown = false
  @Option(help: "Name also the guest programs in this folder that make the call.") var tests: String?

  func run() throws {
    var titles = ["nr", "call", "class", "arguments", "commit rule", "flags", "file"]
    let guests = try tests.map(GuestSources.init(folder:))
    if guests != nil { titles.append("tests") }
    var table = Table(titles, right: [0])
    var lines = [
      "# System calls", "",
      "Made from `CShim/ABI/include/mfr_calls.def` by `mfr-ctl calls --markdown --tests Tests/Guests`. That file",
      "explains the words; *tests* names guest programs that make the call, at most three, as their text shows.", "",
      "| " + titles.joined(separator: " | ") + " |", "|" + String(repeating: "---|", count: titles.count),
    ]
    let first = mfr_call_rows_first()
    for offset in 0..<Int(mfr_call_row_count) {
      var cells = cells(of: first[offset])
      if let guests { cells.append(guests.names(making: cells[1])) }
      table.add(cells)
      lines.append("| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |")
    }
    print(markdown ? lines.joined(separator: "\n") : table.text)
  }

  private func cells(of row: mfr_call_row) -> [String] {
    func text(_ pointer: UnsafePointer<CChar>) -> String { String(cString: pointer) }
    let arguments = [row.args.0, row.args.1, row.args.2, row.args.3, row.args.4, row.args.5]
    let patterns = arguments.prefix(Int(min(row.arity, 6))).map(text).joined(separator: ", ")
    let flags = text(row.flags)
    let place = text(row.where)
    let file = place.hasPrefix("IN_FILE(") ? "calls/" + place.dropFirst(8).dropLast() + ".c" : "generic"
    return [
      String(row.number), text(row.name), text(row.call_class).lowercased(), patterns.isEmpty ? "-" : patterns,
      text(row.commit).lowercased(), flags == "0" ? "-" : flags.lowercased(), file,
    ]
  }
}

/// The guest programs of the tests, by the calls that their text names.
private struct GuestSources {
  /// Names followed by `(`, and those behind `SYS_`, in each guest.
  private let words: [(guest: String, calls: Set<Substring>)]

  /// libc's functions that make a call of another name.
  private static let functions: [String: [Substring]] = [
    "newfstatat": ["stat", "lstat", "fstatat"], "pread64": ["pread"], "pwrite64": ["pwrite"], "openat": ["open"],
    "sendto": ["send"], "recvfrom": ["recv"], "wait4": ["waitpid", "wait"], "prlimit64": ["getrlimit", "setrlimit"],
    "rt_sigaction": ["sigaction", "signal"], "rt_sigprocmask": ["sigprocmask"], "rt_sigsuspend": ["sigsuspend"],
    "rt_sigtimedwait": ["sigtimedwait", "sigwaitinfo", "sigwait"], "rt_sigqueueinfo": ["sigqueue"],
    "rt_sigpending": ["sigpending"], "tgkill": ["raise", "abort"], "getdents64": ["readdir", "scandir"],
    "execve": ["execv", "execvp", "execl", "execlp", "execle"], "exit_group": ["exit", "_exit"],
    "pselect6": ["pselect", "select"], "eventfd2": ["eventfd"],
    "inotify_init1": ["inotify_init"], "signalfd4": ["signalfd"], "clone": ["fork", "pthread_create"],
    "vfork": ["posix_spawn"], "fadvise64": ["posix_fadvise"],
    "epoll_create1": ["epoll_create"], "clock_nanosleep": ["nanosleep", "usleep", "sleep"],
  ]

  init(folder: String) throws {
    guard let entries = opendir(folder) else { throw Failure("\(folder): \(String(cString: strerror(errno)))") }
    defer { closedir(entries) }
    var names: [String] = []
    while let entry = readdir(entries) {
      let name = String(cString: DirectoryEntry.name(entry))
      if name.hasSuffix(".c") { names.append(name) }
    }
    words = try names.sorted().map { name in
      let text = try Self.text("\(folder)/\(name)")
      let calls = text.matches(of: /(\w+)\(|\b(?:SYS|__NR)_(\w+)/).compactMap { $0.1 ?? $0.2 }
      return (String(name.dropLast(2)), Set(calls))
    }
  }

  private static func text(_ path: String) throws -> String {
    guard let file = fopen(path, "r") else { throw Failure("\(path): \(String(cString: strerror(errno)))") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// At most three.
  func names(making call: String) -> String {
    let wanted = Set([Substring(call)] + (Self.functions[call] ?? []))
    let guests = words.filter { !$0.calls.isDisjoint(with: wanted) }.map(\.guest)
    return guests.isEmpty ? "-" : guests.prefix(3).joined(separator: ", ")
  }
}
