import ArgumentParser
import Glibc
import MFRHarness

/// A conversation whose answers are known in full beforehand: redis and memcached with keys of the
/// connection's own. `write` appends requests and, byte for byte, the answers that must come.
final class ScriptTalk: Conversation {
  typealias Writer = (_ requests: inout ByteQueue, _ answers: inout ByteQueue) -> Int

  private let write: Writer
  private let again: () -> Void
  private var expected = ByteQueue()
  private var count = 0

  init(restart: @escaping () -> Void, write: @escaping Writer) {
    self.write = write
    again = restart
  }

  func ask(_ out: inout ByteQueue) -> Int {
    expected.clear()
    count = write(&out, &expected)
    return count
  }

  func restart() { again() }

  func hear(_ bytes: UnsafeRawBufferPointer) -> Step {
    let wanted = expected.unsent
    let length = min(bytes.count, wanted.count)
    if length > 0, let a = bytes.baseAddress, let b = wanted.baseAddress, memcmp(a, b, length) != 0 {
      return .failed(.wrong, "'\(Self.shown(bytes))' came, not '\(Self.shown(wanted))'")
    }
    expected.markSent(length)
    if bytes.count > length { return .failed(.doubled, "\(bytes.count - length) bytes after the last answer") }
    return expected.isEmpty ? .answered(count) : .more
  }

  private static func shown(_ bytes: UnsafeRawBufferPointer) -> String {
    String(decoding: bytes.prefix(60), as: UTF8.self).split(whereSeparator: \.isNewline).joined(separator: "|")
  }
}
