"""A REST plugin that misbehaves as the message says: "/bad MODE". Prints its port. GET /log answers the calls so far,
POST /go lets those go on that are held."""

import json
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

log = []
running = 0
most = 0  # calls at a time
counting = threading.Lock()
seen = {}
shown = {}  # what GET /manifest answers
go = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def send(self, status, body, kind="application/json", headers=()):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    def say(self, text):
        self.send(200, {"actions": [{"type": "send", "text": text}], "state": None, "end": None})

    def do_GET(self):
        if self.path.endswith("/manifest"):
            shown["asked"] = shown.get("asked", 0) + 1
            return self.send(shown.get("status", 404), shown.get("body", "").encode(), shown.get("type", "application/json"))
        if self.path == "/shown":
            return self.send(200, shown)
        self.send(200, {"calls": log, "most": most})

    def do_PUT(self):
        """What GET /manifest answers from now on: {"status", "body", "type"}."""
        shown.clear()
        shown.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send(204, b"")

    def do_POST(self):
        global running, most
        if self.path == "/go":
            go.set()
            return self.send(204, b"")
        with counting:
            running += 1
            most = max(most, running)
        try:
            self.invoke()
        finally:
            with counting:
                running -= 1

    def invoke(self):
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        request = json.loads(raw)
        log.append({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()},
                    "body": raw.decode(), "request": request})
        _, mode, *rest = (request["event"].get("message") or {"text": "x job"})["text"].split(" ")
        key = self.headers["webhook-id"]
        seen[key] = seen.get(key, 0) + 1
        getattr(self, "mode_" + mode.replace("-", "_"))(request, seen[key], *rest)

    def mode_ok(self, request, n, *words):
        self.say("fine " + " ".join(words))

    def mode_state(self, request, n):
        count = request["dialog"]["state"].get("count", 0) + 1
        self.send(200, {"actions": [{"type": "send", "text": f"count {count}"}], "state": {"count": count}})

    def mode_hang(self, request, n):
        time.sleep(30)

    def mode_reset(self, request, n):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def mode_cut(self, request, n):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{\"act")
        self.close_connection = True

    def mode_status(self, request, n, status):
        self.send(int(status), b"<h1>sorry</h1>", "text/html")

    def mode_then(self, request, n, status, times):
        if n <= int(times):
            return self.send(int(status), {"error": "later"})
        self.say(f"at last, call {n}")

    def mode_after(self, request, n, seconds):
        if n == 1:
            return self.send(429, {"error": "slow down"}, headers=[("Retry-After", seconds)])
        self.say("thank you")

    def mode_drip(self, request, n):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n")
        try:
            for _ in range(99):
                self.wfile.write(b" ")
                time.sleep(0.1)
        except OSError:
            pass  # the caller has had enough
        self.close_connection = True

    def mode_type(self, request, n, kind):
        self.send(200, {"actions": []}, kind)

    def mode_utf8(self, request, n):
        self.send(200, b'{"actions":[{"type":"send","text":"\xff"}]}')

    def mode_deep(self, request, n):
        self.send(200, b'{"actions":[],"state":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}")

    def mode_keep(self, request, n, key, size):
        self.send(200, {"actions": [], "state": {key: "x" * int(size)}})

    def mode_nested(self, request, n, depth):
        self.send(200, b'{"actions":[],"state":{"a":' + b"[" * int(depth) + b"]" * int(depth) + b"}}")

    def mode_emit(self, request, n):
        self.send(200, {"actions": [{"type": "event", "name": "sold", "data": {"id": 7}}]})

    def mode_enter(self, request, n, state):
        self.send(200, {"actions": [{"type": "send", "text": "and?"}], "state": {"__state": state}})

    def mode_decline(self, request, n):
        self.send(200, {"actions": [], "declined": True})

    def mode_ranting(self, request, n):
        self.send(200, {"error": {"code": ["x"], "message": "\u20ac" * 40_000}})

    def mode_html(self, request, n):
        self.send(200, b"<html>hello</html>", "text/html")

    def mode_redirect(self, request, n):
        self.send(302, b"", headers=[("Location", "http://127.0.0.1:1/invoke")])

    def mode_big(self, request, n):
        self.send(200, b'{"actions":[],"x":"' + b"x" * 10_000_000 + b'"}')

    def mode_long(self, request, n):
        self.say("x" * 290_000)

    def mode_json(self, request, n, *document):
        self.send(200, " ".join(document).encode())

    def mode_error(self, request, n):
        self.send(200, {"actions": [], "error": {"code": "no_stock", "message": "sold out", "retryable": False}})

    def mode_slow(self, request, n, seconds):
        time.sleep(float(seconds))
        self.say("slow and sure")

    def mode_held(self, request, n):
        go.wait(60)
        go.clear()
        self.say("slow and sure")

    def mode_later(self, request, n, token, *more):
        self.send(202, {"continue": token, "actions": [{"type": "typing"}] if "typing" in more else None,
                        "declined": True if "declined" in more else None})

    def mode_job(self, request, n):
        self.say("the job: " + request["event"]["job"])

    def mode_schedule(self, request, n):
        self.send(200, {"actions": [{"type": "schedule", "in": 0, "job": "ring", "data": {"a": 1}},
                                    {"type": "send", "text": "noted"}]})


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a caller that has given up


server = Server(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
