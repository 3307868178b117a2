"""A name server on 127.0.0.1:53 of a network namespace of its own, whose loopback it brings up first. Prints a line when it
listens. Names that begin with `turns` have a public address for the first who asks, and loopback from then on."""

import fcntl
import socket
import struct

PUBLIC, LOOPBACK = "93.184.216.34", "127.0.0.1"
A, AAAA = 1, 28

ADDRESSES = {
    ("both.test", A): [PUBLIC, LOOPBACK],
    ("inside.test", A): ["10.0.0.1"],
    ("mapped.test", AAAA): ["::ffff:127.0.0.1"],
    ("six.test", AAAA): ["::1"],
    ("public.test", A): [PUBLIC],
}
asked = {}


def addresses(name, kind):
    if name.startswith("turns") and kind == A:
        asked[name] = asked.get(name, 0) + 1
        return [PUBLIC if asked[name] == 1 else LOOPBACK]
    return ADDRESSES.get((name, kind), [])


def read_name(data, at):
    labels = []
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode().lower())
        at += 1 + data[at]
    return ".".join(labels), at + 1


def answer(query):
    name, end = read_name(query, 12)
    kind, = struct.unpack_from("!H", query, end)
    found = addresses(name, kind)
    out = query[:2] + struct.pack("!HHHHH", 0x8580, 1, len(found), 0, 0) + query[12:end + 4]
    for text in found:
        raw = socket.inet_pton(socket.AF_INET6 if kind == AAAA else socket.AF_INET, text)
        out += struct.pack("!HHHIH", 0xC00C, kind, 1, 0, len(raw)) + raw
    return out


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo", 0x41))  # SIOCSIFFLAGS: up and running


loopback_up()
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
print("ready", flush=True)
while True:
    query, whose = server.recvfrom(4096)
    server.sendto(answer(query), whose)
