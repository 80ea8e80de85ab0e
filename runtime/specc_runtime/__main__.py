"""Start of the node's side, by path: `python -I -B -X utf8 …/specc_runtime/__main__.py shard`."""

from __future__ import annotations

import os
import sys


def _start() -> int:
    # isolated mode leaves the script's folder out of the path
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    from specc_runtime.signals import Stopped, raise_on_stop

    try:
        if sys.argv[1:2] in (["shard"], ["rank"]):
            raise_on_stop()
        from specc_runtime.launch import main

        return main(sys.argv[1:])
    except Stopped as stopped:
        sys.stderr.write(f"specc: stopped by {stopped.name}; start it again to go on\n")
        return stopped.exit_code


if __name__ == "__main__":
    sys.exit(_start())
