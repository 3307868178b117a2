"""What every REST plugin does: it serves GET /manifest and POST /invoke, checks who calls, answers a repeated call
with the first answer, registers when it is told to. `serve(answer, folder)` is all that a plugin calls.

Settings come from the environment: PARLEY_SIGNING_SECRET, the secret that Parley's configuration has; or PARLEY_URL and
PARLEY_REGISTRY_KEY, to register and be given one. PLUGIN_URL is where Parley reaches it, default http://127.0.0.1:PORT.
"""
import contextlib
import json
import os
import re
import sys
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import webhook
from registration import Registration

BODY_MAX = 1 << 20


class Handler(BaseHTTPRequestHandler):
    """GET /manifest, POST /invoke."""
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds without a byte: a caller that has gone must not keep a thread
    disable_nagle_algorithm = True  # head and body are two writes: the second would wait 40 ms for an acknowledgement

    def reply(self, status, document, headers=()):
        body = json.dumps(document, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        if self.path == "/manifest":
            self.reply(200, self.server.manifest)
        elif self.path == "/invoke":
            self.reply(405, {"error": "POST only"}, [("Allow", "POST")])
        else:
            self.reply(404, {"error": "no such path"})

    do_HEAD = do_GET

    def read_body(self):
        """The body; None when it was refused."""
        length = self.headers.get("Content-Length")
        problem = None
        if length is None:
            problem = 411, "Content-Length is missing"
        elif not re.fullmatch("[0-9]{1,10}", length):
            problem = 400, "Content-Length is no number"
        elif int(length) > BODY_MAX:
            problem = 413, "the body is too large"
        if not problem:
            return self.rfile.read(int(length))
        self.close_connection = True  # where the body ends is not known, or nobody wants to read it
        self.reply(problem[0], {"error": problem[1]}, [("Connection", "close")])
        return None

    def do_POST(self):
        body = self.read_body()
        if body is None:
            return
        if self.path != "/invoke":
            return self.reply(404, {"error": "no such path"})
        if self.server.key is None:  # Parley comes again
            return self.reply(503, {"error": "not registered yet"}, [("Retry-After", "1")])
        problem = webhook.verify(self.server.key, self.headers, body, time.time())
        if problem:
            return self.reply(401, {"error": problem})
        try:
            request = json.loads(body)
        except ValueError as error:
            return self.reply(400, {"error": f"not JSON: {error}"})
        try:
            with self.server.running():
                result = self.server.answers.once(self.headers["webhook-id"], lambda: self.server.answer(request))
        except Exception:
            traceback.print_exc()
            return self.reply(500, {"error": "see the plugin's log"})
        self.reply(200, result)

    def log_message(self, format, *args):
        print("plugin:", format % args, file=sys.stderr)


class Plugin(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def __init__(self, port, answer, folder):
        super().__init__(("127.0.0.1", port), Handler)
        self.answer = answer
        self.key = None  # until Parley has given one
        self.answers = webhook.Answers()
        self.lock, self.inflight = threading.Lock(), 0
        with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as file:
            self.manifest = json.load(file)
        self.manifest["endpoint"] = os.environ.get("PLUGIN_URL") or f"http://127.0.0.1:{self.server_port}"

    @contextlib.contextmanager
    def running(self):
        with self.lock:
            self.inflight += 1
        try:
            yield
        finally:
            with self.lock:
                self.inflight -= 1

    def use_secret(self, secret):
        self.key = webhook.key_of(secret)


def serve(answer, folder):
    """Serves for ever, on the port that the command line has; prints it when it listens. `answer` makes an
    InvokeResponseV1 of an InvokeRequestV1; `folder` has manifest.json."""
    secret, url, registry_key = (os.environ.get("PARLEY_" + name, "") for name in (
        "SIGNING_SECRET", "URL", "REGISTRY_KEY"))
    if not secret and not (url and registry_key):
        sys.exit("PARLEY_SIGNING_SECRET is needed, or PARLEY_URL and PARLEY_REGISTRY_KEY")
    plugin = Plugin(int(sys.argv[1]) if len(sys.argv) > 1 else 9000, answer, folder)
    if secret:
        plugin.use_secret(secret)
    print(plugin.server_port, flush=True)
    if url and registry_key:
        path = os.environ.get("PARLEY_CREDENTIALS", "parley-credentials.json")
        registration = Registration(url, registry_key, plugin.manifest, path)
        registration.start(plugin.use_secret, lambda: plugin.inflight)
    plugin.serve_forever()

