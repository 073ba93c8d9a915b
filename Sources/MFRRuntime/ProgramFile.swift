import CMFRABI
import Glibc

/// What is known of a program before it is started.
public struct ProgramFile: Sendable {
  /// Path to hand to `execve`.
  public var path: String
  /// Arguments that must come before the user's own, argv[0] included: one for a program, more for a
  /// text without `#!`, which the shell runs.
  public var leading: [String]
  /// Why it cannot be preloaded, or nil when it can.
  public var unprotected: String?

  /// Why a program cannot be started; `status` is what the shell's convention wants `mfr-run` to exit with.
  public struct Refusal: Error, CustomStringConvertible {
    public let status: Int32
    public let description: String
  }

  /// Looks for `name` as `execvp` does and reads the start of what it finds, through `#!` lines.
  public static func resolve(_ name: String, path: String?) throws(Refusal) -> ProgramFile {
    let found = try search(name, path: path)
    var file = ProgramFile(path: found, leading: [name], unprotected: nil)
    var reading = found
    for _ in 0..<5 {
      switch inspect(reading) {
      case .loadable: return file
      case .unprotected(let why):
        file.unprotected = reading == found ? "it \(why)" : "its interpreter \(reading) \(why)"
        return file
      case .unreadable(let code):
        file.unprotected = "\(reading) cannot be read (\(SystemError.text(code)))"
        return file
      case .script(let interpreter):
        if access(interpreter, X_OK) != 0 {
          let status: Int32 = errno == ENOENT ? 127 : 126
          throw Refusal(
            status: status,
            description:
              "\(name): interpreter \(interpreter): \(SystemError.text(errno)); check the #! line of \(reading)")
        }
        reading = interpreter
      case .text:
        if reading != found {
          throw Refusal(status: 126, description: "\(name): interpreter \(reading) is not a program")
        }
        file.path = "/bin/sh"
        file.leading = ["/bin/sh", found]
        reading = "/bin/sh"
      }
    }
    throw Refusal(status: 126, description: "\(name): too many interpreters, one started by the other")
  }

  private static func search(_ name: String, path: String?) throws(Refusal) -> String {
    if name.isEmpty { throw Refusal(status: 127, description: "'': no such program; give a name") }
    if name.utf8.contains(UInt8(ascii: "/")) {
      if let code = executableError(name) { throw refusal(name, code) }
      return name
    }
    var denied = false
    for folder in (path ?? "/bin:/usr/bin").split(separator: ":", omittingEmptySubsequences: false) {
      let candidate = folder.isEmpty ? name : "\(folder)/\(name)"
      switch executableError(candidate) {
      case nil: return candidate.contains("/") ? candidate : "./\(candidate)"
      case EACCES: denied = true
      default: continue
      }
    }
    if denied { throw refusal(name, EACCES) }
    throw Refusal(status: 127, description: "\(name): not found in PATH; give its path or correct PATH")
  }

  private static func refusal(_ name: String, _ code: Int32) -> Refusal {
    switch code {
    case ENOENT, ENOTDIR:
      Refusal(status: 127, description: "\(name): no such file; check the path")
    case EACCES:
      Refusal(status: 126, description: "\(name): permission denied; it must be a file that you may execute")
    default: Refusal(status: 126, description: "\(name): \(SystemError.text(code))")
    }
  }

  private static func executableError(_ path: String) -> Int32? {
    var status = stat()
    if stat(path, &status) != 0 { return errno }
    if status.st_mode & S_IFMT != S_IFREG { return EACCES }
    if faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0 { return errno }
    return nil
  }

  private enum Kind {
    case loadable
    case unprotected(String)
    case unreadable(Int32)
    case script(String)
    case text
  }

  private static func inspect(_ path: String) -> Kind {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { return .unreadable(errno) }
    defer { close(descriptor) }
    var head = [UInt8](repeating: 0, count: 4096)
    let count = pread(descriptor, &head, head.count, 0)
    if count < 0 { return .unreadable(errno) }
    head.removeLast(head.count - count)

    if head.starts(with: [0x23, 0x21]) { return interpreter(of: head) }
    guard head.starts(with: [0x7f, 0x45, 0x4c, 0x46]) else { return .text }
    guard head.count >= 64, head[4] == 2, number(head, at: 18, bytes: 2) == 62 else {
      return .unprotected("is not a program for x86-64")
    }
    if let why = privileged(path) { return .unprotected(why) }

    let offset = number(head, at: 32, bytes: 8)
    let size = number(head, at: 54, bytes: 2)
    let entries = number(head, at: 56, bytes: 2)
    for entry in 0..<min(entries, 128) {
      var bytes = [UInt8](repeating: 0, count: 4)
      guard pread(descriptor, &bytes, 4, off_t(truncatingIfNeeded: offset &+ entry &* size)) == 4 else { break }
      if number(bytes, at: 0, bytes: 4) == 3 { return .loadable }  // PT_INTERP
    }
    return .unprotected("is statically linked")
  }

  private static func interpreter(of head: [UInt8]) -> Kind {
    let line = head.dropFirst(2).prefix(254).prefix { $0 != 10 }
    let word = line.drop { $0 == 32 || $0 == 9 }.prefix { $0 != 32 && $0 != 9 && $0 != 0 }
    return word.isEmpty ? .text : .script(String(decoding: word, as: UTF8.self))
  }

  /// The loader ignores LD_PRELOAD in a program that gains rights by being started.
  private static func privileged(_ path: String) -> String? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    if status.st_mode & S_ISUID != 0, status.st_uid != getuid() { return "is set-user-ID" }
    if status.st_mode & S_ISGID != 0, status.st_mode & S_IXGRP != 0, status.st_gid != getgid() {
      return "is set-group-ID"
    }
    if getuid() != 0, mfr_host_has_file_caps(path) != 0 { return "has file capabilities" }
    return nil
  }

  private static func number(_ bytes: [UInt8], at offset: Int, bytes width: Int) -> UInt64 {
    var value: UInt64 = 0
    for index in (0..<width).reversed() { value = value << 8 | UInt64(bytes[offset + index]) }
    return value
  }
}
