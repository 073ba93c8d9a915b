import Glibc
import MFRControl

extension SetStatus.Replica {
  public var isInStep: Bool { role != "joining" && unshared }
}

extension SetStatus {
  public var leader: Replica? { replicas.first { $0.role == "leader" } }
  /// All replicas that the level asks for are there and in step.
  public var isWhole: Bool {
    (state == "protected" || level == 0) && replicas.count == level + 1 && replicas.allSatisfy(\.isInStep)
  }

  public var line: String {
    let parts = replicas.map { "\($0.pid) \($0.role)\($0.isInStep ? "" : " (not in step)")" }
    return "\(state), level \(level)\(reason.isEmpty ? "" : ": \(reason)"); \(parts.joined(separator: ", "))"
  }
}

/// The tools of MFR as this build has them.
public enum Tools {
  /// `$MFR_BIN/name`, or the file beside the running program.
  public static func path(_ name: String) throws -> String {
    if let chosen = getenv("MFR_BIN").map({ String(cString: $0) }), !chosen.isEmpty {
      let path = chosen + "/" + name
      guard File.isExecutable(path) else { throw Failure("\(path) is not there ($MFR_BIN)") }
      return path
    }
    let path =
      try own().split(separator: "/", omittingEmptySubsequences: false).dropLast()
      .joined(separator: "/") + "/" + name
    guard File.isExecutable(path) else { throw Failure("\(path) is not there: build it, or set MFR_BIN") }
    return path
  }

  /// The file of the running program.
  public static func own() throws -> String {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let n = try buffer.withUnsafeMutableBytes { bytes in
      let text = bytes.bindMemory(to: CChar.self)
      return try call("readlink /proc/self/exe") { text.baseAddress.map { readlink("/proc/self/exe", $0, 4095) } ?? -1 }
    }
    return String(decoding: buffer[..<n], as: UTF8.self)
  }

  /// The first of this name in `first`, in `$PATH`, or in the directories of system programs.
  public static func program(_ name: String, in first: [String] = []) throws -> String {
    let path = getenv("PATH").map { String(cString: $0) } ?? ""
    for directory in first + path.split(separator: ":").map(String.init) + ["/usr/local/sbin", "/usr/sbin", "/sbin"] {
      if File.isExecutable(directory + "/" + name) { return directory + "/" + name }
    }
    throw Failure("\(name) is not installed; Scripts/setup installs it")
  }
}
