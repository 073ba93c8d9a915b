import Glibc

/// The folder in which each coordinator has its control socket, `<anchor pid>.sock`.
public enum RuntimeDirectory {
  /// It cannot be used; `description` says why and what to do.
  public struct Unusable: Error, CustomStringConvertible {
    public let description: String
  }

  public static var path: String {
    if let named = getenv("MFR_RUNTIME_DIR"), named.pointee != 0 { return String(cString: named) }
    if let session = getenv("XDG_RUNTIME_DIR"), session.pointee != 0 { return String(cString: session) + "/mfr" }
    return "/tmp/mfr-\(getuid())"
  }

  /// Makes it if need be, and checks that nobody else can put anything into it.
  public static func prepare(_ path: String) throws(Unusable) {
    if mkdir(path, 0o700) != 0, errno != EEXIST {
      throw Unusable(description: "cannot make \(path): \(String(cString: strerror(errno))); set MFR_RUNTIME_DIR")
    }
    try check(path)
  }

  public static func check(_ path: String) throws(Unusable) {
    var status = stat()
    guard lstat(path, &status) == 0 else {
      throw Unusable(description: "\(path): \(String(cString: strerror(errno)))")
    }
    guard status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(), status.st_mode & 0o077 == 0 else {
      throw Unusable(
        description: "\(path) must be a folder of yours with mode 0700; remove it or set MFR_RUNTIME_DIR")
    }
  }

  public static func socket(in path: String, anchor: Int32) -> String { "\(path)/\(anchor).sock" }

  /// Removes what a coordinator that was killed has left there; also a socket that was only about to get its name.
  public static func remove(in path: String, anchor: Int32) {
    unlink(socket(in: path, anchor: anchor))
    unlink(socket(in: path, anchor: anchor) + unfinished)
  }

  /// As mfr_host_listen names it first.
  private static let unfinished = ".new"

  /// Anchors that have a socket there, in ascending order.
  public static func anchors(in path: String) -> [Int32] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var found: Set<Int32> = []
    while let entry = readdir(folder) {
      var name = String(cString: DirectoryEntry.name(entry))[...]
      if name.hasSuffix(unfinished) { name = name.dropLast(unfinished.count) }
      if name.hasSuffix(".sock"), let pid = Int32(name.dropLast(5)) { found.insert(pid) }
    }
    return found.sorted()
  }
}
