import Foundation
import Glibc
import MFRControl
import MFRHarness
import Testing

@Suite("The life of a replica set", .serialized)
struct LifeTests {
  @Test("Replicas have the guest's descriptors and no other")
  func descriptors() async throws {
    let guest = try await LiveGuest()
    let replicas = try guest.replicas()
    for pid in replicas {
      #expect(File.names(in: "/proc/\(pid)/fd") == ["0", "1", "2"], "replica \(pid)")
    }
    try guest.kill(replica: replicas[0])
    for pid in try guest.replicas() {
      #expect(File.names(in: "/proc/\(pid)/fd") == ["0", "1", "2"], "replica \(pid), after a loss")
    }
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("mfr-ctl status --json has all members, and no other")
  func statusKeys() async throws {
    let guest = try await LiveGuest()
    let (ending, text, errors) = try output(of: [try Tools.path("mfr-ctl"), "status", guest.guest.name, "--json"])
    #expect(ending == .exited(0) && errors == "", "\(ending) \(errors)")
    let document = try JSON.parse(text.utf8)
    #expect(Self.keys(document) == ["schema", "sets"])
    #expect(document["schema"]?.integer == 1)
    let sets = try #require(document["sets"]?.array)
    try #require(sets.count == 1)
    #expect(
      Self.keys(sets[0]) == [
        "bids", "calls", "divergences", "failovers", "id", "level", "name", "pid", "program", "reason", "replicas",
        "respawns", "state",
      ])
    #expect(sets[0]["pid"]?.integer == Int64(guest.anchor))
    #expect(sets[0]["level"]?.integer == 2)
    #expect(sets[0]["state"]?.string == "protected")
    let replicas = try #require(sets[0]["replicas"]?.array)
    #expect(replicas.count == 3)
    for replica in replicas {
      #expect(Self.keys(replica) == ["index", "lag", "pid", "role", "sequence", "unshared"])
      #expect(replica["unshared"]?.bool == true)
    }
    #expect(replicas.compactMap { $0["role"]?.string }.sorted() == ["follower", "follower", "leader"])
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  private static func keys(_ json: JSON) -> [String] {
    guard case .object(let members) = json else { return [] }
    return members.map(\.key).sorted()
  }

  @Test("mfr-ctl set-level adds and removes duplicates while the guest runs")
  func levels() async throws {
    let guest = try await LiveGuest(level: 1)
    for level in [3, 0, 2] {
      let (ending, _, errors) = try output(of: [
        try Tools.path("mfr-ctl"), "set-level", guest.guest.name, "\(level)",
      ])
      #expect(ending == .exited(0), "\(errors)")
      var last = ""
      let reached = wait(upTo: .seconds(10)) {
        guard let now = try? guest.guest.status() else { return false }
        last = now.line
        return now.level == level && now.isWhole
      }
      #expect(reached, "level \(level): \(last)")
      try guest.waitForProgress()
    }
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("A coordinator that is killed is replaced, and its successor repairs")
  func coordinator() async throws {
    let guest = try await LiveGuest()
    for _ in 0..<3 {
      let first = try #require(guest.coordinator())
      _ = Glibc.kill(first, SIGKILL)
      let replaced = wait(upTo: .seconds(5)) { guest.coordinator().map { $0 != first } ?? false }
      #expect(replaced, "no coordinator after \(first)")
      try guest.waitForProgress()
      try guest.guest.waitUntilWhole()
      try guest.kill(replica: try guest.replicas()[0])
    }
    #expect(try guest.end() == .signalled(SIGTERM))
  }

  @Test("kill -9 of mfr-run ends the guest, as it would without MFR, and leaves nothing")
  func anchor() async throws {
    let guest = try await LiveGuest()
    let processes = try guest.replicas() + [try #require(guest.coordinator())]
    _ = Glibc.kill(guest.anchor, SIGKILL)
    #expect(guest.guest.child.waitForEnd() == .signalled(SIGKILL))
    let gone = wait(upTo: .seconds(5)) { !processes.contains(where: runs) }
    #expect(gone, "still there: \(processes.filter(runs))")
    let (_, list, _) = try output(of: [try Tools.path("mfr-ctl"), "list"])
    #expect(!list.contains(guest.guest.name))
  }
}
