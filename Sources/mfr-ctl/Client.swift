import ArgumentParser
import CMFRABI
import Glibc
import MFRControl

/// Something that the user has to know; ends the tool with status 1.
struct Failure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// The coordinators of this user, by their sockets.
enum Client {
  /// All sets that answer, by ascending pid. Sockets of sets that are gone are removed.
  static func sets() throws -> [SetStatus] {
    let folder = RuntimeDirectory.path
    var status = stat()
    if lstat(folder, &status) != 0, errno == ENOENT { return [] }
    try RuntimeDirectory.check(folder)
    return RuntimeDirectory.anchors(in: folder).compactMap { anchor in
      do {
        guard let set = try ask(anchor, .status)["set"] else { return nil }
        return SetStatus(json: set)
      } catch {
        if kill(anchor, 0) != 0, errno == ESRCH { RuntimeDirectory.remove(in: folder, anchor: anchor) }
        return nil
      }
    }
  }

  /// The one set that a user means by a name or a pid; without either, the only one there is.
  static func find(_ text: String?) throws -> SetStatus {
    let all = try sets()
    guard let text else {
      if all.count == 1 { return all[0] }
      throw Failure(all.isEmpty ? "nothing runs under mfr-run" : "give a name or a pid; see mfr-ctl list")
    }
    let found = all.filter {
      $0.name == text || String($0.pid) == text || $0.replicas.contains { String($0.pid) == text }
    }
    switch found.count {
    case 1: return found[0]
    case 0: throw Failure("no program named \(text) and none with that pid runs under mfr-run; see mfr-ctl list")
    default: throw Failure("\(found.count) programs are named \(text); give a pid; see mfr-ctl list")
    }
  }

  /// How long a coordinator may be missing that has just died: the next one takes its place.
  private static let patience: UInt64 = 3_000_000_000

  /// One request to one coordinator. Its refusal is thrown.
  static func ask(_ anchor: Int32, _ request: ControlRequest) throws -> JSON {
    let deadline = mfr_host_now_ns() + patience
    while true {
      do {
        let answer = try attempt(anchor, request)
        if answer["ok"]?.bool != true { throw Failure(answer["error"]?.string ?? "program \(anchor) refused") }
        return answer
      } catch let trouble as Unanswered {
        // Of what breaks something nobody knows whether it has been done.
        guard !trouble.wasSent || !request.breaks, kill(anchor, 0) == 0, mfr_host_now_ns() < deadline else {
          let doubt =
            "; mfr-ctl status shows what came of it (where a page of the buffer breaks, the coordinator goes, too)"
          throw Failure(trouble.text + (trouble.wasSent && request.breaks ? doubt : ""))
        }
        usleep(5_000)
      }
    }
  }

  private struct Unanswered: Error {
    var text: String
    var wasSent = false
  }

  private static func attempt(_ anchor: Int32, _ request: ControlRequest) throws -> JSON {
    let descriptor = mfr_host_connect(RuntimeDirectory.socket(in: RuntimeDirectory.path, anchor: anchor))
    if descriptor < 0 {
      throw Unanswered(text: "program \(anchor) does not answer: \(String(cString: strerror(-descriptor)))")
    }
    defer { close(descriptor) }
    var patience = timeval(tv_sec: 5, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    let line = request.json.text + "\n"
    let sent = line.withCString { send(descriptor, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
    guard sent == line.utf8.count else { throw Unanswered(text: "program \(anchor) does not listen") }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while !bytes.contains(10), bytes.count < 1 << 20 {
      let count = recv(descriptor, &chunk, chunk.count, 0)
      if count <= 0 { break }
      bytes += chunk[..<count]
    }
    guard let end = bytes.firstIndex(of: 10), let answer = try? JSON.parse(bytes[..<end]) else {
      throw Unanswered(text: "program \(anchor) gave no answer", wasSent: true)
    }
    return answer
  }
}

extension ControlRequest {
  fileprivate var breaks: Bool { if case .inject = self { true } else { false } }
}

/// Rows of text in columns as wide as their widest entry; numbers to the right.
struct Table {
  private var rows: [[String]]
  private let right: Set<Int>

  /// `right`: columns that are set flush right.
  init(_ titles: [String], right: Set<Int> = []) {
    rows = [titles]
    self.right = right
  }
  mutating func add(_ row: [String]) { rows.append(row) }

  var text: String {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      var line = ""
      for (column, entry) in row.enumerated() {
        let fill = String(repeating: " ", count: widths[column] - entry.count)
        line += (column > 0 ? "  " : "") + (right.contains(column) ? fill + entry : entry + fill)
      }
      while line.last == " " { line.removeLast() }
      return line
    }.joined(separator: "\n")
  }
}

/// What `--json` prints: these sets, or all; each with the pid of the one that made it, 0 for none. `processes` are those
/// that are no sets.
func document(_ tree: Tree, _ chosen: [SetStatus]?) -> String {
  let sets = (chosen ?? tree.sets).map { set -> JSON in
    guard case .object(let members) = set.json else { return set.json }
    return .object(members + [.init("parent", JSON(tree.parent(of: set.pid) ?? 0))])
  }
  let processes = tree.processes.filter { process in chosen.map { $0.contains { $0.pid == process.parent } } ?? true }
  return JSON.object([
    .init("schema", .integer(1)), .init("sets", .array(sets)), .init("processes", .array(processes.map(\.json))),
  ]).text
}
