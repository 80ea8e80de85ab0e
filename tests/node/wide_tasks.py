"""What ranks of the tests' wide tasks do."""

from __future__ import annotations

TWO_BY_TWO = {"nodes": 2, "processes_per_node": 2}
# every rank sends 10 to the power of its rank to rank 0, which sends the sum back
MEET = """
import json, socket
rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
place = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
if rank == 0:
    with socket.create_server(place) as door:
        others = [door.accept()[0] for _ in range(world - 1)]
    total = 1 + sum(json.loads(each.makefile().readline()) for each in others)
    for each in others:
        each.sendall(f"{total}\\n".encode())
else:
    end = time.monotonic() + 10
    while True:
        try:
            line = socket.create_connection(place)
            break
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.01)
    line.sendall(f"{10 ** rank}\\n".encode())
    total = json.loads(line.makefile().readline())
print("I am", rank)
names = [name for name in os.environ if "RANK" in name or "WORLD_SIZE" in name]
attempt.record(
    "sum",
    total=total,
    pid=os.getpid(),
    env={name: os.environ[name] for name in names},
    told=[attempt.rank, attempt.world_size, attempt.local_rank, attempt.local_world_size,
          attempt.node_rank],
)
"""
