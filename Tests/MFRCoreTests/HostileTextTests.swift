import MFRControl
import MFRCore
import Testing

/// Bytes that were made by chance, or are nearly right.
@Suite("Hostile text")
struct HostileTextTests {
  private static let models = [
    #"{"request":"status"}"#, #"{"request":"set-level","level":2}"#, #"{"request":"failover"}"#,
    #"{"request":"inject","fault":"poison","replica":"leader","at":"heap","seed":-9223372036854775808}"#,
    #"{"request":"inject","fault":"bitflip","replica":"15","at":"0xffffffffffffffff","seed":1e308}"#,
    #"{"request":"events","after":18446744073709551615}"#, #"{"request":"restore"}"#,
    #"{"a":[1,2.5,-0,1e999,"\ud83d\ude00\u0000\ud800",{"b":null,"c":[true,false]}]}"#,
  ]

  private func line(_ random: inout SplitMix) -> [UInt8] {
    if Int.random(in: 0..<8, using: &random) == 0 {
      return (0..<Int.random(in: 0..<64, using: &random)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }
    var bytes = Array((Self.models.randomElement(using: &random) ?? "").utf8)
    for _ in 0..<Int.random(in: 0..<6, using: &random) {
      let at = Int.random(in: 0...bytes.count, using: &random)
      switch Int.random(in: 0..<5, using: &random) {
      case 0: if at < bytes.count { bytes[at] = UInt8(truncatingIfNeeded: random.next()) }
      case 1: if at < bytes.count { bytes.remove(at: at) }
      case 2: bytes.insert(Array("{}[]\",:\\u0123456789eE+-.".utf8).randomElement(using: &random) ?? 0, at: at)
      case 3: bytes.removeSubrange(at...)
      default:
        let from = Int.random(in: 0...at, using: &random)
        bytes.insert(contentsOf: bytes[from..<at], at: at)
      }
    }
    return bytes
  }

  @Test("Requests: each is one, or is refused with a reason", arguments: 1...4)
  func requests(seed: Int) {
    var random = SplitMix(seed: UInt64(seed))
    var refused = 0
    for _ in 0..<10_000 {
      let line = line(&random)
      do {
        let request = try ControlRequest(line: line)
        // What was understood is written so that it is understood again.
        #expect((try? ControlRequest(line: request.json.text.utf8)) == request)
      } catch {
        refused += 1
        #expect(!error.description.isEmpty)
      }
    }
    #expect(refused > 1000)
  }

  @Test("JSON: what is read is written so that it is read again", arguments: 1...4)
  func json(seed: Int) {
    var random = SplitMix(seed: UInt64(seed) &* 77)
    var values = 0
    for _ in 0..<10_000 {
      guard let value = try? JSON.parse(line(&random)) else { continue }
      values += 1
      if case .number(let number) = value, !number.isFinite { continue }
      #expect((try? JSON.parse(value.text.utf8)) != nil)
      _ = SetStatus(json: value)
    }
    #expect(values > 500)
  }
}
