"""A stand-in for nvidia-cuda-mps-control, as a program: it daemonises, listens, quits.

`-d` starts a daemon that leaves its parents, writes its pid file and listens on `control` in the
pipe folder; without it, each line of standard input is an order to that daemon. Seen on a real
one: it answers `get_server_list` with nothing while no client has come, and ends on `quit`.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

PIPES = Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps"))
LOGS = Path(os.environ.get("CUDA_MPS_LOG_DIRECTORY", "/var/log/nvidia-mps"))


def main() -> int:
    if sys.argv[1:] == ["-d"]:
        return start()
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(PIPES / "control"))
            link.sendall(sys.stdin.buffer.read())
            link.shutdown(socket.SHUT_WR)
            sys.stdout.write(link.makefile().read())
    except OSError:
        print("Cannot find MPS control daemon process", file=sys.stderr)
        return 1
    return 0


def start() -> int:
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(PIPES / "control"))
    except OSError:
        print("An instance of this daemon is already running", file=sys.stderr)
        return 1
    listener.listen()
    if os.fork():
        return 0
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (PIPES / "nvidia-cuda-mps-control.pid").write_text(f"{os.getpid()}\n")
    with (LOGS / "control.log").open("a") as log:
        print("Start, devices", os.environ.get("CUDA_VISIBLE_DEVICES"), file=log, flush=True)
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        while True:
            link, _ = listener.accept()
            orders = link.makefile().read().split()
            print("Accepting", *orders, file=log, flush=True)
            link.close()
            if "quit" in orders:
                os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
