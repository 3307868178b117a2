"""A REST plugin that does something outside at each call, once per webhook-id as vendors are asked to, and answers
like the plugin tally, also to its jobs. A call that comes again gets the answer of the first one, with the state
of that time: whatever went in between is lost, and shows. Prints its port. GET /acted answers what it has done
for messages: [webhook-id, dialog, number], GET /called the same of each call. "/act N slow" takes a while."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

acted = []
called = []
answers = {}
lock = threading.Lock()
SLOW_S = 2


def count(dialog, state, text, key):
    number, *rest = text.split(" ")[1:]
    acted.append([key, dialog, number])
    total, before = state.get("count", 0) + 1, state.get("last", "none")
    actions = [{"type": "send", "text": f"{total} after {before}"}]
    if rest == ["ring"]:
        actions.append({"type": "schedule", "job": "ring", "in": 0, "data": {"n": number}})
    return {"actions": actions, "state": {**state, "count": total, "last": number}}


def ring(state, data):
    return {"actions": [], "state": {**state, "rung": [*state.get("rung", []), data["n"]]}}


def note(key, request):
    if request["event"]["type"] != "job":
        words = request["event"]["message"]["text"].split(" ")
        with lock:
            called.append([key, request["dialog"]["id"], words[1]])
        if "slow" in words:
            time.sleep(SLOW_S)


def act(key, request):
    note(key, request)
    with lock:
        if key not in answers:
            event, dialog = request["event"], request["dialog"]
            if event["type"] == "job":
                answers[key] = ring(dialog["state"], event["data"])
            else:
                answers[key] = count(dialog["id"], dialog["state"], event["message"]["text"], key)
        return answers[key]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet for each answer

    def log_message(self, *args):
        pass

    def send(self, body):
        body = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        with lock:
            self.send(called if self.path == "/called" else acted)

    def do_POST(self):
        self.send(act(self.headers["webhook-id"], json.loads(self.rfile.read(int(self.headers["Content-Length"])))))


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a caller that was killed


server = Server(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
