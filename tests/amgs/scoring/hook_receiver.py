"""A program that receives webhooks, as a lab would run one: a process that can be killed.

``python hook_receiver.py PORT FILE STATUS`` answers every POST with STATUS and appends what came
to FILE as a line of JSON.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

port, file, status = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])


class Receiver(BaseHTTPRequestHandler):
    """Keeps what comes and says what it was told to say."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        with file.open("a") as lines:
            lines.write(json.dumps({"path": self.path, "headers": headers, "body": body}) + "\n")
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", f"http://127.0.0.1:{port}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Keep the test's output free of requests."""


server = HTTPServer(("127.0.0.1", port), Receiver)
print(server.server_port, flush=True)
server.serve_forever()
