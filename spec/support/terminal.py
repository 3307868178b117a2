"""Runs a program at a pseudo-terminal: terminal.py PROGRAM ARGS.

What comes in is typed, what it shows comes out. The end of the input hangs up. Says on stderr whether the program has
left the terminal as it was: the flags of its open file are everybody's who has it open.
"""

import fcntl
import os
import pty
import select
import sys
import termios

master, slave = pty.openpty()
attributes = termios.tcgetattr(slave)
attributes[3] &= ~termios.ECHO
termios.tcsetattr(slave, termios.TCSANOW, attributes)

pid = os.fork()
if pid == 0:
    os.close(master)
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in range(3):
        os.dup2(slave, fd)
    os.execvp(sys.argv[1], sys.argv[1:])

typed, status = True, None
while True:
    ready, _, _ = select.select([master] + [0] * typed, [], [], 0.02)
    if master in ready:
        os.write(1, os.read(master, 65536))
    elif status is not None:
        break
    if 0 in ready:
        text = os.read(0, 65536)
        typed = bool(text)
        if text:
            os.write(master, text)
    if not ready and status is None:
        ended, code = os.waitpid(pid, os.WNOHANG)
        status = os.waitstatus_to_exitcode(code) if ended else None
    if not typed and status is None:
        break

print("blocking" if os.get_blocking(slave) else "non-blocking", file=sys.stderr)
sys.exit(status)
