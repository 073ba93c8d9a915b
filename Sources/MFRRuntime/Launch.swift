import CMFRABI
import Glibc
import MFRCore

/// Starts one program: makes its buffer, the coordinator and replica 0.
///
/// Must run on the main thread of a process whose signals are all blocked.
public struct Launch {
  /// The program was found but the kernel would not start it.
  public struct CannotExecute: Error, CustomStringConvertible {
    public let status: Int32
    public let description: String
  }

  let options: RunOptions
  let program: ProgramFile
  /// The program's arguments after argv[0], as they came: they need not be text.
  let arguments: CStrings
  let shim: String
  let tool: String
  /// Signal mask that this process was started with, and that the program gets.
  let mask: UInt64

  public init(options: RunOptions, program: ProgramFile, arguments: CStrings, shim: String, tool: String, mask: UInt64)
  {
    self.options = options
    self.program = program
    self.arguments = arguments
    self.shim = shim
    self.tool = tool
    self.mask = mask
  }

  /// Returns the anchor once the program runs. Descriptors of the caller are gone then, but for the buffer's.
  public func start() throws -> Anchor {
    // Children that nobody waits for would vanish before their end is known.
    let childIgnored = mfr_host_disposition(SIGCHLD) == 1
    if childIgnored { mfr_host_set_default(SIGCHLD) }
    do {
      return try startAll(childIgnored: childIgnored)
    } catch {
      if childIgnored { mfr_host_set_ignored(SIGCHLD) }
      throw error
    }
  }

  private func startAll(childIgnored: Bool) throws -> Anchor {
    let (buffer, descriptor) = try SyncBuffer.create()
    fill(buffer)
    let null = try Self.above2(Int32(try SystemError.retry("/dev/null") { Int(open("/dev/null", O_RDWR | O_CLOEXEC)) }))
    let errors = options.verbose ? fcntl(2, F_DUPFD_CLOEXEC, 3) : -1
    let startCoordinator = coordinatorStarter(buffer: buffer, descriptor: descriptor, null: null, errors: errors)
    let coordinator = try SystemError.check("starting the coordinator", startCoordinator())
    let anchor = Anchor(
      buffer: buffer, descriptor: descriptor, coordinator: coordinator,
      startCoordinator: coordinatorStarter(
        buffer: buffer, descriptor: descriptor, null: 0, errors: errors < 0 ? -1 : 2))
    let replica: Int32
    do {
      try anchor.startCallThread()
      anchor.startDeathThread()
      replica = startReplica(buffer: buffer, descriptor: descriptor, childIgnored: childIgnored)
      if replica == -EAGAIN || replica == -ENOMEM { throw SystemError("starting a process", -replica) }
      if replica < 0 {
        throw CannotExecute(
          status: replica == -ENOENT ? 127 : 126, description: "\(options.program[0]): \(SystemError.text(-replica))")
      }
    } catch {
      // This process may go on as the program, which knows of no child.
      anchor.dismissCoordinator()
      throw error
    }
    buffer.store(mfr_replica_pid(buffer.base, 0), replica)
    buffer.wakeCoordinator()
    anchor.resemble(replica)

    // Whoever reads the guest's output waits for its end of file, which an anchor with a copy would hold up.
    for standard in 0...(errors < 0 ? 2 : 1) { dup2(null, Int32(standard)) }
    _ = mfr_host_close_from(3, descriptor, -1)
    return anchor
  }

  /// Moves a descriptor out of the way of the standard ones, which the guest may have closed.
  static func above2(_ descriptor: Int32) throws(SystemError) -> Int32 {
    if descriptor > 2 { return descriptor }
    let moved = Int32(try SystemError.retry("fcntl") { Int(fcntl(descriptor, F_DUPFD_CLOEXEC, 3)) })
    close(descriptor)
    return moved
  }

  private func fill(_ buffer: SyncBuffer) {
    let names = [program.path, options.program[0]].map(ProcessFiles.lastComponent)
    let family = Family(
      options, events: Self.absolute(options.events), variables: CoordinatorSettings.environment())
    SetSettings(
      identifier: 1, level: family.level(of: names, inherited: options.level), family: family,
      youngMilliseconds: options.youngMilliseconds, tool: tool
    ).fill(buffer)
    buffer.setProgram(options.program[0])
    buffer.setName(options.name)
    buffer.store(mfr_header_magic(buffer.base), UInt64(MFR_ABI_MAGIC))
  }

  private func coordinatorStarter(
    buffer: SyncBuffer, descriptor: Int32, null: Int32, errors: Int32
  ) -> @Sendable () -> Int32 {
    CoordinatorSettings(
      descriptor: descriptor, anchor: getpid(), sync: options.sync, selection: options.selection,
      events: Self.absolute(options.events), limits: options.limits, verbose: options.verbose
    ).starter(buffer: buffer, tool: tool, null: null, errors: errors)
  }

  private func startReplica(buffer: SyncBuffer, descriptor: Int32, childIgnored: Bool) -> Int32 {
    let envp = environment(descriptor)
    return program.path.withCString { path in
      var how = mfr_host_spawn(
        path: path, argv: arguments.pointers, envp: envp.pointers, mask: mask,
        ignore_child: childIgnored ? 1 : 0, own_group: 0, keep_fd: -1, null_fd: -1, stderr_fd: -1,
        die_with_parent: 1)
      return mfr_host_spawn_program(&how)
    }
  }

  /// The caller's environment as it is, and at its end what the shim needs, which takes that out again. Of two
  /// LD_PRELOAD the loader obeys the last.
  private func environment(_ descriptor: Int32) -> CStrings {
    let result = CStrings([])
    var preload = "LD_PRELOAD=\(shim)"
    var entry = mfr_host_environ()
    while let text = entry.pointee {
      entry += 1
      if strncmp(text, "MFR_BUFFER=", 11) == 0 { continue }
      if strncmp(text, "LD_PRELOAD=", 11) == 0, text[11] != 0 {
        preload = "LD_PRELOAD=\(shim):\(String(cString: text + 11))"
      }
      result.append(text)
    }
    result.append(preload)
    result.append("MFR_BUFFER=/proc/\(getpid())/fd/\(descriptor)")
    return result
  }

  private static func absolute(_ path: String) -> String {
    if path.isEmpty || path.hasPrefix("/") { return path }
    guard let folder = getcwd(nil, 0) else { return path }
    defer { free(folder) }
    return String(cString: folder) + "/" + path
  }
}
