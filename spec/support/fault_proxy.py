"""A TCP proxy that misbehaves as it is told. fault_proxy.py PORT prints its own; each line of stdin is a
command, answered by a line "ok".

  pass          everything as it comes (at the start)
  delay MS      each piece later by so much
  rate BYTES    so many bytes a second in each direction of each connection
  blackhole     nothing passes, nothing is closed
  refuse        new connections are reset, those that are there go on
  reset         every connection is reset, once
  to PORT...    where new connections go from now on, of 127.0.0.1; in turn, those that can be reached
"""

import asyncio
import socket
import struct
import sys

state = {"mode": "pass", "value": 0.0, "to": [int(sys.argv[1])]}
changed = asyncio.Event()
open_writers = set()


def set_mode(mode, value=0.0):
    state.update(mode=mode, value=value)
    changed.set()
    changed.clear()


def abort(writer):
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:  # it may have been closed just now
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def fault(size):
    while state["mode"] == "blackhole":
        await changed.wait()
    if state["mode"] == "delay":
        await asyncio.sleep(state["value"] / 1000)
    elif state["mode"] == "rate":
        await asyncio.sleep(size / state["value"])


async def copy(reader, writer):
    try:
        while data := await reader.read(1024 if state["mode"] == "rate" else 65536):
            await fault(len(data))
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def connect():
    for _ in state["to"]:
        state["to"].append(state["to"].pop(0))
        try:
            return await asyncio.open_connection("127.0.0.1", state["to"][-1])
        except OSError:
            pass


async def serve(reader, writer):
    if state["mode"] == "refuse":
        return abort(writer)
    connection = await connect()
    if connection is None:
        return abort(writer)
    to_reader, to_writer = connection
    both = {writer, to_writer}
    open_writers.update(both)
    try:
        await asyncio.gather(copy(reader, to_writer), copy(to_reader, writer))
    finally:
        open_writers.difference_update(both)


def obey(line):
    command, *rest = line.split()
    if command == "reset":
        for writer in list(open_writers):
            abort(writer)
    elif command == "to":
        state["to"] = [int(port) for port in rest]
    else:
        set_mode(command, float(rest[0]) if rest else 0.0)


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        obey(line.decode())
        print("ok", flush=True)


asyncio.run(main())
