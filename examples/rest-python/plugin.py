#!/usr/bin/env python3
"""A REST plugin for Parley, in Python's standard library alone: it rolls dice.

    PARLEY_SIGNING_SECRET=whsec_... python3 plugin.py [PORT]
    PARLEY_URL=http://... PARLEY_REGISTRY_KEY=prl_reg_... python3 plugin.py [PORT]

The first form takes the secret that Parley's configuration has; the second registers itself and gets one.
PLUGIN_URL is where Parley reaches it, default http://127.0.0.1:PORT. It prints its port when it listens.
"""
import contextlib
import json
import os
import random
import re
import sys
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import webhook
from registration import Registration

FOLDER = os.path.dirname(os.path.abspath(__file__))
BODY_MAX = 1 << 20

TEXTS = {
    "en": {"rolled": "You rolled {dice}: {sum}. That was roll number {n}.", "usage": "For example: /roll 2d6"},
    "ru": {"rolled": "Выпало {dice}: {sum}. Это бросок номер {n}.", "usage": "Например: /roll 2d6"},
    "uk": {"rolled": "Випало {dice}: {sum}. Це кидок номер {n}.", "usage": "Наприклад: /roll 2d6"},
}


def answer(request):
    """InvokeRequestV1 -> InvokeResponseV1."""
    text = (request["event"].get("message") or {}).get("text") or ""
    texts = TEXTS.get((request["user"].get("locale") or "en")[:2], TEXTS["en"])
    match = re.fullmatch(r"/roll(?:@\S+)?(?:\s+(\d{1,2})d(\d{1,3}))?\s*", text)
    if not match:
        return {"actions": [{"type": "send", "text": texts["usage"]}]}
    count, sides = max(1, int(match[1] or 1)), max(2, int(match[2] or 6))
    dice = [random.randint(1, sides) for _ in range(count)]
    n = request["dialog"]["state"].get("rolls", 0) + 1
    return {
        "actions": [{
            "type": "send",
            "text": texts["rolled"].format(dice=" + ".join(map(str, dice)), sum=sum(dice), n=n),
            "buttons": [[{"text": f"/roll {count}d{sides}"}]],
        }],
        "state": {"rolls": n},
    }


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
                result = self.server.answers.once(self.headers["webhook-id"], lambda: answer(request))
        except Exception:
            traceback.print_exc()
            return self.reply(500, {"error": "see the plugin's log"})
        self.reply(200, result)

    def log_message(self, format, *args):
        print("plugin:", format % args, file=sys.stderr)


class Plugin(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", port), Handler)
        self.key = None  # until Parley has given one
        self.answers = webhook.Answers()
        self.lock, self.inflight = threading.Lock(), 0
        with open(os.path.join(FOLDER, "manifest.json"), encoding="utf-8") as file:
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


def main():
    secret, url, registry_key = (os.environ.get("PARLEY_" + name, "") for name in (
        "SIGNING_SECRET", "URL", "REGISTRY_KEY"))
    if not secret and not (url and registry_key):
        sys.exit("PARLEY_SIGNING_SECRET is needed, or PARLEY_URL and PARLEY_REGISTRY_KEY")
    plugin = Plugin(int(sys.argv[1]) if len(sys.argv) > 1 else 9000)
    if secret:
        plugin.use_secret(secret)
    print(plugin.server_port, flush=True)
    if url and registry_key:
        path = os.environ.get("PARLEY_CREDENTIALS", "parley-credentials.json")
        registration = Registration(url, registry_key, plugin.manifest, path)
        registration.start(plugin.use_secret, lambda: plugin.inflight)
    plugin.serve_forever()


if __name__ == "__main__":
    main()
