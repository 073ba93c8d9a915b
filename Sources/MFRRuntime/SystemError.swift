import Glibc

/// A failed system call: its name, and the error number that it gave.
public struct SystemError: Error, CustomStringConvertible {
  public let call: String
  public let code: Int32

  public init(_ call: String, _ code: Int32) {
    self.call = call
    self.code = code
  }

  public var description: String { "\(call): \(SystemError.text(code))" }

  /// What the C library says for an error number.
  public static func text(_ code: Int32) -> String {
    guard let text = strerror(code) else { return "error \(code)" }
    return String(cString: text)
  }

  /// The result of an `mfr_host_*` function, which is `-errno` on failure.
  @discardableResult
  public static func check(_ call: String, _ result: Int32) throws(SystemError) -> Int32 {
    if result < 0 { throw SystemError(call, -result) }
    return result
  }

  /// The result of a libc function, which is -1 on failure; repeats it when a signal interrupted it.
  @discardableResult
  public static func retry(_ call: String, _ body: () -> Int) throws(SystemError) -> Int {
    while true {
      let result = body()
      if result >= 0 { return result }
      if errno != EINTR { throw SystemError(call, errno) }
    }
  }
}
