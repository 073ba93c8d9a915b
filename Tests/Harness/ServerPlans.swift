import Glibc
import MFRControl

/// How each server is set up: its files and its command line.
extension Service {
  static func fetch(_ size: String, _ directory: String) -> [String] {
    ["http"] + (0..<4).flatMap { ["--path", "/\(size)-\($0).bin=\(directory)/www/\(size)-\($0).bin"] }
  }

  /// Four files of each size, all different.
  static func pages(_ directory: String) throws {
    try File.makeDirectory(directory + "/www")
    var random = SplitMix(seed: 1)
    for (size, length) in [("1k", 1024), ("1m", 1 << 20)] {
      for index in 0..<4 {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(length)
        while bytes.count < length { withUnsafeBytes(of: random.next()) { bytes.append(contentsOf: $0) } }
        try File.write("\(directory)/www/\(size)-\(index).bin", bytes)
      }
    }
  }

  static func lighttpdArguments(_ directory: String, _ port: UInt16) throws -> [String] {
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

  static func lighttpd(_ directory: String, _ port: UInt16) throws -> Plan {
    try pages(directory)
    return Plan(server: try lighttpdArguments(directory, port))
  }

  static func haproxy(_ directory: String, _ port: UInt16, threads: Int) throws -> Plan {
    try pages(directory)
    let behind = try Port.free()
    let file = directory + "/haproxy.cfg"
    try File.write(
      file,
      """
      global
        nbthread \(threads)
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

  static func nginx(_ directory: String, _ port: UInt16) throws -> Plan {
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

  static func redis(_ directory: String, _ port: UInt16) throws -> Plan {
    Plan(server: [
      try Tools.program("redis-server"), "--port", "\(port)", "--bind", "127.0.0.1", "--save", "", "--appendonly",
      "no", "--dir", directory,
    ])
  }

  /// A snapshot each second, fsync of each command's lines by a thread of its own each second, and a new
  /// append-only file whenever it has doubled. A snapshot is a child's work: one that fails is repeated.
  static func redisWithFiles(_ directory: String, _ port: UInt16) throws -> [String] {
    try redisWithSnapshot(directory, port) + [
      "--appendonly", "yes", "--appendfsync", "everysec", "--auto-aof-rewrite-min-size", "1mb",
      "--auto-aof-rewrite-percentage", "100",
    ]
  }
  static func redisWithSnapshot(_ directory: String, _ port: UInt16) throws -> [String] {
    [
      try Tools.program("redis-server"), "--port", "\(port)", "--bind", "127.0.0.1", "--save", "1 1",
      "--stop-writes-on-bgsave-error", "no", "--dir", directory,
    ]
  }

  static func memcached(_ port: UInt16, threads: Int) throws -> [String] {
    [
      try Tools.program("memcached"), "-u", "root", "-t", "\(threads)", "-l", "127.0.0.1", "-p", "\(port)", "-U", "0",
    ]
  }

  static func beanstalkdWithJournal(_ directory: String, _ port: UInt16) throws -> [String] {
    [
      try Tools.program("beanstalkd"), "-l", "127.0.0.1", "-p", "\(port)", "-b", directory + "/journal", "-s",
      "1000000",
    ]
  }

  static func python(_ directory: String, _ port: UInt16, _ version: String) throws -> Plan {
    try pages(directory)
    return Plan(server: [
      try Tools.program("python3", in: ["/usr/bin"]), "-m", "http.server", "\(port)", "-b", "127.0.0.1", "-d",
      directory + "/www",
      "-p", version,
    ])
  }

  static func lighttpdDaemon(_ directory: String, _ port: UInt16) throws -> Plan {
    try pages(directory)
    let file = directory + "/lighttpd.conf"
    try File.write(
      directory + "/www/page.cgi",
      """
      printf 'Content-Type: application/octet-stream\\r\\nContent-Length: 1024\\r\\n\\r\\n'
      cat \(directory)/www/1k-0.bin

      """)
    try File.write(
      file,
      """
      server.modules = ("mod_cgi")
      server.document-root = "\(directory)/www"
      server.pid-file = "\(directory)/daemon.pid"
      server.errorlog = "\(directory)/lighttpd.log"
      server.bind = "127.0.0.1"
      server.port = \(port)
      server.max-keep-alive-requests = 65000
      cgi.assign = (".cgi" => "/bin/sh")

      """)
    return Plan(server: [try Tools.program("lighttpd"), "-f", file])
  }

  static func gunicorn(_ directory: String, _ port: UInt16) throws -> Plan {
    try pages(directory)
    try File.write(
      directory + "/pages.py",
      """
      def application(environment, start_response):
          with open('\(directory)/www' + environment['PATH_INFO'], 'rb') as page:
              body = page.read()
          start_response('200 OK', [('Content-Length', str(len(body)))])
          return [body]

      """)
    return Plan(server: [
      try Tools.program("gunicorn", in: ["/usr/bin"]), "-w", "2", "-b", "127.0.0.1:\(port)", "--chdir", directory,
      "pages",
    ])
  }

  static func node(_ directory: String, _ port: UInt16) throws -> Plan {
    try pages(directory)
    let file = directory + "/server.js"
    try File.write(
      file,
      """
      const fs = require('fs'), http = require('http');
      http.createServer((request, response) => {
        fs.readFile('\(directory)/www' + request.url, (error, body) => {
          response.writeHead(error ? 404 : 200, {'Content-Length': error ? 0 : body.length});
          response.end(error ? '' : body);
        });
      }).listen(\(port), '127.0.0.1');

      """)
    return Plan(server: [try Tools.program("node"), file])
  }

  static func java(_ directory: String, _ port: UInt16) throws -> Plan {
    try pages(directory)
    let file = directory + "/Server.java"
    try File.write(
      file,
      """
      import com.sun.net.httpserver.HttpServer;
      import java.net.InetSocketAddress;
      import java.nio.file.*;
      import java.util.concurrent.Executors;
      public class Server {
        public static void main(String[] arguments) throws Exception {
          HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", \(port)), 64);
          server.setExecutor(Executors.newFixedThreadPool(4));
          server.createContext("/", exchange -> {
            byte[] body = Files.readAllBytes(Path.of("\(directory)/www" + exchange.getRequestURI().getPath()));
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
          });
          server.start();
        }
      }

      """)
    let compiled = try output(of: [try Tools.program("javac"), "-d", directory, file], patience: .seconds(120))
    guard compiled.ending == .exited(0) else { throw Failure("javac: \(compiled.error)") }
    return Plan(server: [try Tools.program("java"), "-cp", directory, "Server"])
  }
}
