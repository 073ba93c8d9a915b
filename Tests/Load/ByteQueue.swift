import Glibc

/// Bytes that wait to be sent. Its memory is kept, so a request costs no allocation.
struct ByteQueue: ~Copyable {
  private var start: UnsafeMutableRawPointer
  private var capacity: Int
  private var sent = 0
  private var end = 0

  init(capacity: Int = 4096) {
    start = .allocate(byteCount: capacity, alignment: 16)
    self.capacity = capacity
  }
  deinit { start.deallocate() }

  var isEmpty: Bool { sent == end }
  var unsent: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start + sent, count: end - sent) }
  /// All that was put in since the last `clear`.
  var all: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: end) }

  mutating func markSent(_ count: Int) { sent += count }
  mutating func clear() {
    sent = 0
    end = 0
  }

  @inline(__always)
  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    reserve(bytes.count)
    if let from = bytes.baseAddress { memcpy(start + end, from, bytes.count) }
    end += bytes.count
  }

  @inline(__always)
  mutating func append(_ text: StaticString) {
    append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// A number in decimal digits.
  mutating func append(decimal value: UInt64) {
    reserve(20)
    var digits = 1
    var rest = value
    while rest >= 10 {
      rest /= 10
      digits += 1
    }
    rest = value
    var at = end + digits
    end = at
    repeat {
      at -= 1
      start.storeBytes(of: UInt8(ascii: "0") + UInt8(rest % 10), toByteOffset: at, as: UInt8.self)
      rest /= 10
    } while rest > 0
  }

  private mutating func reserve(_ count: Int) {
    guard end + count > capacity else { return }
    let larger = max(capacity * 2, end + count)
    let fresh = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
    memcpy(fresh, start, end)
    start.deallocate()
    start = fresh
    capacity = larger
  }
}
