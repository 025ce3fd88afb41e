#!/usr/bin/env python3
"""A server on 127.0.0.1 with bad manners, for test_data_fetch.sh: fetch_server.py FILE PORT-FILE LOG. The path says how it behaves:
/good, /flaky (drops the line after a third of what is left), /noparts (ignores ranges, drops the first time), /short (always ends
early), /wrong (one bit is another), /long (more than there should be), /busy (503 twice), /gone (404), /moved (redirects), /slow."""
import http.server
import os
import sys
import threading
import time

data = open(sys.argv[1], "rb").read()
seen = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, form, *arguments):
        with open(sys.argv[3], "a") as log:
            log.write(f"{self.path} {self.headers.get('Range', '-')}\n")

    def log_error(self, form, *arguments):
        pass  # the request itself is logged

    def do_GET(self):
        path = self.path.strip("/").split("/")[0]
        count = seen[path] = seen.get(path, 0) + 1
        if path == "gone":
            return self.send_error(404)
        if path == "busy" and count <= 2:
            return self.send_error(503)
        if path == "moved":
            self.send_response(302)
            self.send_header("Location", "/good/file")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        body, start = data, 0
        if path == "wrong":
            body = data[:1000] + bytes([data[1000] ^ 1]) + data[1001:]
        if path == "long":
            body = data + b"more"
        if "Range" in self.headers and path != "noparts":
            start = int(self.headers["Range"].split("=")[1].split("-")[0])
        if start >= len(body):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        rest = body[start:]
        if path == "flaky" and len(rest) > 1000 or path == "noparts" and count == 1:
            rest = rest[: len(rest) // 3]
        if path == "short":
            rest = rest[: max(0, 5000 - start)]
        if path == "slow":
            for i in range(0, len(rest), 4096):
                self.wfile.write(rest[i:i + 4096])
                self.wfile.flush()
                time.sleep(0.02)
            return
        self.wfile.write(rest)
        self.wfile.flush()
        if len(rest) < len(body) - start:
            self.close_connection = True


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[2] + ".new", "w") as file:
    file.write(str(server.server_address[1]))
os.rename(sys.argv[2] + ".new", sys.argv[2])
threading.Thread(target=lambda: (time.sleep(300), os._exit(0)), daemon=True).start()
server.handle_error = lambda *arguments: None  # clients that leave are what is tested
server.serve_forever()
