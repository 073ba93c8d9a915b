import Foundation
import Testing

/// A tiny program of Tests/Guests; guest.h says what its header lines mean.
struct Guest: Sendable, CustomTestStringConvertible {
  let name: String
  let source: URL
  private let header: [String: String]

  /// Every C and C++ file there is, and Rust where there is a compiler for it: nothing registers a guest.
  static let all: [Guest] = {
    let files =
      (try? FileManager.default.contentsOfDirectory(
        at: Repository.guests, includingPropertiesForKeys: nil)) ?? []
    let languages = ["c", "cc"] + (Tool.find("rustc") == nil ? [] : ["rs"])
    return files.filter { languages.contains($0.pathExtension) }.map(Guest.init(source:)).sorted {
      $0.name < $1.name
    }
  }()

  init(source: URL) {
    self.source = source
    name = source.deletingPathExtension().lastPathComponent
    let text = (try? String(contentsOf: source, encoding: .utf8)) ?? ""
    var header: [String: String] = [:]
    for line in text.split(separator: "\n").prefix(while: { $0.hasPrefix("//") }) {
      let parts = line.dropFirst(2).split(separator: ":", maxSplits: 1)
      guard parts.count == 2 else { continue }
      header[parts[0].trimmingCharacters(in: .whitespaces)] = parts[1].trimmingCharacters(
        in: .whitespaces)
    }
    self.header = header
  }

  var testDescription: String { name }
  var abstract: String? { header["Abstract"] }
  /// How it must end natively; nil: with exit 0 and its own "ok" line.
  var ends: String? { header["Ends"] }

  /// Compiles it and says how to run it.
  func job() async throws -> Job {
    let executable = Repository.build.appendingPathComponent(name)
    try await Builder.compile(source, to: executable, words(header["Link"] ?? ""))
    var job = Job(name: name, command: [executable.path] + words(header["Args"] ?? ""))
    if let time = header["Protect"] { job.options = ["--protect-after", time] }
    if header["Collapse"] != nil { job.allowed.insert(.collapse) }
    if header["Diverges"] != nil { job.allowed.insert(.divergence) }
    if let text = header["Stdin"] { job.input = .file(try inputFile(text)) }
    if let text = header["Pipe"] { job.input = .pipe(try inputFile(text)) }
    if let text = header["Terminal"] {
      job.input = .terminal(try inputFile(text), prompt: header["Prompt"])
    }
    return job
  }

  /// The file that a header line names, or one with its text.
  private func inputFile(_ text: String) throws -> String {
    let named = Repository.guests.appendingPathComponent(text)
    if !text.contains("\\"), FileManager.default.fileExists(atPath: named.path) {
      return named.path
    }
    let file = Repository.build.appendingPathComponent("\(name).input")
    let contents = text.replacingOccurrences(of: "\\n", with: "\n").replacingOccurrences(
      of: "\\t", with: "\t")
    try FileManager.default.createDirectory(at: Repository.build, withIntermediateDirectories: true)
    try contents.write(to: file, atomically: true, encoding: .utf8)
    return file.path
  }
}

/// Splits at blanks; a word in single quotes may have blanks.
func words(_ text: String) -> [String] {
  var result: [String] = []
  var rest = Substring(text)
  while let start = rest.firstIndex(where: { $0 != " " }) {
    rest = rest[start...]
    if rest.first == "'", let end = rest.dropFirst().firstIndex(of: "'") {
      result.append(String(rest[rest.index(after: start)..<end]))
      rest = rest[rest.index(after: end)...]
    } else {
      let end = rest.firstIndex(of: " ") ?? rest.endIndex
      result.append(String(rest[..<end]))
      rest = rest[end...]
    }
  }
  return result
}

@Suite("Guest programs run as natively")
struct GuestTests {
  @Test("natively each guest ends as it says", arguments: Guest.all)
  func native(guest: Guest) async throws {
    #expect(guest.abstract?.hasSuffix(".") == true, "'// Abstract: …' is one sentence")
    let outcome = try await guest.job().native()
    #expect(outcome.status == guest.ends ?? "exit 0")
    if guest.ends == nil { #expect(outcome.lastLine == "ok \(guest.name)") }
  }

  @Test("under mfr-run output, status and files are the same", arguments: Guest.all, Level.all)
  func same(guest: Guest, level: Level) async throws {
    try await guest.job().expectSame(level)
  }

  @Test("there are guests enough")
  func count() {
    #expect(Guest.all.count >= 60)
  }
}
