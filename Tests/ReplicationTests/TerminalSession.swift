import CLinux
import Foundation
import Glibc
import MFRHarness

/// An interactive bash on a terminal of its own: types, waits for text, and keeps what it has shown.
final class TerminalSession {
  let shell: pid_t
  let directory: String
  private var terminal: Int32
  private var unread = ""
  /// All that was waited for, without the numbers that differ from run to run.
  private(set) var shown = ""
  static let prompt = "PROMPT>"

  init() throws {
    directory = try File.temporaryDirectory("mfr-terminal-")
    var name = [CChar](repeating: 0, count: 64)
    let master = linux_open_terminal(O_RDWR | O_NOCTTY | O_CLOEXEC, &name, name.count)
    guard master >= 0 else { throw MFRHarness.SystemError("a terminal") }
    terminal = master
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    // The leader of a new session that opens a terminal has it for its own.
    posix_spawn_file_actions_addopen(&actions, 0, name, O_RDWR, 0)
    posix_spawn_file_actions_adddup2(&actions, 0, 1)
    posix_spawn_file_actions_adddup2(&actions, 0, 2)
    let arguments = Self.strings(["bash", "--norc", "--noprofile", "--noediting", "-i"])
    let variables = Self.strings(["PATH=/usr/bin:/bin:/usr/sbin:/sbin", "PS1=\(Self.prompt)", "HOME=\(directory)"])
    defer { for text in arguments + variables { free(text) } }
    let newSession: Int32 = 0x80  // POSIX_SPAWN_SETSID
    shell = try spawnClean("bash", arguments, variables, &actions, newSession)
    try wait(for: Self.prompt)
    try command("cd \(directory); stty -echo")
    shown = ""
  }

  private static func strings(_ texts: [String]) -> [UnsafeMutablePointer<CChar>?] { texts.map { strdup($0) } + [nil] }

  deinit {
    kill(shell, SIGKILL)
    hangUp()
    var status: Int32 = 0
    waitpid(shell, &status, 0)
    File.removeTree(directory)
  }

  func type(_ text: String) throws { try File.writeAll(terminal, Array(text.utf8), what: "the terminal") }

  /// A command line, and all that is shown until the next prompt.
  func command(_ line: String) throws {
    try type(line + "\n")
    try wait(for: Self.prompt)
  }

  /// Waits until the terminal has shown `text`.
  func wait(for text: String, upTo limit: Duration = .seconds(20)) throws {
    let deadline = ContinuousClock.now + limit
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      if let range = unread.range(of: text) {
        let part = String(unread[..<range.upperBound])
        unread.removeSubrange(..<range.upperBound)
        shown += part.replacing(/(\[\d+\]) \d+/) { "\($0.1) PID" }
        return
      }
      guard ContinuousClock.now < deadline else {
        throw Failure("'\(text)' was not shown within \(limit), but '\(unread)' after '\(shown.suffix(300))'")
      }
      var readable = pollfd(fd: terminal, events: Int16(POLLIN), revents: 0)
      guard poll(&readable, 1, 100) > 0 else { continue }
      let count = read(terminal, &chunk, chunk.count)
      guard count > 0 else { throw Failure("the terminal is gone; it showed '\(unread)'") }
      unread += String(decoding: chunk[..<count], as: UTF8.self)
    }
  }

  func resize(rows: UInt16, columns: UInt16) {
    var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    _ = ioctl(terminal, UInt(TIOCSWINSZ), &size)
  }

  /// As when its window is closed.
  func hangUp() {
    if terminal >= 0 { close(terminal) }
    terminal = -1  // the number may be another's by now
  }

  /// What a file in the shell's directory says, as soon as it is there and ends with a newline.
  func contents(of file: String) throws -> String {
    var text = ""
    let there = MFRHarness.wait(upTo: .seconds(20)) {
      text = (try? File.text(directory + "/" + file)) ?? ""
      return text.hasSuffix("\n")
    }
    guard there else { throw Failure("no \(file)") }
    return text.trimmingCharacters(in: .newlines)
  }
}
