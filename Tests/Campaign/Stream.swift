import Glibc
import MFRControl
import MFRHarness

/// The numbered stream of `guests/stream.h`: 32768 records of 32 bytes, again and again.
struct Stream {
  static let blockSize = 32 * 32768
  /// Two blocks, so that a piece of up to one block is in one place. Lives as long as the process.
  private let bytes: UnsafeMutableRawBufferPointer

  init() {
    bytes = .allocate(byteCount: 2 * Self.blockSize, alignment: 64)
    var at = 0
    for _ in 0..<2 {
      for number in 0..<32768 {
        for byte in Self.record(number) {
          bytes[at] = byte
          at += 1
        }
      }
    }
  }

  private static func record(_ number: Int) -> [UInt8] {
    let digits = String(number)
    var out = Array((String(repeating: "0", count: 10 - digits.count) + digits + " ").utf8)
    var random = SplitMix(seed: UInt64(number))
    var sum = random.next()
    let hex = Array("0123456789abcdef".utf8)
    for _ in 0..<16 {
      out.append(hex[Int(sum & 15)])
      sum >>= 4
    }
    return out + Array("....\n".utf8)
  }

  /// nil if `piece` is what follows at `offset`; else what is wrong, in words.
  func fault(in piece: UnsafeRawBufferPointer, at offset: UInt64) -> String? {
    guard let got = piece.baseAddress, let base = bytes.baseAddress else { return nil }
    var done = 0
    while done < piece.count {
      let phase = Int((offset + UInt64(done)) % UInt64(Self.blockSize))
      let count = min(Self.blockSize, piece.count - done)
      if memcmp(got + done, base + phase, count) != 0 {
        let first = (0..<count).first { piece[done + $0] != bytes[phase + $0] } ?? 0
        let came = String(decoding: piece[(done + first)..<min(piece.count, done + first + 48)], as: UTF8.self)
        return explain(came, at: offset + UInt64(done + first), phase: phase + first)
      }
      done += count
    }
    return nil
  }

  /// A part of the stream from `offset`, at most to the end of the block.
  func part(at offset: UInt64, atMost limit: Int) -> UnsafeRawBufferPointer {
    let phase = Int(offset % UInt64(Self.blockSize))
    return UnsafeRawBufferPointer(rebasing: bytes[phase..<phase + min(limit, Self.blockSize)])
  }

  /// Where in the block do the bytes belong that came? Tells a gap from a repeat.
  private func explain(_ came: String, at offset: UInt64, phase: Int) -> String {
    let needle = Array(came.utf8)
    let wanted = phase % Self.blockSize
    var verdict = "bytes of no record"
    if needle.count >= 40 {
      for start in 0..<Self.blockSize where bytes[start] == needle[0] {
        guard (0..<40).allSatisfy({ bytes[start + $0] == needle[$0] }) else { continue }
        let ahead = (start - wanted + Self.blockSize) % Self.blockSize
        verdict = ahead < Self.blockSize / 2 ? "a gap of \(ahead) bytes" : "a repeat of \(Self.blockSize - ahead) bytes"
        break
      }
    }
    return "at byte \(offset): \(verdict) ('\(came.split(whereSeparator: \.isNewline).joined(separator: "|"))')"
  }
}
