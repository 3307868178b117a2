"""A REST plugin that does something outside at each call, once per webhook-id as vendors are asked to, and answers
like the plugin tally. Prints its port. GET /acted answers what it has done: [webhook-id, dialog, number]."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

acted = []
answers = {}
lock = threading.Lock()


def act(key, request):
    with lock:
        if key not in answers:
            number = request["event"]["message"]["text"].split(" ")[1]
            state = request["dialog"]["state"]
            count, before = state.get("count", 0) + 1, state.get("last", "none")
            acted.append([key, request["dialog"]["id"], number])
            answers[key] = {"actions": [{"type": "send", "text": f"{count} after {before}"}],
                            "state": {"count": count, "last": number}}
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
            self.send(acted)

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
