"""Start of the node's side, by path: `python -I -B -X utf8 …/specc_runtime/__main__.py shard`."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    # isolated mode leaves the script's folder out of the path
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    from specc_runtime.launch import main

    sys.exit(main(sys.argv[1:]))
