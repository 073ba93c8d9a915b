import Glibc

/// Where the library lies that is preloaded into every replica.
public enum ShimFile {
  /// Path of `libmfrshim.so`: of the build that this tool belongs to, else beside the tool, else where it
  /// is installed. nil when there is none, or when the loader could not take the path.
  public static func locate(tool: String) -> String? {
    if let named = getenv("MFR_SHIM") { return usable(String(cString: named)) }
    let folder = String(tool.prefix(upTo: tool.lastIndex(of: "/") ?? tool.startIndex))
    let built = ShimLocation.built
    var candidates = ["\(folder)/libmfrshim.so", "\(folder)/../lib/mfr/libmfrshim.so"]
    if let root = built.range(of: "/plugins/outputs/"), tool.hasPrefix(built[..<root.lowerBound]) {
      candidates.insert(built, at: 0)
    }
    for candidate in candidates { if let found = usable(candidate) { return found } }
    return nil
  }

  /// LD_PRELOAD separates its entries by spaces and colons, and knows no quoting.
  private static func usable(_ path: String) -> String? {
    guard access(path, R_OK) == 0, !path.contains(where: { $0 == " " || $0 == ":" || $0 == "\n" }) else {
      return nil
    }
    return path
  }

  /// Absolute path of the running executable.
  public static func toolPath() -> String {
    var buffer = [CChar](repeating: 0, count: 4097)
    let count = readlink("/proc/self/exe", &buffer, 4096)
    guard count > 0 else { return "/proc/self/exe" }
    return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

extension String {
  /// First place where `other` occurs (Foundation's method of this name is not linked in).
  fileprivate func range(of other: String) -> Range<String.Index>? {
    var start = startIndex
    while start < endIndex {
      if self[start...].hasPrefix(other) { return start..<index(start, offsetBy: other.count) }
      start = index(after: start)
    }
    return nil
  }
}
