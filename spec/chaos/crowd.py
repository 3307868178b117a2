"""Connections that say nothing: crowd.py PORT COUNT opens so many, prints how many the host has let in, and holds
them until its stdin ends or the host closes them."""

import resource
import select
import socket
import sys
import time

_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
port, count = int(sys.argv[1]), min(int(sys.argv[2]), hard - 100)

poll = select.epoll()
crowd = {}
for i in range(count):
    s = socket.create_connection(("127.0.0.1", port))
    crowd[s.fileno()] = s
    poll.register(s, select.EPOLLIN)
time.sleep(1)  # who is not wanted has been told by now
for fd, _ in poll.poll(0, count):
    poll.unregister(fd)
    crowd.pop(fd).close()
print(len(crowd), flush=True)
sys.stdin.read()
