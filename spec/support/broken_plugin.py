"""REST plugins with one fault each, for the checks of `parley conformance`: http://127.0.0.1:PORT/FAULT.

Plugin has none; what a subclass changes is its fault. Takes the signing secret from PARLEY_SIGNING_SECRET, prints
its port.
"""
import collections
import hmac
import json
import os
import random
import re
import secrets
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.dont_write_bytecode = True
sys.path.insert(0, "examples/rest-python")
import webhook  # noqa: E402

KEY = webhook.key_of(os.environ["PARLEY_SIGNING_SECRET"])


class Refusal(Exception):
    """An answer by its status."""

    def __init__(self, status, text="no"):
        super().__init__(text)
        self.status = status


def send(text):
    return {"actions": [{"type": "send", "text": text}]}


class Plugin:
    status = 200
    kind = "application/json"
    manifest_kind = "application/json"
    body_max = 1 << 20
    closes = False

    def __init__(self):
        self.answers = webhook.Answers()
        self.lock, self.running = threading.Lock(), 0

    def manifest(self):
        return {
            "schema": "v1alpha", "name": "broken", "version": "1.0.0", "api": "1", "transport": "rest",
            "endpoint": "http://127.0.0.1:9000", "commands": [{"name": "break"}], "limits": {"timeout_ms": 3000},
        }

    def get(self, method, path):
        if path == "/manifest":
            return self.manifest()
        raise Refusal(405 if path == "/invoke" else 404)

    def find(self, path):
        """POST to this path is an invocation, or a Refusal."""
        if path != "/invoke":
            raise Refusal(404)

    def verify(self, headers, body, now):
        problem = webhook.verify(KEY, headers, body, now)
        if problem:
            raise Refusal(401, problem)

    def parse(self, body):
        try:
            return json.loads(body)
        except ValueError:
            raise Refusal(400) from None

    def answer(self, request):
        return send(f"number {random.random()}")

    def once(self, delivery, make):
        return self.answers.once(delivery, make)

    def post(self, path, headers, body):
        self.find(path)
        self.verify(headers, body, time.time())
        request = self.parse(body)
        with self.lock:
            self.running += 1
        try:
            return self.once(headers.get("webhook-id", ""), lambda: self.answer(request))
        finally:
            with self.lock:
                self.running -= 1


# --- the manifest


class ManifestInvalid(Plugin):
    def manifest(self):
        return {**super().manifest(), "version": "one"}


class ManifestLua(Plugin):
    def manifest(self):
        manifest = {**super().manifest(), "transport": "lua"}
        del manifest["endpoint"]
        return manifest


class ManifestMissing(Plugin):
    def get(self, method, path):
        raise Refusal(405 if path == "/invoke" else 404)


class ManifestType(Plugin):
    manifest_kind = "text/html"


class ManifestRestless(Plugin):
    def manifest(self):
        return {**super().manifest(), "description": str(random.random())}


# --- signatures


class SignsBodyOnly(Plugin):
    def verify(self, headers, body, now):
        if webhook.sign(KEY, "", "", body) != headers.get("webhook-signature"):
            raise Refusal(401)


class Deaf(Plugin):
    def manifest(self):
        return {**super().manifest(), "limits": {"timeout_ms": 200}}

    def find(self, path):
        time.sleep(30)


class OneSignature(Plugin):
    def verify(self, headers, body, now):
        super().verify(headers, body, now)
        if " " in headers["webhook-signature"]:
            raise Refusal(401)


class CaseSensitive(Plugin):
    def verify(self, headers, body, now):
        super().verify(dict(headers.items()), body, now)


class Compares(Plugin):
    """A base for those that compare the signature in their own way."""

    def fits(self, expected, given):
        return expected == given

    def signed(self, body):
        return body

    def verify(self, headers, body, now):
        body = self.signed(body)
        if webhook.verify(KEY, headers, body, now) is None:
            return
        delivery, timestamp, given = (headers.get("webhook-" + n, "") for n in ("id", "timestamp", "signature"))
        if not delivery or not timestamp.isdigit() or abs(now - int(timestamp)) > webhook.TOLERANCE:
            raise Refusal(401)
        if not self.fits(webhook.sign(KEY, delivery, timestamp, body), given):
            raise Refusal(401)


class ComparesEnd(Compares):
    def fits(self, expected, given):
        return expected[10:] == given[10:]


class ComparesStart(Compares):
    def fits(self, expected, given):
        return len(given) > 10 and expected.startswith(given)


class ComparesShape(Compares):
    def fits(self, expected, given):
        return len(given) == len(expected)


class TripsOnSignature(Compares):
    def fits(self, expected, given):
        return hmac.compare_digest(expected, given)  # a TypeError when it is not ASCII


class TrimsBody(Compares):
    def signed(self, body):
        return body.strip()


class Shifts(Plugin):
    """Measures time with a clock that is wrong, and so takes what is too old, or too new."""
    by = 0

    def verify(self, headers, body, now):
        try:
            super().verify(headers, body, now)
        except Refusal:
            super().verify(headers, body, now + self.by)


class AcceptsOld(Shifts):
    by = -600


class AcceptsNew(Shifts):
    by = 600


class SkipsWhenMissing(Plugin):
    def verify(self, headers, body, now):
        if all(headers.get("webhook-" + name) for name in ("id", "timestamp", "signature")):
            super().verify(headers, body, now)


class TripsWhenMissing(Plugin):
    def verify(self, headers, body, now):
        if not all(headers.get("webhook-" + name) for name in ("id", "timestamp", "signature")):
            raise KeyError("webhook")
        super().verify(headers, body, now)


class ReadsNumberLoosely(Plugin):
    def verify(self, headers, body, now):
        timestamp = headers.get("webhook-timestamp", "")
        if re.fullmatch("[0-9]+x", timestamp):
            signature = webhook.sign(KEY, headers["webhook-id"], timestamp, body)
            if signature == headers["webhook-signature"]:
                return
        super().verify(headers, body, now)


# --- replays


class Forgets(Plugin):
    def once(self, delivery, make):
        return make()


class RemembersLate(Plugin):
    def __init__(self):
        super().__init__()
        self.done = {}

    def once(self, delivery, make):
        if delivery not in self.done:
            answer = make()
            time.sleep(0.05)
            self.done[delivery] = answer
            return answer
        return self.done[delivery]


class RefusesAll(Plugin):
    """Of several calls at once it refuses each, and waits for another that never comes."""

    def __init__(self):
        super().__init__()
        self.calls = collections.Counter()

    def once(self, delivery, make):
        with self.lock:
            self.calls[delivery] += 1
        time.sleep(0.05)
        if self.calls[delivery] > 1:
            raise Refusal(409)
        return make()


class Conflict(Plugin):
    """No fault: 409 is an answer to a call that comes again."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def once(self, delivery, make):
        with self.lock:
            if delivery in self.seen:
                raise Refusal(409)
            self.seen.add(delivery)
        return make()


class RemembersRefusals(Plugin):
    def __init__(self):
        super().__init__()
        self.refused = set()

    def verify(self, headers, body, now):
        delivery = headers.get("webhook-id")
        if delivery in self.refused:
            raise Refusal(401)
        try:
            super().verify(headers, body, now)
        except Refusal:
            self.refused.add(delivery)
            raise


# --- events and envelopes


class Trips(Plugin):
    """Answers 500 to what it does not expect."""

    def surprising(self, request):
        return False

    def answer(self, request):
        if self.surprising(request):
            raise Refusal(500)
        return super().answer(request)


def trips(test):
    return type("TripsOn", (Trips,), {"surprising": lambda self, request: test(request)})


def text_of(request):
    return request["event"].get("message", {}).get("text", "")


KNOWN = {"invocation_id", "attempt", "deadline_ms", "plugin", "dialog", "user", "event", "intent", "history",
         "config", "trace_id"}

TripsOnCommand = trips(lambda request: request["event"]["type"] == "command")
TripsOnCallback = trips(lambda request: request["event"]["type"] == "callback")
TripsOnJob = trips(lambda request: request["event"]["type"] == "job")
TripsOnEvent = trips(lambda request: request["event"]["type"] == "event")
TripsOnPhoto = trips(lambda request: request["event"]["type"] == "photo")
TripsOnUnknown = trips(lambda request: not set(request) <= KNOWN)
TripsOnNameless = trips(lambda request: "name" not in request["user"])
TripsOnUkrainian = trips(lambda request: "Привіт" in text_of(request))
TripsOnLong = trips(lambda request: len(text_of(request)) > 10000)
TripsUnlessAsked = trips(lambda request: request["event"]["type"] == "text"
                         and not text_of(request).startswith("weather in " + request["config"].get("city", "?")))
TripsOnIntent = trips(lambda request: "intent" in request)


class SmallBody(Plugin):
    body_max = 100_000


# --- HTTP


class InvokesByGet(Plugin):
    def get(self, method, path):
        return send("here") if path == "/invoke" and method == "GET" else super().get(method, path)


class InvokesByHead(Plugin):
    def get(self, method, path):
        return send("here") if path == "/invoke" and method == "HEAD" else super().get(method, path)


class InvokesAnywhere(Plugin):
    def find(self, path):
        pass


class TripsOnJson(Plugin):
    def parse(self, body):
        return json.loads(body)


class Greedy(Plugin):
    body_max = 1 << 24


class Narrow(Plugin):
    def answer(self, request):
        time.sleep(0.05)
        if self.running > 4:
            raise Refusal(500)
        return super().answer(request)


class Closes(Plugin):
    closes = True


class Dawdles(Plugin):
    def answer(self, request):
        if request["deadline_ms"] <= 1000:
            time.sleep(5)
        return super().answer(request)


class Breaks(Plugin):
    """Answers nothing after the call that has one second."""
    broken = False

    def find(self, path):
        super().find(path)
        if self.broken:
            raise Refusal(500)

    def answer(self, request):
        self.broken = request["deadline_ms"] <= 1000
        return super().answer(request)


# --- answers


def says(document, **more):
    return type("Says", (Plugin,), {"answer": lambda self, request: document, **more})


class AnswerType(Plugin):
    kind = "text/html"


class ReportsError(Plugin):
    def answer(self, request):
        if request["event"]["type"] == "job":
            return {"actions": [], "error": {"code": "lost", "message": "no such job"}}
        return super().answer(request)


class SaysMuch(Plugin):
    def manifest(self):
        return {**super().manifest(), "limits": {"reply_bytes": 1000}}

    def answer(self, request):
        return send("x" * 2000)


SaysNothing = says({"actions": [{"type": "send"}]})
SaysState = says({"actions": [], "state": [1]})
SaysMany = says({"actions": [{"type": "typing"}] * 60})
KeepsMuch = says({"actions": [], "state": {"a": "x" * 70000}})
Schedules = says({"actions": [{"type": "schedule", "in": 1, "job": "ring"}]})
Slips = says({"actions": [], "stat": {}})
IsList = says([])


class NoJson(Plugin):
    def answer(self, request):
        return b"fine"


class Later(Plugin):
    """No fault: answers 202, and would post the actions afterwards."""
    status = 202

    def answer(self, request):
        return {"continue": secrets.token_hex(16)}


class LaterSame(Later):
    def answer(self, request):
        return {"continue": "the-same-for-each-call"}


class LaterShort(Later):
    def answer(self, request):
        return {"continue": str(random.random())[:9]}


FAULTS = {name: value() for name, value in list(globals().items())
          if isinstance(value, type) and issubclass(value, Plugin)}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def reply(self, status, document, kind="application/json"):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def serve(self, make):
        _, name, path = self.path.split("/", 2)
        plugin = FAULTS[name]
        self.close_connection = plugin.closes
        try:
            self.reply(*make(plugin, "/" + path))
        except Refusal as refusal:
            self.reply(refusal.status, {"error": str(refusal)})
        except Exception as error:
            self.reply(500, {"error": repr(error)})

    def do_GET(self):
        self.serve(lambda plugin, path: (200, plugin.get(self.command, path), plugin.manifest_kind))

    do_HEAD = do_GET

    def do_POST(self):
        def make(plugin, path):
            length = int(self.headers["Content-Length"])
            if length > plugin.body_max:
                self.close_connection = True
                raise Refusal(413)
            return plugin.status, plugin.post(path, self.headers, self.rfile.read(length)), plugin.kind
        self.serve(make)


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a caller that has given up


server = Server(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
