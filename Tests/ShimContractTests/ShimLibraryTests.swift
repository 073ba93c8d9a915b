import Foundation
import Testing

/// The library as it was built last: what it needs and what it shows is all that a guest can notice of it.
@Suite("libmfrshim.so")
struct ShimLibraryTests {
  let library: String

  init() throws {
    library = try #require(
      Self.newest(), "no libmfrshim.so below .build/plugins/outputs, and MFR_SHIM does not name one")
  }

  private static func newest() -> String? {
    if let named = ProcessInfo.processInfo.environment["MFR_SHIM"] { return named }
    let outputs = Repository.root.appending(path: ".build/plugins/outputs")
    let walk = FileManager.default.enumerator(at: outputs, includingPropertiesForKeys: [.contentModificationDateKey])
    func age(_ url: URL) -> Date {
      (try? url.resourceValues(forKeys: [.contentModificationDateKey]).contentModificationDate) ?? .distantPast
    }
    return walk?.compactMap { $0 as? URL }.filter { $0.lastPathComponent == "libmfrshim.so" }
      .max { age($0) < age($1) }?.path
  }

  @Test("Needs libc.so.6 and nothing else")
  func needed() throws {
    let dynamic = try run("readelf", "-d", library)
    #expect(dynamic.matches(of: /\(NEEDED\).*\[(.*)\]/).map { String($0.1) } == ["libc.so.6"])
  }

  @Test("Is initialised first, binds at load, has no executable stack")
  func linkFlags() throws {
    let dynamic = try run("readelf", "-d", library)
    #expect(dynamic.contains("INITFIRST"))
    #expect(dynamic.contains("NOW"))
    let segments = try run("readelf", "-lW", library)
    let stack = segments.split(separator: "\n").first { $0.contains("GNU_STACK") }
    #expect(stack?.contains("RWE") == false)
  }

  /// A function that a row names and no file defines ends up here, and only here: the link itself succeeds.
  @Test("All that it leaves undefined is libc's")
  func undefined() throws {
    // Weak ones (type w) are asked for at run time; a loader without them is no trouble.
    let symbols = try run("nm", "-D", "--undefined-only", library).split(separator: "\n")
      .map { $0.split(separator: " ").map(String.init) }.filter { $0.count == 2 && $0[0] == "U" }.map { $0[1] }
    #expect(symbols.filter { !$0.contains("@GLIBC_") } == [])
  }

  @Test("Exports the symbols of entries.def and no other")
  func exports() throws {
    let lines = try run("nm", "-D", "--defined-only", library).split(separator: "\n")
    let exported = lines.compactMap { line -> String? in
      line.split(separator: " ").last.map { String($0.prefix { $0 != "@" }) }
    }
    let entries = try Entry.load().map(\.symbol)
    try #require(!entries.isEmpty)
    #expect(Set(exported).subtracting(entries).sorted() == [], "exported, not in entries.def")
    #expect(Set(entries).subtracting(exported).sorted() == [], "in entries.def, not exported")
  }
}

@Suite("docs/calls.md")
struct CallsDocumentTests {
  /// Beside the test bundle, where SwiftPM puts the package's executables.
  static let tool: String? = {
    let bundle = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    let candidates = [
      URL(fileURLWithPath: bundle).deletingLastPathComponent().appending(path: "mfr-ctl").path,
      Repository.root.appending(path: ".build/debug/mfr-ctl").path,
    ]
    return candidates.first { FileManager.default.isExecutableFile(atPath: $0) }
  }()

  @Test(
    "Is what `mfr-ctl calls --markdown` prints",
    .enabled(if: Self.tool != nil, "mfr-ctl is not built; `swift build --product mfr-ctl` builds it"))
  func upToDate() throws {
    let tests = Repository.root.appending(path: "Tests/Guests").path
    let printed = Self.parts(try run(try #require(Self.tool), "calls", "--markdown", "--tests", tests))
    let document = Self.parts(try Repository.text("docs/calls.md"))
    let same = document.lines == printed.lines
    #expect(same, "run `mfr-ctl calls --markdown --tests Tests/Guests > docs/calls.md`")
    for guest in document.guests {
      #expect(FileManager.default.fileExists(atPath: "\(tests)/\(guest).c"), "\(guest) is no guest program")
    }
  }

  /// The lines, rows of the table without their last cell; and the guest programs that these cells name. Which
  /// they are changes with every guest that is added, and does not make the document wrong.
  private static func parts(_ document: String) -> (lines: [Substring], guests: Set<String>) {
    var guests: Set<String> = []
    let lines = document.split(separator: "\n").map { line in
      guard line.hasPrefix("| "), !line.hasPrefix("| nr"), let cell = line.dropLast(2).lastIndex(of: "|") else {
        return line
      }
      guests.formUnion(line[cell...].matches(of: /[a-z0-9-]*[a-z0-9]/).map { String($0.0) })
      return line[..<cell]
    }
    return (lines, guests)
  }
}

struct ToolFailed: Error {
  let command: String
  let status: Int32
}

/// Runs a program and returns what it wrote to its standard output.
private func run(_ command: String...) throws -> String {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = command
  let output = Pipe()
  process.standardOutput = output
  try process.run()
  let data = try output.fileHandleForReading.readToEnd() ?? Data()
  process.waitUntilExit()
  guard process.terminationStatus == 0 else {
    throw ToolFailed(command: command.joined(separator: " "), status: process.terminationStatus)
  }
  return String(decoding: data, as: UTF8.self)
}
