import Glibc
import MFRControl

/// A server and the load that goes with it: what campaign and benchmark run.
public struct Service: Sendable {
  public let name: String
  public let about: String
  /// Arguments of `mfr-load` without port, time and format.
  let load: @Sendable (_ directory: String) -> [String]
  let prepare: @Sendable (_ directory: String, _ port: UInt16) throws -> Plan
  /// Its answers come from children, which run unprotected: a broken page that a child inherits before its parent
  /// has touched it, harms that child.
  public var answersInChildren = false

  struct Plan {
    var server: [String]
    /// A native server that this one needs, and its port.
    var behind: (arguments: [String], port: UInt16)?
  }

  public static func named(_ name: String) throws -> Service {
    guard let service = all.first(where: { $0.name == name }) else {
      throw Failure("unknown server '\(name)'; known: \(all.map(\.name).joined(separator: ", "))")
    }
    return service
  }

  public static let all: [Service] = [
    Service(
      name: "lighttpd-1k", about: "lighttpd, 1 KB files, keep-alive", load: { fetch("1k", $0) }, prepare: lighttpd),
    Service(
      name: "lighttpd-1k-close", about: "lighttpd, 1 KB files, one connection each",
      load: { fetch("1k", $0) + ["--no-keepalive"] }, prepare: lighttpd),
    Service(
      name: "lighttpd-1m", about: "lighttpd, 1 MB files, keep-alive", load: { fetch("1m", $0) }, prepare: lighttpd),
    Service(
      name: "lighttpd-1m-close", about: "lighttpd, 1 MB files, one connection each",
      load: { fetch("1m", $0) + ["--no-keepalive"] }, prepare: lighttpd),
    Service(
      name: "beanstalkd", about: "beanstalkd: put, reserve, delete", load: { _ in ["beanstalk"] },
      prepare: { _, port in
        Plan(server: [try Tools.program("beanstalkd"), "-l", "127.0.0.1", "-p", "\(port)"])
      }),
    Service(
      name: "beanstalkd-log", about: "beanstalkd with a journal (-b)", load: { _ in ["beanstalk"] },
      prepare: { directory, port in
        try File.makeDirectory(directory + "/journal")
        return Plan(server: [
          try Tools.program("beanstalkd"), "-l", "127.0.0.1", "-p", "\(port)", "-b", directory + "/journal", "-F",
        ])
      }),
    Service(
      name: "busybox", about: "busybox httpd -f, 1 KB files, a process each", load: { fetch("1k", $0) },
      prepare: { directory, port in
        try pages(directory)
        return Plan(server: [
          try Tools.program("busybox"), "httpd", "-f", "-p", "127.0.0.1:\(port)", "-h", directory + "/www",
        ])
      }, answersInChildren: true),
    Service(
      name: "haproxy", about: "haproxy, one thread, before a native lighttpd", load: { fetch("1k", $0) },
      prepare: haproxy),
    Service(
      name: "nginx", about: "nginx, one process, 1 KB files", load: { fetch("1k", $0) }, prepare: nginx),
    Service(
      name: "redis", about: "redis, no pipeline", load: { _ in ["redis"] }, prepare: redis),
    Service(
      name: "redis-16", about: "redis, pipeline 16", load: { _ in ["redis", "--pipeline", "16"] }, prepare: redis),
    Service(
      name: "memcached", about: "memcached -t 1", load: { _ in ["memcached"] },
      prepare: { _, port in
        Plan(server: [
          try Tools.program("memcached"), "-u", "root", "-t", "1", "-l", "127.0.0.1", "-p", "\(port)", "-U", "0",
        ])
      }),
  ]

  private static func fetch(_ size: String, _ directory: String) -> [String] {
    ["http"] + (0..<4).flatMap { ["--path", "/\(size)-\($0).bin=\(directory)/www/\(size)-\($0).bin"] }
  }

  /// Four files of each size, all different.
  private static func pages(_ directory: String) throws {
    try File.makeDirectory(directory + "/www")
    var random = SeededRandom(seed: 1)
    for (size, length) in [("1k", 1024), ("1m", 1 << 20)] {
      for index in 0..<4 {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(length)
        while bytes.count < length { withUnsafeBytes(of: random.next()) { bytes.append(contentsOf: $0) } }
        try File.write("\(directory)/www/\(size)-\(index).bin", bytes)
      }
    }
  }

  private static func lighttpdArguments(_ directory: String, _ port: UInt16) throws -> [String] {
    let file = "\(directory)/lighttpd-\(port).conf"
    try File.write(
      file,
      """
      server.document-root = "\(directory)/www"
      server.bind = "127.0.0.1"
      server.port = \(port)
      server.max-keep-alive-requests = 65000
      server.max-keep-alive-idle = 60

      """)
    return [try Tools.program("lighttpd"), "-D", "-f", file]
  }

  private static func lighttpd(_ directory: String, _ port: UInt16) throws -> Plan {
    try pages(directory)
    return Plan(server: try lighttpdArguments(directory, port))
  }

  private static func haproxy(_ directory: String, _ port: UInt16) throws -> Plan {
    try pages(directory)
    let behind = try Port.free()
    let file = directory + "/haproxy.cfg"
    try File.write(
      file,
      """
      global
        nbthread 1
        maxconn 200
      defaults
        mode http
        timeout connect 5s
        timeout client 30s
        timeout server 30s
      listen web
        bind 127.0.0.1:\(port)
        server files 127.0.0.1:\(behind)

      """)
    return Plan(
      server: [try Tools.program("haproxy"), "-db", "-f", file],
      behind: (try lighttpdArguments(directory, behind), behind))
  }

  private static func nginx(_ directory: String, _ port: UInt16) throws -> Plan {
    try pages(directory)
    let file = directory + "/nginx.conf"
    try File.write(
      file,
      """
      daemon off;
      master_process off;
      user root;
      pid \(directory)/nginx.pid;
      error_log \(directory)/nginx.err;
      events { worker_connections 256; }
      http {
        access_log off;
        keepalive_requests 1000000;
        client_body_temp_path \(directory); proxy_temp_path \(directory); fastcgi_temp_path \(directory);
        uwsgi_temp_path \(directory); scgi_temp_path \(directory);
        server { listen 127.0.0.1:\(port); root \(directory)/www; }
      }

      """)
    return Plan(server: [try Tools.program("nginx"), "-c", file, "-e", directory + "/nginx.err"])
  }

  private static func redis(_ directory: String, _ port: UInt16) throws -> Plan {
    Plan(server: [
      try Tools.program("redis-server"), "--port", "\(port)", "--bind", "127.0.0.1", "--save", "", "--appendonly",
      "no", "--dir", directory,
    ])
  }
}

/// A running service and, for as long as it is asked to, its load.
public final class RunningService {
  public let service: Service
  public let directory: String
  public let port: UInt16
  public let guest: Guest
  private let behind: Guest?

  /// Starts the server, natively or at a level, and waits until it takes connections and is whole.
  public init(_ service: Service, level: Int?, directory: String, options: [String] = []) throws {
    self.service = service
    self.directory = directory
    port = try Port.free()
    let plan = try service.prepare(directory, port)
    behind = try plan.behind.map { try Guest($0.arguments, level: nil, name: "behind", directory: directory) }
    // Names of sets are unique on a machine.
    let name = "\(service.name)-\(getpid())-\(port)"
    guest = try Guest(plan.server, level: level, name: name, directory: directory, options: options)
    do {
      if let behind, let port = plan.behind?.port { try Self.waitForPort(port, behind) }
      try Self.waitForPort(port, guest)
      try guest.waitUntilWhole()
    } catch {
      stop()
      throw error
    }
  }

  /// Starts `mfr-load`; its report comes with `finish`.
  public func startLoad(seconds: Double, connections: Int = 16, timeout: Double = 10) throws -> RunningLoad {
    try RunningLoad(
      [try Tools.path("mfr-load")] + service.load(directory) + [
        "--port", "\(port)", "--seconds", "\(seconds)", "--connections", "\(connections)", "--timeout", "\(timeout)",
        "--json",
      ], directory: directory)
  }

  /// Asks the server to end. Returns how it ended.
  @discardableResult
  public func stop() -> Ending {
    let ending = guest.child.stop()
    behind?.child.stop()
    return ending
  }

  private static func waitForPort(_ port: UInt16, _ guest: Guest) throws {
    let open = wait(upTo: .seconds(20)) { Port.isOpen(port) || guest.child.poll() != nil }
    if let ending = guest.child.ending { throw Failure("\(guest.child.arguments.joined(separator: " ")): \(ending)") }
    guard open else { throw Failure("\(guest.name) does not listen on port \(port)") }
  }
}

public final class RunningLoad {
  public let child: Child
  private let report: String

  init(_ arguments: [String], directory: String) throws {
    let report = directory + "/load.json"
    self.report = report
    let out = try call("create \(report)") { open(report, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644) }
    defer { close(out) }
    let error = try call("create load.err") {
      open(directory + "/load.err", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    }
    defer { close(error) }
    child = try Child(arguments, descriptors: [nil, out, error])
  }

  public func finish(upTo limit: Duration) throws -> LoadReport {
    guard let ending = child.waitForEnd(upTo: limit) else {
      child.stop(SIGKILL)
      throw Failure("the load did not end within \(limit)")
    }
    let text = try File.text(report)
    guard ending == .exited(0) || ending == .exited(1), !text.isEmpty else {
      throw Failure("the load ended with \(ending)")
    }
    return try LoadReport(JSON.parse(text.utf8.drop { $0 != 0x7B }.prefix { $0 != 0x0A }))
  }
}
