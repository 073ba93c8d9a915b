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
  /// How many processes it has at least, all of them sets of their own.
  public var processes = 1
  /// Its starter ends when it serves; its pid is in `daemon.pid`.
  public var isDaemon = false
  public var isFamily: Bool { processes > 1 || isDaemon }
  /// What it must have written on standard output by the end, or else the campaign has not tested what it says.
  public var mustHaveSaid: [String] = []
  /// How it is started after its end, natively, to see what it has kept in its files: once for each.
  var restarts: (@Sendable (_ directory: String, _ port: UInt16) throws -> [[String]])?
  public var keepsFiles: Bool { restarts != nil }

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
      name: "beanstalkd-log", about: "beanstalkd with a journal (-b), and what is in it afterwards",
      load: { _ in ["beanstalk"] },
      prepare: { directory, port in
        try File.makeDirectory(directory + "/journal")
        return Plan(server: try beanstalkdWithJournal(directory, port))
      }, restarts: { directory, port in [try beanstalkdWithJournal(directory, port)] }),
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
      prepare: { try haproxy($0, $1, threads: 1) }),
    Service(
      name: "haproxy-2", about: "haproxy, two threads, before a native lighttpd", load: { fetch("1k", $0) },
      prepare: { try haproxy($0, $1, threads: 2) }),
    Service(
      name: "nginx", about: "nginx, one process, 1 KB files", load: { fetch("1k", $0) }, prepare: nginx),
    Service(
      name: "redis", about: "redis, no pipeline", load: { _ in ["redis"] }, prepare: redis),
    Service(
      name: "redis-16", about: "redis, pipeline 16", load: { _ in ["redis", "--pipeline", "16"] }, prepare: redis),
    Service(
      name: "redis-files", about: "redis with snapshots and an append-only file, and what is in them afterwards",
      load: { _ in ["redis"] }, prepare: { Plan(server: try redisWithFiles($0, $1)) },
      mustHaveSaid: [
        "Background saving terminated with success", "Background AOF rewrite finished successfully",
      ],
      restarts: { [try redisWithSnapshot($0, $1), try redisWithFiles($0, $1)] }),
    Service(
      name: "memcached", about: "memcached -t 1", load: { _ in ["memcached"] },
      prepare: { Plan(server: try memcached($1, threads: 1)) }),
    Service(
      name: "memcached-4", about: "memcached -t 4", load: { _ in ["memcached"] },
      prepare: { Plan(server: try memcached($1, threads: 4)) }),
    Service(
      name: "python", about: "python3 -m http.server, 1 KB files, a thread for each connection",
      load: { fetch("1k", $0) }, prepare: { try python($0, $1, "HTTP/1.1") }),
    Service(
      name: "python-close", about: "python3 -m http.server, 1 KB files, a connection and a thread for each",
      load: { fetch("1k", $0) + ["--no-keepalive"] }, prepare: { try python($0, $1, "HTTP/1.0") }),
    Service(
      name: "lighttpd-daemon", about: "lighttpd as a daemon, 1 KB files, every fifth answer by a CGI script",
      load: { directory in
        fetch("1k", directory) + ["--path", "/page.cgi=\(directory)/www/1k-0.bin"]
      }, prepare: lighttpdDaemon, isDaemon: true),
    Service(
      name: "gunicorn", about: "gunicorn, two workers, 1 KB answers", load: { fetch("1k", $0) }, prepare: gunicorn,
      processes: 3),
    Service(name: "node", about: "node, 1 KB answers", load: { fetch("1k", $0) }, prepare: node),
    Service(
      name: "java", about: "java, com.sun.net.httpserver, 1 KB answers", load: { fetch("1k", $0) }, prepare: java),
  ]
}
