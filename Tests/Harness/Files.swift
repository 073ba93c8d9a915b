import Glibc
import MFRControl

/// A failed system call: what was tried, and why it failed.
public struct SystemError: Error, CustomStringConvertible {
  public let what: String
  public let number: Int32

  public init(_ what: String, _ number: Int32 = errno) {
    self.what = what
    self.number = number
  }
  public var description: String { "\(what): \(String(cString: strerror(number)))" }
}

/// What a tool says before it gives up.
public struct Failure: Error, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// The one funnel from errno to Swift errors; repeats what a signal interrupted.
@discardableResult
public func call(_ what: @autoclosure () -> String, _ body: () -> Int) throws -> Int {
  while true {
    let result = body()
    if result >= 0 { return result }
    if errno != EINTR { throw SystemError(what()) }
  }
}

@discardableResult
public func call(_ what: @autoclosure () -> String, _ body: () -> Int32) throws -> Int32 {
  Int32(try call(what()) { Int(body()) })
}

public enum File {
  public static func read(_ path: String) throws -> [UInt8] {
    let fd = try call("open \(path)") { open(path, O_RDONLY | O_CLOEXEC) }
    defer { close(fd) }
    return try readAll(fd, what: path)
  }

  public static func readAll(_ fd: Int32, what: String) throws -> [UInt8] {
    var all: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
      let n = try chunk.withUnsafeMutableBytes { bytes in
        try call("read \(what)") { Glibc.read(fd, bytes.baseAddress, bytes.count) }
      }
      if n == 0 { return all }
      all += chunk[..<n]
    }
  }

  public static func text(_ path: String) throws -> String {
    String(decoding: try read(path), as: UTF8.self)
  }

  public static func write(_ path: String, _ bytes: [UInt8]) throws {
    let fd = try call("create \(path)") { open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644) }
    defer { close(fd) }
    try writeAll(fd, bytes, what: path)
  }

  public static func write(_ path: String, _ text: String) throws { try write(path, Array(text.utf8)) }

  public static func append(_ path: String, _ text: String) throws {
    let fd = try call("open \(path)") { open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644) }
    defer { close(fd) }
    try writeAll(fd, Array(text.utf8), what: path)
  }

  public static func writeAll(_ fd: Int32, _ bytes: [UInt8], what: String) throws {
    var done = 0
    while done < bytes.count {
      done += try bytes.withUnsafeBytes { all in
        try call("write \(what)") { Glibc.write(fd, all.baseAddress.map { $0 + done }, bytes.count - done) }
      }
    }
  }

  public static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
  public static func isExecutable(_ path: String) -> Bool { access(path, X_OK) == 0 }

  public static func makeDirectory(_ path: String) throws {
    if mkdir(path, 0o755) != 0 && errno != EEXIST { throw SystemError("mkdir \(path)") }
  }

  /// A new private directory `/tmp/<prefix>XXXXXX` (or below `$TMPDIR`).
  public static func temporaryDirectory(_ prefix: String) throws -> String {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(base)/\(prefix)XXXXXX".utf8CString)
    return try template.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress, mkdtemp(start) != nil else {
        throw SystemError("mkdtemp \(base)/\(prefix)")
      }
      return String(cString: start)
    }
  }

  /// The names in a directory, without `.` and `..`; none if it cannot be read.
  public static func names(in path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = String(cString: DirectoryEntry.name(entry))
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Removes a directory and everything in it; links are not followed.
  public static func removeTree(_ path: String) {
    var info = stat()
    guard lstat(path, &info) == 0 else { return }
    guard info.st_mode & S_IFMT == S_IFDIR else {
      unlink(path)
      return
    }
    for name in names(in: path) { removeTree(path + "/" + name) }
    rmdir(path)
  }
}

/// Prints a line on standard output, or the given descriptor, at once.
public func say(_ line: String, to fd: Int32 = 1) {
  try? File.writeAll(fd, Array((line + "\n").utf8), what: "output")
}
public func complain(_ line: String) { say(line, to: 2) }
