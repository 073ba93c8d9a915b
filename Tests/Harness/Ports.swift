import Glibc

public enum Port {
  /// A port of 127.0.0.1 on which nobody listens now.
  public static func free() throws -> UInt16 {
    let fd = try call("socket") { socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0) }
    defer { close(fd) }
    return try listenOn(fd, port: 0, backlog: nil)
  }

  /// A socket that listens on 127.0.0.1 and its port.
  public static func listener() throws -> (fd: Int32, port: UInt16) {
    let fd = try call("socket") { socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0) }
    return (fd, try listenOn(fd, port: 0, backlog: 16))
  }

  /// A socket that listens on a path.
  public static func listener(path: String) throws -> Int32 {
    let fd = try unixSocket(path) { bind($0, $1, $2) }
    try call("listen") { listen(fd, 16) }
    return fd
  }

  /// A connection to a socket at a path.
  public static func connect(path: String) throws -> Int32 { try unixSocket(path) { Glibc.connect($0, $1, $2) } }

  private static func unixSocket(
    _ path: String, _ use: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) throws -> Int32 {
    let fd = try call("socket") { socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    do {
      guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else {
        throw Failure("\(path): too long for a socket")
      }
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
      try call("socket \(path)") {
        withUnsafePointer(to: &address) {
          $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            use(fd, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
          }
        }
      }
      return fd
    } catch {
      close(fd)
      throw error
    }
  }

  /// A connection to a port of 127.0.0.1.
  public static func connect(to port: UInt16) throws -> Int32 {
    let fd = try call("socket") { socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0) }
    var address = loopback(port)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else {
      let error = SystemError("connect to port \(port)")
      close(fd)
      throw error
    }
    return fd
  }

  /// Does somebody take connections on this port?
  public static func isOpen(_ port: UInt16) -> Bool {
    guard let fd = try? connect(to: port) else { return false }
    close(fd)
    return true
  }

  private static func loopback(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return address
  }

  private static func listenOn(_ fd: Int32, port: UInt16, backlog: Int32?) throws -> UInt16 {
    var address = loopback(port)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    try call("bind") {
      withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(fd, $0, size) }
      }
    }
    if let backlog { try call("listen") { listen(fd, backlog) } }
    try call("getsockname") {
      withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(fd, $0, &size) }
      }
    }
    return UInt16(bigEndian: address.sin_port)
  }
}
