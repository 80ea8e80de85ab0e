"""A Slurm to play on: `make cluster` starts it, `make cluster-down` stops it.

`make node-break NODE=…` lets a node fail with all that runs on it, `make node-mend` brings it back.

The same cluster as the tests', but it lives on when this program ends. Prints to stdout and
needs no library, so that any Python >= 3.11 starts it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import slurm_daemons
from slurm import Slurm, missing_programs
from slurm_shape import Shape

_INSTALL = "to install it: sudo make test-deps"
# bytes: the path of a unix socket, and what munge appends to it
_LONGEST_FOLDER = 80
_ALLOWED = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/+-")


def default_folder() -> Path:
    """Where a cluster is kept when nobody says where: one for each user of the machine."""
    return Path(tempfile.gettempdir()) / f"specc-slurm-{os.geteuid()}"


def up(folder: Path, shape: Shape) -> None:
    """Start a cluster and say how to use it. Raises SystemExit with what is in the way."""
    missing = missing_programs(accounting=shape.accounting)
    if missing:
        raise SystemExit(f"no Slurm on this machine ({', '.join(missing)}); {_INSTALL}")
    if len(os.fsencode(folder)) > _LONGEST_FOLDER or not set(str(folder)) <= _ALLOWED:
        raise SystemExit(f"{folder}: a short path of letters, digits and . _ + - only, please")
    if slurm_daemons.recorded(folder):
        raise SystemExit(f"a cluster runs in {folder} already; to stop it: make cluster-down")
    if folder.exists() and any(folder.iterdir()) and not (folder / "slurm.conf").is_file():
        raise SystemExit(f"{folder} holds something else; choose another CLUSTER_DIR")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o755)
    began = time.monotonic()
    slurm = Slurm(folder, shape, outlives_us=True)
    (folder / "env.sh").write_text(
        f"export SLURM_CONF={folder}/slurm.conf\nexport PATH=$PATH:/usr/sbin:/sbin\n",
        encoding="utf-8",
    )
    try:
        slurm.start()
    except BaseException:
        slurm.stop()
        raise
    told(slurm, time.monotonic() - began)


def told(slurm: Slurm, seconds: float) -> None:
    shape = slurm.shape
    gpus = f", {shape.gpus} GPUs of type {shape.gpu_type}" if shape.gpus else ""
    print(f"""\
A Slurm runs in {slurm.folder} (started in {seconds:.1f} s). It claims to have
  {shape.nodes} nodes, each with {shape.cpus} CPUs, {shape.memory_mb} MB of memory{gpus}
  partitions main (default), low and lowest, whose jobs a job of high preempts
In every shell that is to use it:
  . {slurm.folder}/env.sh
To let a node fail, and to bring it back:
  make node-break NODE={slurm.nodes[-1]}{_other(slurm.folder)}
  make node-mend NODE={slurm.nodes[-1]}{_other(slurm.folder)}
To stop it:
  make cluster-down{_other(slurm.folder)}""")


def _other(folder: Path) -> str:
    return "" if folder == default_folder() else f" CLUSTER_DIR={folder}"


def down(folder: Path) -> None:
    """Stop the cluster of a folder and remove the folder."""
    if not (folder / "daemons").is_file():
        print(f"no cluster in {folder}")
        return
    Slurm(folder, Shape()).stop()
    shutil.rmtree(folder)
    print(f"the cluster in {folder} is stopped, its folder removed")


def change_node(verb: str, folder: Path, node: str) -> None:
    """Let a node fail, or bring it back. Raises SystemExit where there is no such node."""
    if not slurm_daemons.recorded(folder):
        raise SystemExit(f"no cluster runs in {folder}; to start one: make cluster")
    slurm = Slurm(folder, Shape(), outlives_us=True)
    nodes = slurm.ask("sinfo", "-h", "-N", "-p", "main", "-o", "%N").split()
    if node not in nodes:
        raise SystemExit(f"no node {node!r}; there are {', '.join(nodes)}")
    alive = any(d.name == f"slurmd {node}" and d.alive() for d in slurm_daemons.recorded(folder))
    if alive == (verb == "mend"):
        raise SystemExit(f"node {node} {'works' if alive else 'is broken already'}")
    if verb == "break":
        slurm.kill_node(node, reason="broken by hand")
        print(f"node {node} is broken: its daemon and all that ran there are killed")
    else:
        slurm.start_node(node)
        print(f"node {node} takes jobs again")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=["up", "down", "break", "mend"])
    parser.add_argument("folder", type=Path, nargs="?", help=f"default: {default_folder()}")
    parser.add_argument("--node", default="", help="to break or to mend")
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--cpus", type=int, default=16, help="of each node")
    parser.add_argument("--gpus", type=int, default=4, help="of each node")
    parser.add_argument("--accounting", action="store_true", help="with slurmdbd, for sacct")
    asked = parser.parse_args()
    folder = (asked.folder or default_folder()).absolute()
    if asked.verb == "down":
        down(folder)
        return
    if asked.verb in ("break", "mend"):
        change_node(asked.verb, folder, asked.node)
        return
    up(
        folder,
        Shape(
            nodes=asked.nodes, cpus=asked.cpus, memory_mb=64000, gpus=asked.gpus, gpu_type="toy",
            accounting=asked.accounting,
        ),
    )  # fmt: skip


if __name__ == "__main__":
    try:
        main()
    except AssertionError as error:
        sys.exit(f"the cluster did not start: {error}")
