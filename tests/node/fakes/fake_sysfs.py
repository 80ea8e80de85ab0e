"""Builds the parts of /sys and /proc that the sensors read, as plain files."""

from __future__ import annotations

from pathlib import Path

RANGE_UJ = 65_532_610_987
"""max_energy_range_uj of an AMD Milan package, as its kernel shows it."""


def write(path: Path, text: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")
    return path


def a_powercap(
    root: Path,
    packages: dict[str, int],
    *,
    sockets: int | None = None,
    dram: bool = False,
    range_uj: int | None = RANGE_UJ,
) -> list[Path]:
    """Make a powercap tree under `root` (a /sys). Returns the energy_uj file of each package."""
    counters = []
    for number, (name, energy_uj) in enumerate(packages.items()):
        zone = root / f"class/powercap/intel-rapl:{number}"
        write(zone / "name", name)
        if range_uj is not None:
            write(zone / "max_energy_range_uj", range_uj)
        counters.append(write(zone / "energy_uj", energy_uj))
        for child, child_name in enumerate(["core", "dram"] if dram else ["core"]):
            sub = root / f"class/powercap/intel-rapl:{number}:{child}"
            write(sub / "name", child_name)
            write(sub / "energy_uj", 999_000_000)
    for socket in range(len(packages) if sockets is None else sockets):
        write(root / f"devices/system/cpu/cpu{socket}/topology/physical_package_id", socket)
    return counters


def set_uj(counter: Path, energy_uj: int) -> None:
    counter.write_text(f"{energy_uj}\n")


def a_process(proc: Path, pid: str, *, cgroup: str, mountinfo: str, rss_kb: int = 1000) -> None:
    """Make /proc/<pid> with its memory, its control groups and its mounts."""
    write(proc / pid / "status", f"Name:\tx\nVmHWM:\t{rss_kb * 2} kB\nVmRSS:\t{rss_kb} kB")
    write(proc / pid / "cgroup", cgroup)
    write(proc / pid / "mountinfo", mountinfo)


V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate"
V1_MOUNT = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"
