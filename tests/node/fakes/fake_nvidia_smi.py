"""A stand-in for nvidia-smi, as a program: two GPUs, set by variables FAKE_GPU_*.

FAKE_GPU_MODE: compute mode.   FAKE_GPU_USED: MiB in use, "0" or "0,70000" for each GPU.
"""

from __future__ import annotations

import os
import sys

UUIDS = ("GPU-aaaaaaaa-0000-0000-0000-000000000000", "GPU-bbbbbbbb-0000-0000-0000-000000000000")
LISTING = "".join(f"GPU {i}: NVIDIA A100 (UUID: {uuid})\n" for i, uuid in enumerate(UUIDS))


def main(arguments: list[str]) -> int:
    if arguments == ["-L"]:
        sys.stdout.write(LISTING)
        return 0
    entry = next(a.partition("=")[2] for a in arguments if a.startswith("--id="))
    fields = next(a.partition("=")[2] for a in arguments if a.startswith("--query-gpu="))
    index = int(entry) if entry.isdigit() else UUIDS.index(entry)
    used = os.environ.get("FAKE_GPU_USED", "0").split(",")
    values = {
        "memory.total": "81920",
        "memory.used": used[min(index, len(used) - 1)],
        "compute_mode": os.environ.get("FAKE_GPU_MODE", "Default"),
        "uuid": UUIDS[index],
    }
    print(", ".join(values[field] for field in fields.split(",")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
