#!/usr/bin/env python3
"""A REST plugin for Parley, in Python's standard library alone: it rolls dice.

    PARLEY_SIGNING_SECRET=whsec_... python3 plugin.py [PORT]

Parley calls POST /invoke with an InvokeRequestV1 and takes an InvokeResponseV1. Every call is signed
(Standard Webhooks): check it before anything else, or anybody could speak in Parley's name. A call that
Parley repeats carries the same webhook-id: answer it with what you have answered before.
"""
import base64
import collections
import hashlib
import hmac
import json
import os
import random
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE = 300  # seconds that a timestamp may be off: a recorded call cannot be replayed later
BODY_MAX = 1 << 20
REMEMBERED = 1000

TEXTS = {
    "en": {"rolled": "You rolled {dice}: {sum}. That was roll number {n}.", "usage": "For example: /roll 2d6"},
    "ru": {"rolled": "Выпало {dice}: {sum}. Это бросок номер {n}.", "usage": "Например: /roll 2d6"},
    "uk": {"rolled": "Випало {dice}: {sum}. Це кидок номер {n}.", "usage": "Наприклад: /roll 2d6"},
}


def verify(key, headers, body, now):
    """None when the signature is good, else what is wrong with it."""
    try:
        timestamp = int(headers.get("webhook-timestamp", ""))
    except ValueError:
        return "webhook-timestamp is missing"
    if abs(now - timestamp) > TOLERANCE:
        return "webhook-timestamp is too old or too new"
    signed = f"{headers.get('webhook-id', '')}.{timestamp}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    # More than one signature may be given while the secret is being changed.
    given = headers.get("webhook-signature", "").encode("latin-1").split(b" ")
    if not any(hmac.compare_digest(expected, g) for g in given):
        return "webhook-signature does not fit"
    return None


def answer(request):
    """InvokeRequestV1 -> InvokeResponseV1."""
    text = (request["event"].get("message") or {}).get("text", "")
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


class Memory:
    """The last answers by webhook-id. A real plugin keeps them where its effects are."""

    def __init__(self):
        self.lock, self.answers = threading.Lock(), collections.OrderedDict()

    def once(self, key, make):
        with self.lock:
            if key not in self.answers:
                self.answers[key] = make()
                while len(self.answers) > REMEMBERED:
                    self.answers.popitem(last=False)
            return self.answers[key]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds without a byte: a caller that has gone must not keep a thread
    key = b""
    memory = Memory()

    def reply(self, status, document):
        body = json.dumps(document, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        length = self.headers.get("Content-Length")
        problem = None
        if length is None:
            problem = 411, "Content-Length is missing"
        elif not re.fullmatch("[0-9]{1,10}", length):
            problem = 400, "Content-Length is no number"
        elif int(length) > BODY_MAX:
            problem = 413, "the body is too large"
        if problem:
            self.close_connection = True  # where the body ends is not known
            return self.reply(problem[0], {"error": problem[1]})
        body = self.rfile.read(int(length))
        if self.path != "/invoke":
            return self.reply(404, {"error": "no such path"})
        problem = verify(self.key, self.headers, body, time.time())
        if problem:
            return self.reply(401, {"error": problem})
        request = json.loads(body)
        self.reply(200, self.memory.once(self.headers["webhook-id"], lambda: answer(request)))

    def log_message(self, format, *args):
        print("plugin:", format % args, file=sys.stderr)


def main():
    secret = os.environ.get("PARLEY_SIGNING_SECRET", "")
    if not secret.startswith("whsec_"):
        sys.exit("PARLEY_SIGNING_SECRET=whsec_... is needed: the same as in Parley's configuration")
    Handler.key = base64.b64decode(secret[len("whsec_"):], validate=True)
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 9000), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
