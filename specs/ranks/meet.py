"""Several processes meet over TCP, add up their vectors, and time it. Standard library only.

Rank 0 listens at MASTER_ADDR:MASTER_PORT; every other rank sends it its vector and gets the sum of
all back. Prints one JSON line for each round, and fails when a sum is not what it must be.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from array import array
from operator import add

ROUNDS = 20
PATIENCE_S = 60.0


def main() -> int:
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    length = int(os.environ["SPECC_ELEMENTS"])
    place = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
    lines = _accept(place, world) if rank == 0 else [_connect(place)]
    expected = world * (world + 1) / 2
    for _ in range(ROUNDS):
        mine = array("d", [rank + 1.0]) * length
        started = time.perf_counter()
        total = _add_all(lines, mine) if rank == 0 else _send_and_get(lines[0], mine)
        seconds = time.perf_counter() - started
        if list(total) != [expected] * length:
            print(f"rank {rank}: the sum is {total[0]:g}, not {expected:g}", file=sys.stderr)
            return 1
        print(json.dumps({"all_reduce_s": seconds, "total": total[0]}))
    return 0


def _accept(place: tuple[str, int], world: int) -> list[socket.socket]:
    with socket.create_server(place) as door:
        door.settimeout(PATIENCE_S)
        return [_tuned(door.accept()[0]) for _ in range(world - 1)]


def _connect(place: tuple[str, int]) -> socket.socket:
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return _tuned(socket.create_connection(place, timeout=PATIENCE_S))
        except OSError:  # rank 0 does not listen yet
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


def _tuned(line: socket.socket) -> socket.socket:
    line.settimeout(PATIENCE_S)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line


def _add_all(lines: list[socket.socket], mine: array[float]) -> array[float]:
    total = mine
    for line in lines:
        theirs = _receive(line, len(mine))
        total = array("d", map(add, total, theirs))
    for line in lines:
        line.sendall(total.tobytes())
    return total


def _send_and_get(line: socket.socket, mine: array[float]) -> array[float]:
    line.sendall(mine.tobytes())
    return _receive(line, len(mine))


def _receive(line: socket.socket, length: int) -> array[float]:
    data = b""
    while len(data) < 8 * length:
        part = line.recv(1 << 16)
        if not part:
            raise ConnectionError("another rank is gone")
        data += part
    found = array("d")
    found.frombytes(data)
    return found


if __name__ == "__main__":
    sys.exit(main())
