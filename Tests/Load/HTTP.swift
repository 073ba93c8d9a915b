import ArgumentParser
import CLinux
import Glibc
import MFRHarness

struct HTTP: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Fetches files from an HTTP server and compares every byte with the files on disk.")

  @OptionGroup var options: LoadOptions
  @Option(help: "What to fetch and the file that it must equal: /PATH=FILE. May be repeated.")
  var path: [String]
  @Flag(inversion: .prefixedNo, help: "Keep connections open from request to request.")
  var keepalive = true

  func run() throws {
    let pages = try path.map { try Page($0, host: "127.0.0.1:\(options.port)", keepalive: keepalive) }
    guard !pages.isEmpty else { throw ValidationError("at least one --path") }
    let talks = (0..<options.connections).map { HTTPTalk(pages, first: $0, keepalive: keepalive) }
    let how = keepalive ? "keep-alive" : "one connection each"
    try options.report(Engine(options.load("http \(how)"), talks: talks))
  }
}

/// A resource, the request for it and the body that must come. It lives as long as the process.
final class Page {
  let path: String
  let request: UnsafeRawBufferPointer
  let body: UnsafeRawBufferPointer

  init(_ argument: String, host: String, keepalive: Bool) throws {
    guard let equals = argument.firstIndex(of: "="), argument.first == "/" else {
      throw ValidationError("--path \(argument): not of the form /PATH=FILE")
    }
    path = String(argument[..<equals])
    let connection = keepalive ? "keep-alive" : "close"
    request = Self.keep(
      Array("GET \(path) HTTP/1.1\r\nHost: \(host)\r\nUser-Agent: mfr-load\r\nConnection: \(connection)\r\n\r\n".utf8))
    body = Self.keep(try File.read(String(argument[argument.index(after: equals)...])))
  }

  private static func keep(_ bytes: [UInt8]) -> UnsafeRawBufferPointer {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 64)
    copy.copyBytes(from: bytes)
    return UnsafeRawBufferPointer(copy)
  }
}

final class HTTPTalk: Conversation {
  private let pages: [Page]
  private let keepalive: Bool
  private var turn: Int
  private var page: Page
  /// Header bytes that came without the end of the header.
  private var header: [UInt8] = []
  private var inBody = false
  private var closes = false
  private var checked = 0

  init(_ pages: [Page], first: Int, keepalive: Bool) {
    self.pages = pages
    self.keepalive = keepalive
    turn = first
    page = pages[0]
  }

  func ask(_ out: inout ByteQueue) -> Int {
    page = pages[turn % pages.count]
    turn += 1
    inBody = false
    closes = false
    checked = 0
    out.append(page.request)
    return 1
  }

  func restart() { header.removeAll(keepingCapacity: true) }

  func hear(_ bytes: UnsafeRawBufferPointer) -> Step {
    if inBody { return check(bytes) }
    if header.isEmpty {
      if let end = Self.endOfHeader(bytes) { return open(bytes, end) }
      header.append(contentsOf: bytes)
      return .more
    }
    header.append(contentsOf: bytes)
    let all = header
    return all.withUnsafeBytes { all in
      guard let end = Self.endOfHeader(all) else {
        return all.count > 16384 ? .failed(.malformed, "header without an end") : .more
      }
      header.removeAll(keepingCapacity: true)
      return open(all, end)
    }
  }

  /// The header is complete and ends before `end`.
  private func open(_ bytes: UnsafeRawBufferPointer, _ end: Int) -> Step {
    guard let base = bytes.baseAddress, end >= 16, memcmp(base, "HTTP/1.", 7) == 0 else {
      return .failed(.malformed, "not an HTTP answer: \(Self.shown(bytes))")
    }
    guard memcmp(base + 8, " 200", 4) == 0 else {
      return .failed(.status, "\(page.path): \(Self.shown(bytes))")
    }
    closes = !keepalive || bytes[7] == UInt8(ascii: "0")
    var length: Int?
    var line = 0
    while line < end - 2 {
      guard let newline = memchr(base + line, 0x0A, end - line) else { break }
      let next = base.distance(to: UnsafeRawPointer(newline)) + 1
      if next - line > 16, strncasecmp(Self.text(base + line), "content-length:", 15) == 0 {
        length = Self.decimal(bytes, from: line + 15)
      } else if next - line > 12, strncasecmp(Self.text(base + line), "connection:", 11) == 0 {
        var at = line + 11
        while at < next, bytes[at] == 0x20 { at += 1 }
        if strncasecmp(Self.text(base + at), "close", 5) == 0 { closes = true }
      }
      line = next
    }
    guard length == page.body.count else {
      return .failed(
        .wrong, "\(page.path): content-length \(length.map(String.init) ?? "missing"), not \(page.body.count)")
    }
    inBody = true
    return check(UnsafeRawBufferPointer(rebasing: bytes[end...]))
  }

  private func check(_ bytes: UnsafeRawBufferPointer) -> Step {
    let count = min(bytes.count, page.body.count - checked)
    if count > 0, let got = bytes.baseAddress, let wanted = page.body.baseAddress {
      guard memcmp(got, wanted + checked, count) == 0 else {
        let at = (0..<count).first { bytes[$0] != page.body[checked + $0] } ?? 0
        return .failed(.wrong, "\(page.path): byte \(checked + at) is \(bytes[at]), not \(page.body[checked + at])")
      }
    }
    checked += count
    if bytes.count > count {
      return .failed(.doubled, "\(page.path): \(bytes.count - count) bytes after the end of the answer")
    }
    guard checked == page.body.count else { return .more }
    return closes ? .answeredAndClosing(1) : .answered(1)
  }

  /// The index after the empty line.
  private static func endOfHeader(_ bytes: UnsafeRawBufferPointer) -> Int? {
    guard let base = bytes.baseAddress, let end = linux_find(base, bytes.count, "\r\n\r\n", 4) else { return nil }
    return base.distance(to: UnsafeRawPointer(end)) + 4
  }

  private static func text(_ at: UnsafeRawPointer) -> UnsafePointer<CChar> {
    at.assumingMemoryBound(to: CChar.self)
  }

  private static func decimal(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
    var at = start
    while at < bytes.count, bytes[at] == 0x20 { at += 1 }
    var value: Int?
    while at < bytes.count, (0x30...0x39).contains(bytes[at]), value ?? 0 < 1 << 50 {
      value = (value ?? 0) * 10 + Int(bytes[at] - 0x30)
      at += 1
    }
    return value
  }

  private static func shown(_ bytes: UnsafeRawBufferPointer) -> String {
    String(decoding: bytes.prefix(60).prefix { $0 != 0x0D && $0 != 0x0A }, as: UTF8.self)
  }
}
