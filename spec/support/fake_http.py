"""An HTTP server that misbehaves as the path says, on raw sockets. Prints its port."""

import email
import email.policy
import hashlib
import json
import os
import socket
import struct
import threading
import time

connections = 0


def head(status="200 OK", **headers):
    lines = [f"HTTP/1.1 {status}"] + [f"{k.replace('_', '-')}: {v}" for k, v in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def plain(c, body, status="200 OK", **headers):
    body = body.encode() if isinstance(body, str) else body
    c.sendall(head(status, Content_Length=len(body), **headers) + body)


def chunk(data):
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def drip(c):
    c.sendall(head(Content_Length=1000))
    for _ in range(1000):
        c.sendall(b".")
        time.sleep(0.02)


def stream(c, path):
    c.sendall(head(Transfer_Encoding="chunked"))
    for i in range(int(path.rsplit("/", 1)[1])):
        c.sendall(chunk(f"piece {i};".encode() * 1000))
    c.sendall(b"0\r\n\r\n")


def big_chunked(c):
    c.sendall(head(Transfer_Encoding="chunked"))
    for _ in range(10000):
        c.sendall(chunk(b"x" * 65536))


def answer(c, n, method, path, headers, body):
    """False: the connection is over."""
    if path == "/ok":
        plain(c, "fine", Content_Type="text/plain", X_Twice="a", x_twice="b")
    elif path == "/echo":
        plain(c, json.dumps({
            "method": method, "headers": headers, "body": body.decode("latin-1"), "connection": n}),
            Content_Type="application/json")
    elif path == "/form":
        text = b"Content-Type: " + headers["content-type"].encode() + b"\r\n\r\n" + body
        parts = email.message_from_bytes(text, policy=email.policy.HTTP).iter_parts()
        plain(c, json.dumps([{
            "name": p.get_param("name", header="content-disposition"), "filename": p.get_filename(),
            "type": p.get("content-type"), "length": len(p.get_payload(decode=True)),
            "sha256": hashlib.sha256(p.get_payload(decode=True)).hexdigest(), "connection": n} for p in parts]))
    elif path == "/length":
        plain(c, str(len(body)))
    elif path.startswith("/status/"):
        plain(c, "words", f"{path[8:]} Words")
    elif path == "/chunked":
        c.sendall(head(Transfer_Encoding="chunked") + chunk(b"one ") + chunk(b"two") + b"0\r\nTrailer: x\r\n\r\n")
    elif path == "/continue":
        c.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        plain(c, "after hints")
    elif path == "/redirect":
        plain(c, "there", "302 Found", Location="/ok")
    elif path == "/drip":
        drip(c)
    elif path == "/hang":
        time.sleep(60)
    elif path == "/close":
        return False
    elif path == "/reset":
        reset(c)
        return False
    elif path == "/cut":
        c.sendall(head(Content_Length=100) + b"only this")
        return False
    elif path == "/cut-chunk":
        c.sendall(head(Transfer_Encoding="chunked") + b"10\r\nonly")
        return False
    elif path == "/garbage":
        c.sendall(os.urandom(64) + b"\r\n\r\n")
        return False
    elif path == "/http09":
        c.sendall(b"just text\n")
        return False
    elif path == "/bad-chunk":
        c.sendall(head(Transfer_Encoding="chunked") + b"zz\r\nonly\r\n")
        return False
    elif path == "/headers":
        c.sendall(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 1000) for i in range(200)) + b"\r\n")
    elif path == "/header-lines":
        c.sendall(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"Content-Length: 0\r\n\r\n")
    elif path == "/header-line":
        c.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 400000 + b"\r\n\r\n")
    elif path.startswith("/json/"):
        plain(c, b'{"a": "' + b"x" * int(path[6:]) + b'"}', Content_Type="application/json")
    elif path == "/big":
        plain(c, b"x" * 5_000_000)
    elif path == "/big-chunked":
        big_chunked(c)
    elif path.startswith("/stream/"):
        stream(c, path)
    elif path == "/stream-cut":
        c.sendall(head(Transfer_Encoding="chunked") + chunk(b"before ") + chunk(b"the end"))
        time.sleep(0.05)
        reset(c)
        return False
    else:
        plain(c, "no such path", "404 Not Found")
    return True


def serve(c, n):
    f = c.makefile("rb")
    try:
        while True:
            if f.peek(1)[:1] == b"\x16":  # a TLS handshake
                c.sendall(head("400 Bad Request"))
                return
            line = f.readline().decode("latin-1")
            if not line:
                return
            method, path, _ = line.split(" ", 2)
            headers = {}
            while (line := f.readline().decode("latin-1").rstrip("\r\n")) != "":
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            body = f.read(int(headers.get("content-length", 0)))
            if not answer(c, n, method, path, headers, body):
                return
    except (OSError, ValueError):
        pass
    finally:
        f.close()
        c.close()


def main():
    global connections
    s = socket.create_server(("127.0.0.1", 0), backlog=512)
    print(s.getsockname()[1], flush=True)
    while True:
        c, _ = s.accept()
        connections += 1
        threading.Thread(target=serve, args=(c, connections), daemon=True).start()


main()
