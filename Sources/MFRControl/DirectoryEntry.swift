import Glibc

/// Entries of `readdir`.
public enum DirectoryEntry {
  /// The name of an entry, valid until the next call for its directory.
  ///
  /// By address: a pointer that Swift makes to the field is one to a copy of all 256 bytes, of which the last entry in
  /// the buffer has fewer, and what follows may be no memory.
  public static func name(_ entry: UnsafeMutablePointer<dirent>) -> UnsafePointer<CChar> {
    let offset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 19
    return (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: CChar.self)
  }
}
