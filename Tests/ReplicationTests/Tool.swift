import Foundation
import Glibc
import MFRHarness

/// A helper process of the tests themselves: cc, guest-run, make-fixture.
enum Tool {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// Runs it to its end and gives its status and what it said. On a thread of its own: it may take minutes, and the tasks'
  /// threads are as few as the processors. (Foundation's Process has crashed in run(), twice seen.)
  static func run(_ path: String, _ arguments: [String]) async throws -> (
    status: Int32, output: String
  ) {
    try await withCheckedThrowingContinuation {
      (done: CheckedContinuation<(status: Int32, output: String), any Error>) in
      Thread.detachNewThread { done.resume(with: Result { try runNow([path] + arguments) }) }
    }
  }

  private static func runNow(_ command: [String]) throws -> (status: Int32, output: String) {
    let log = FileManager.default.temporaryDirectory.appendingPathComponent("mfr-tool-\(UUID().uuidString)").path
    let output = open(log, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o600)
    guard output >= 0 else { throw Failure(description: "cannot write \(log)") }
    defer {
      close(output)
      unlink(log)
    }
    let ending = try Child(command, descriptors: [nil, output, output]).waitForEnd()
    let said = try File.text(log)
    switch ending {
    case .exited(let status): return (status, said)
    case .signalled(let signal): return (128 + signal, said)
    }
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
