#!/usr/bin/env python3
"""A model server for specs: the chat completions protocol over a real socket, that misbehaves on request.

Prints its port once it listens. What it does is named by the request's model:

  ok             answers "echo: <the last user message>"
  say:TEXT       answers TEXT
  status:N       N, with an error document
  status-once:N  N for the first request of this server, then as ok
  limited:S      429 with Retry-After: S, once, then as ok
  hang           reads the request and never answers
  slow:S         as ok, after S seconds
  held           as ok, after POST /go
  reset          closes with a TCP reset
  garbage        200 with bytes that are no JSON
  truncated      200 with half of a JSON document
  short          200 whose Content-Length is larger than its body
  big            200 with a body of 3 MB
  json:DOC       200 with DOC as the whole body
  leak           401 that quotes the Authorization header, as some servers do

GET /log answers the requests so far: {"requests": [{"path", "headers", "body"}]}. It ends when its
standard input ends, so that it never outlives the spec.
"""
import json
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

log = []
lock = threading.Lock()
go = threading.Event()


def completion(model, text):
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model,
        "choices": [{"index": 0, "finish_reason": "stop",
                     "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500},
    }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body, headers=(), length=None):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def fail(self, status, message, headers=()):
        self.answer(status, {"error": {"message": message, "type": "fake"}}, headers)

    def do_GET(self):
        with lock:
            self.answer(200, {"requests": log})

    def do_POST(self):
        text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/go":
            go.set()
            return self.answer(200, {})
        try:
            body = json.loads(text)
        except ValueError:
            return self.fail(400, "the body is not JSON")
        with lock:
            log.append({"path": self.path, "headers": dict(self.headers), "body": body})
            count = len(log)
        if self.path != "/v1/chat/completions":
            return self.fail(404, "unknown path")
        model = body["model"]
        kind, _, value = model.partition(":")
        last = [m["content"] for m in body["messages"] if m["role"] == "user"][-1]
        reply = completion(model, "echo: " + last)
        if kind == "hang":
            time.sleep(60)
        elif kind == "reset":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
            self.close_connection = True
        elif kind == "held":
            go.wait(60)
            self.answer(200, reply)
        elif kind == "slow":
            time.sleep(float(value))
            self.answer(200, reply)
        elif kind == "status" or (kind == "status-once" and count == 1):
            self.fail(int(value), "told to fail")
        elif kind == "limited" and count == 1:
            self.fail(429, "slow down", [("Retry-After", value)])
        elif kind == "leak":
            self.fail(401, "bad key: " + self.headers.get("Authorization", ""))
        elif kind == "garbage":
            self.answer(200, b"\x00\xff<html>not json")
        elif kind == "truncated":
            whole = json.dumps(reply).encode()
            self.answer(200, whole[: len(whole) // 2])
        elif kind == "short":
            self.answer(200, b'{"choices":', length=5000)
        elif kind == "big":
            self.answer(200, completion(model, "x" * 3_000_000))
        elif kind == "json":
            self.answer(200, value.encode())
        elif kind == "say":
            self.answer(200, completion(model, value))
        else:
            self.answer(200, reply)

    def finish(self):
        try:
            super().finish()
        except (OSError, ValueError):
            pass  # the connection was reset on purpose, or the client left


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # clients that leave early are what the specs are about


def main():
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


main()
