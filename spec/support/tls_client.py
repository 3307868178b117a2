"""A TLS client that does what WHAT says to 127.0.0.1:PORT, and prints JSON about it.
`python3 tls_client.py WHAT PORT CERTIFICATE [PATH]`."""

import json
import socket
import ssl
import sys
import time

what, port, certificate = sys.argv[1], int(sys.argv[2]), sys.argv[3]
path = sys.argv[4] if len(sys.argv) > 4 else "/"


def context(version=None):
    c = ssl.create_default_context(cafile=certificate)
    c.check_hostname = True
    if version:
        c.minimum_version = c.maximum_version = version
    return c


def connect(c=None, session=None):
    s = socket.create_connection(("127.0.0.1", port), timeout=30)
    return (c or context()).wrap_socket(s, server_hostname="localhost", session=session)


def request(s):
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return answer(s)


def answer(s):
    data = b""
    while b"\r\n\r\n" not in data:
        got = s.recv(65536)
        if not got:
            return data.decode()
        data += got
    head, _, body = data.partition(b"\r\n\r\n")
    length = int([l for l in head.split(b"\r\n") if l.lower().startswith(b"content-length")][0].split(b":")[1])
    while len(body) < length:
        body += s.recv(65536)
    return head.split(b" ")[1].decode() + " " + body[:200].decode()


def rest(s):
    """What comes until the end, and how that is."""
    data = b""
    try:
        while got := s.recv(65536):
            data += got
        return [data.hex(), "end"]
    except OSError as e:
        return [data.hex(), type(e).__name__]


def hello():
    """The first flight of a handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    o = context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        o.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def resume(version):
    c = context(version)
    s = connect(c)
    request(s)
    again = connect(c, session=s.session)
    request(again)
    return {"first": s.session_reused, "second": again.session_reused, "version": again.version()}


def run():
    if what == "versions":
        out = {}
        for name in ("TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3"):
            c = context(getattr(ssl.TLSVersion, name))
            c.set_ciphers("ALL:@SECLEVEL=0")
            try:
                s = connect(c)
                out[name] = [request(s), s.cipher()[0]]
            except (ssl.SSLError, OSError) as e:
                out[name] = "refused"
        return out
    if what == "ciphers":  # without forward secrecy, or without authentication of what is sent
        out = {}
        for name in ("AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-SHA", "ECDHE-ECDSA-AES256-GCM-SHA384"):
            c = context(ssl.TLSVersion.TLSv1_2)
            c.set_ciphers(name + ":@SECLEVEL=0")
            try:
                out[name] = request(connect(c))
            except (ssl.SSLError, OSError):
                out[name] = "refused"
        return out
    if what == "alpn":
        out = {}
        for offered in ("http/1.1", "h2,http/1.1", "h2"):
            c = context()
            c.set_alpn_protocols(offered.split(","))
            try:
                out[offered] = connect(c).selected_alpn_protocol()
            except ssl.SSLError:
                out[offered] = "refused"
        return out
    if what == "resume":
        return [resume(ssl.TLSVersion.TLSv1_2), resume(ssl.TLSVersion.TLSv1_3)]
    if what == "bytewise":  # each byte in a segment of its own, handshake and request
        raw = socket.create_connection(("127.0.0.1", port), timeout=30)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        o = context().wrap_bio(incoming, outgoing, server_hostname="localhost")

        def step(f):
            while True:
                try:
                    result = f()
                except ssl.SSLWantReadError:
                    result = None
                for byte in outgoing.read():
                    raw.sendall(bytes([byte]))
                if result is not None:
                    return result
                got = raw.recv(65536)
                if not got:
                    raise EOFError
                incoming.write(got)

        step(lambda: o.do_handshake() or True)
        step(lambda: o.write(b"GET /bytewise HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
        return step(lambda: o.read(65536)).decode().split("\r\n\r\n")[1]
    if what == "garbage":
        out = []
        first = hello()
        for data in (b"\0" * 100, b"\x16\x03\x01\xff\xff" + b"x" * 100, b"\x80\x2e\x01\0\x02" + b"\0" * 50,
                     first[:20] + b"\xff" * 200, first + b"\x17\x03\x03\x00\x05hello", first + first):
            s = socket.create_connection(("127.0.0.1", port), timeout=30)
            s.sendall(data)
            out.append(rest(s))
        return out
    if what == "truncated":  # the handshake ends in the middle, for each prefix of some lengths
        first = hello()
        for n in range(0, len(first), 37):
            s = socket.create_connection(("127.0.0.1", port), timeout=30)
            s.sendall(first[:n])
            s.shutdown(socket.SHUT_WR)
            rest(s)
        return "done"
    if what == "slow":
        s = socket.create_connection(("127.0.0.1", port), timeout=30)
        s.sendall(hello()[:50])
        return rest(s)
    if what == "silent":
        return rest(socket.create_connection(("127.0.0.1", port), timeout=30))
    if what == "plain":
        out = {}
        for line in ("GET / HTTP/1.1", "POST / HTTP/1.1", "OPTIONS * HTTP/1.1"):
            s = socket.create_connection(("127.0.0.1", port), timeout=30)
            s.sendall((line + "\r\nHost: x\r\n\r\n").encode())
            out[line.split()[0]] = bytes.fromhex(rest(s)[0]).decode("latin-1")
        return out
    if what == "pipelined":
        s = connect()
        s.sendall(b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return bytes.fromhex(rest(s)[0]).decode()
    if what == "goodbye":  # what is the end of a connection like: a close_notify, or just cut off
        s = connect()
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        s.suppress_ragged_eofs = False
        return rest(s)[1]
    if what == "hold":  # one connection across what happens to the server; a line on stdin: the next request
        s = connect()
        print(json.dumps([request(s), s.getpeercert(True).hex()[-32:]]), flush=True)
        for _ in sys.stdin:
            print(json.dumps([request(s), s.getpeercert(True).hex()[-32:]]), flush=True)
        return "done"
    if what == "load":  # requests on new and old connections for as long as stdin is open
        import threading
        stop, counts, failures = [], [], []

        def work(n):
            done = 0
            s = None
            while not stop:
                try:
                    if s is None:
                        c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                        c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
                        s = connect(c)
                    if not request(s).startswith("200"):
                        raise OSError("bad answer")
                    done += 1
                    if n % 2 == 0 and done % 5 == 0:
                        s.close()
                        s = None
                except OSError as e:
                    failures.append(repr(e))
                    s = None
            counts.append(done)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for t in threads:
            t.start()
        print(json.dumps("ready"), flush=True)
        sys.stdin.read()
        stop.append(True)
        for t in threads:
            t.join()
        return {"done": sum(counts), "failures": failures[:5]}
    if what == "handshakes":  # many that begin and wait
        ss = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(20)]
        for s in ss:
            s.sendall(hello()[:30])
        out = request(connect())
        time.sleep(0)
        return [out, [rest(s)[1] for s in ss]]
    raise SystemExit("what?")


print(json.dumps(run()), flush=True)
