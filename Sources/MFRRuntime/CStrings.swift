import Glibc

/// A NULL-terminated array of C strings, as `execve` wants it. It is never freed: an argument list lives as long as
/// the process that starts something with it.
public final class CStrings: @unchecked Sendable {
  public private(set) var pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private var count = 0
  private var capacity = 16

  public init(_ strings: [String]) {
    pointers = .allocate(capacity: capacity)
    pointers[0] = nil
    for string in strings { append(string) }
  }

  public func append(_ string: String) {
    if let copy = strdup(string) { append(copy) }
  }

  /// Takes the pointer as it is; it must stay valid.
  public func append(_ pointer: UnsafeMutablePointer<CChar>) {
    if count + 1 == capacity {
      let larger = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: capacity * 2)
      larger.update(from: pointers, count: count)
      pointers.deallocate()
      pointers = larger
      capacity *= 2
    }
    pointers[count] = pointer
    count += 1
    pointers[count] = nil
  }
}
