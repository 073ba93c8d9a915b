"""An http.server that answers three requests of a forked client."""
import hashlib
import http.client
import http.server
import os

class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass

server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
client = os.fork()
if client == 0:
    for path in ("/words.txt", "/numbers.txt", "/none"):
        c = http.client.HTTPConnection(*server.server_address, timeout=20)
        c.request("GET", path)
        r = c.getresponse()
        body = r.read()
        print(path, r.status, hashlib.md5(body).hexdigest() if r.status == 200 else "", flush=True)
        c.close()
    os._exit(0)
for _ in range(3):
    server.handle_request()
print("client", os.waitpid(client, 0)[1])
