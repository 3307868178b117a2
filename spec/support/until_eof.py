"""Runs a Python program until the standard input ends: until_eof.py PROGRAM ARGS."""

import subprocess
import sys

child = subprocess.Popen([sys.executable, *sys.argv[1:]], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
sys.stdin.read()
child.kill()
child.wait()
