import Foundation
import Testing

/// A line of Tests/Programs/programs.txt, which says what it means.
struct Program: Sendable, CustomTestStringConvertible {
  let name: String
  let job: Job

  struct Malformed: Error, CustomStringConvertible {
    let line: String
    var description: String { "programs.txt: what is '\(line)'?" }
  }

  static let lines: [String] = {
    let file = Repository.programs.appendingPathComponent("programs.txt")
    let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
    return text.split(separator: "\n").map(String.init).filter { !$0.hasPrefix("#") }
  }()

  static let all = lines.compactMap { try? Program(line: $0) }
  static let installed = all.filter { $0.job.command.first.flatMap(Tool.find) != nil }

  init(line: String) throws {
    let parts = line.components(separatedBy: " :: ")
    guard (2...3).contains(parts.count) else { throw Malformed(line: line) }
    name = parts[0]
    var job = Job(
      name: "program-\(name)", command: words(parts[1]), fixture: Repository.fixture.path)
    job.allowed = [.collapse]
    let input = parts.count == 3 ? words(parts[2]) : []
    let file = input.count > 1 ? Repository.fixture.appendingPathComponent(input[1]).path : ""
    switch (input.first, input.count) {
    case (nil, _): break
    case ("stdin", 2): job.input = .file(file)
    case ("pipe", 2): job.input = .pipe(file)
    case ("terminal", 2...3): job.input = .terminal(file, prompt: input.count == 3 ? input[2] : nil)
    default: throw Malformed(line: line)
    }
    self.job = job
  }

  var testDescription: String { name }
}

@Suite("Real programs run as natively")
struct ProgramTests {
  @Test("at level 2 output, status and files are the same", arguments: Program.installed)
  func same(program: Program) async throws {
    try await Builder.makeFixture()
    let native = try await program.job.native()
    #expect(!native.hung, "natively: \(native.status)")
    try await program.job.expectSame(.two)
  }

  @Test("every line of the list can be read", arguments: Program.lines)
  func readable(line: String) throws {
    _ = try Program(line: line)
  }
}
