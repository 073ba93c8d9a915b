import Foundation

/// A helper process of the tests themselves: cc, guest-run, make-fixture.
enum Tool {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// Runs it to its end and gives its status and what it said.
  static func run(_ path: String, _ arguments: [String]) async throws -> (
    status: Int32, output: String
  ) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    let log = FileManager.default.temporaryDirectory.appendingPathComponent(
      "mfr-tool-\(UUID().uuidString)")
    guard FileManager.default.createFile(atPath: log.path, contents: nil),
      let output = FileHandle(forWritingAtPath: log.path)
    else { throw Failure(description: "cannot write \(log.path)") }
    process.standardOutput = output
    process.standardError = output
    defer { try? FileManager.default.removeItem(at: log) }
    try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
      process.terminationHandler = { _ in done.resume() }
      do {
        try process.run()
      } catch {
        process.terminationHandler = nil
        done.resume(throwing: error)
      }
    }
    let said = (try? Data(contentsOf: log)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    return (process.terminationStatus, said)
  }

  /// Where the shell would find a program.
  static func find(_ name: String) -> String? {
    ["/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"].map { "\($0)/\(name)" }
      .first(where: FileManager.default.isExecutableFile)
  }
}

/// Lets so many tasks run at once, first come, first served.
actor Slots {
  /// Two: a run at level 2 is three processes, and machines with two cores must not starve them.
  static let runs = Slots(2)

  private var free: Int
  private var waiting: [CheckedContinuation<Void, Never>] = []

  init(_ count: Int) { free = count }

  func use<Result: Sendable>(_ body: @Sendable () async throws -> Result) async rethrows -> Result {
    if free > 0 {
      free -= 1
    } else {
      await withCheckedContinuation { waiting.append($0) }
    }
    defer {
      if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
    return try await body()
  }
}

/// Makes each thing once, whoever asks first; the others wait for it.
actor Once<Key: Hashable & Sendable, Value: Sendable> {
  private var made: [Key: Task<Value, any Error>] = [:]

  func get(_ key: Key, _ make: @escaping @Sendable () async throws -> Value) async throws -> Value {
    let task = made[key] ?? Task { try await make() }
    made[key] = task
    return try await task.value
  }
}
