import MFRControl
import Testing

@Suite("Control protocol")
struct ControlTests {
  @Test(
    "Requests survive the wire",
    arguments: [
      ControlRequest.status, .setLevel(15), .failover, .restore, .events(after: 77),
      .inject(.init(fault: .poison, target: .index(3), place: .address(0x7fff_0000_1000), seed: .max)),
      .inject(.init(fault: .kill, target: .follower, place: .stack, seed: 0)),
      .inject(.init(fault: .poisonReal, target: .leader, place: .text, seed: 1)),
      .inject(.init(fault: .hang, target: .leader, place: .buffer(nil), seed: 1)),
      .inject(.init(fault: .poison, target: .leader, place: .buffer(.slots), seed: 1)),
    ])
  func roundTrip(request: ControlRequest) throws {
    #expect(try ControlRequest(line: request.json.text.utf8) == request)
  }

  @Test(
    "What is no request is refused",
    arguments: [
      "", "x", "{", "[]", "{}", "{\"request\":1}", "{\"request\":\"set-level\",\"level\":16}",
      "{\"request\":\"set-level\",\"level\":-1}",
      "{\"request\":\"inject\"}", "{\"request\":\"inject\",\"fault\":\"kill\",\"replica\":\"16\"}",
      "{\"request\":\"status\"} x",
      "\"\\u12", "1e", "-", String(repeating: "[", count: 100_000),
    ])
  func malformed(line: String) {
    #expect(throws: ControlRequest.Invalid.self) { try ControlRequest(line: line.utf8) }
  }

  @Test("Text is quoted so that it can be read again")
  func quoting() throws {
    let text = "a\"\\\n\t\u{1}\u{7f}é😀"
    #expect(try JSON.parse(JSON.string(text).text.utf8) == .string(text))
    #expect(try JSON.parse("\"\\ud83d\\ude00\"".utf8) == .string("😀"))
  }

  @Test("A status survives the wire")
  func status() {
    let status = SetStatus(
      id: 1, name: "n", program: "p", pid: 2, level: 3, state: "degraded", reason: "r", calls: 4, failovers: 5,
      lost: 11, respawns: 6,
      divergences: 7, bids: 8, trouble: "t",
      replicas: [.init(index: 0, pid: 9, role: "leader", sequence: 10, lag: 0, unshared: true)])
    #expect(SetStatus(json: status.json) == status)
    #expect(SetStatus(json: .object([])) == nil)
  }
}
