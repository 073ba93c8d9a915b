"""http.client against an http.server in a process of its own."""
import hashlib
import http.client
import subprocess
import sys

server = subprocess.Popen([sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
port = int(server.stdout.readline().split("port ")[1].split()[0])
for path in ("/words.txt", "/binary.bin", "/none", "/tree/a/"):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    c.request("GET", path)
    r = c.getresponse()
    body = r.read()
    print(path, r.status, len(body), hashlib.md5(body).hexdigest() if r.status == 200 else "")
    c.close()
server.terminate()
print(server.wait())
