"""A small HTTP server: /health answers at once, /bytes?n=N sends N bytes.

Usage: serve.py PORT. It listens on this machine only.
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body leave in two parts: the second would wait 40 ms

    def do_GET(self):
        url = urlsplit(self.path)
        body = b"ok"
        if url.path == "/bytes":
            body = b"x" * int(parse_qs(url.query)["n"][0])
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        """One line for each request would cost more than the request."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer)
    print("listening on port", sys.argv[1], flush=True)
    server.serve_forever()
