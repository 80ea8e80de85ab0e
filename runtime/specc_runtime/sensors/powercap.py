"""Energy of the CPU packages from the kernel's powercap counters (Intel RAPL, and AMD the same).

Only package zones are added up: `dram`, `core` and `uncore` are parts or neighbours that not every
CPU has, and `psys` counts the whole board. The counters wrap (about every four minutes at 280 W on
a 65 kJ counter), so a window is read again in between, see `max_gap_s`.
"""

from __future__ import annotations

import os
import time
from typing import Dict, List, NamedTuple, Optional, Tuple, Union

from .base import Unavailable, Value, missing, present, read_int, read_text

PACKAGE_WATTS_BOUND = 1000.0
"""No package sold draws as much: a counter cannot wrap twice in range / bound."""

ROOT_ONLY = (
    "energy_uj is readable by root only (kernel >= 5.10); an admin can open it with chmod a+r"
)


class Zone(NamedTuple):
    """One package zone."""

    folder: str
    name: str
    """As the kernel writes it: package-0, package-1-die-0, …"""
    range_uj: Optional[int]
    """Where the counter wraps [uJ]; None when the kernel does not say."""


class Powercap:
    """Reads the package zones of one node."""

    scope = "package"
    source = "rapl"

    def __init__(self, zones: List[Zone]) -> None:
        self.zones = zones

    @property
    def max_gap_s(self) -> float:
        """Longest time between two reads in which no counter can wrap twice [s]."""
        ranges = [zone.range_uj for zone in self.zones if zone.range_uj]
        return min(ranges, default=60_000_000_000) / 1e6 / PACKAGE_WATTS_BOUND

    @property
    def poll_every_s(self) -> float:
        """How often a window is to be read in between [s], with room for a late poll."""
        return self.max_gap_s / 3

    def start(self) -> PowercapWindow:
        """Begin a window."""
        return PowercapWindow(self)

    def read_uj(self) -> Dict[str, Value]:
        """Read every package counter [uJ since some moment in the past], by zone name."""
        return {zone.name: _read_counter(zone.folder) for zone in self.zones}


class PowercapWindow:
    """Adds up the steps of every counter between its reads."""

    def __init__(self, sensor: Powercap) -> None:
        self._sensor = sensor
        self._joules = {zone.name: 0.0 for zone in sensor.zones}
        self._wraps = 0
        self._broken: Optional[str] = None
        self._last = sensor.read_uj()
        self._last_s = time.monotonic()
        self._note_missing(self._last)

    def poll(self) -> None:
        """Read in between, at least every `max_gap_s`, so that no wrap is overlooked."""
        now = self._sensor.read_uj()
        now_s = time.monotonic()
        if now_s - self._last_s > self._sensor.max_gap_s and self._broken is None:
            gap_s = now_s - self._last_s
            self._broken = (
                f"not read for {gap_s:.0f} s: the counter may have wrapped more than once"
            )
        self._note_missing(now)
        for zone in self._sensor.zones:
            before, after = self._last[zone.name].value, now[zone.name].value
            if before is not None and after is not None:
                self._add(zone, int(before), int(after))
        self._last, self._last_s = now, now_s

    def stop(self) -> Tuple[Optional[float], Optional[str], Dict[str, object]]:
        """End the window. Returns joules of all packages or None, the reason, the detail."""
        self.poll()
        if self._broken is not None:
            return None, self._broken, {"zones": len(self._sensor.zones)}
        total = sum(self._joules.values())
        detail: Dict[str, object] = {"zones_j": dict(self._joules), "wraps": self._wraps}
        if total <= 0:
            return None, "the counters did not move in this window", detail
        return total, None, detail

    def _add(self, zone: Zone, before: int, after: int) -> None:
        step = after - before
        if step < 0:
            if zone.range_uj is None:
                self._broken = f"{zone.name} wrapped and the kernel does not say at which value"
                return
            step += zone.range_uj
            self._wraps += 1
        self._joules[zone.name] += step / 1e6

    def _note_missing(self, reading: Dict[str, Value]) -> None:
        for name, value in reading.items():
            if value.value is None and self._broken is None:
                self._broken = f"{name}: {value.reason}"


def open(*, sysfs_root: str = "/sys") -> Union[Powercap, Unavailable]:
    """Open the package zones; unavailable when there are none, or one cannot be read.

    More zones than sockets is right (several dies per package). Fewer would give a part of the
    energy only, and is refused.
    """
    root = f"{sysfs_root}/class/powercap"
    try:
        names = sorted(name for name in os.listdir(root) if name.startswith("intel-rapl:"))
    except OSError:
        return Unavailable("powercap", f"no {root}: the kernel shows no RAPL counters")
    zones = _package_zones([f"{root}/{name}" for name in names])
    if not zones:
        return Unavailable("powercap", f"{root} has no package zone")
    for zone in zones:
        value = _read_counter(zone.folder)
        if value.value is None:
            return Unavailable("powercap", value.reason or "unreadable")
    sockets = count_sockets(sysfs_root)
    if sockets is not None and len(zones) < sockets:
        return Unavailable(
            "powercap", f"{len(zones)} package zones for {sockets} sockets: a part is missing"
        )
    return Powercap(zones)


def _package_zones(folders: List[str]) -> List[Zone]:
    zones: Dict[str, Zone] = {}
    for folder in folders:
        name = read_text(f"{folder}/name").text or ""
        if name.startswith("package"):
            limit = read_int(f"{folder}/max_energy_range_uj").value
            zones.setdefault(name, Zone(folder, name, int(limit) if limit else None))
    return list(zones.values())


def _read_counter(folder: str) -> Value:
    path = f"{folder}/energy_uj"
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:
        return missing(ROOT_ONLY)
    except OSError as error:
        return missing(f"{path}: {error.strerror}")
    try:
        return present(int(os.read(fd, 64)))
    except (OSError, ValueError) as error:
        return missing(f"{path}: {error}")
    finally:
        os.close(fd)


def count_sockets(sysfs_root: str = "/sys") -> Optional[int]:
    """Count the CPU packages of the node; None when the kernel does not say."""
    root = f"{sysfs_root}/devices/system/cpu"
    try:
        cpus = [n for n in os.listdir(root) if n.startswith("cpu") and n[3:].isdigit()]
    except OSError:
        return None
    packages = {read_text(f"{root}/{cpu}/topology/physical_package_id").text for cpu in cpus}
    packages.discard(None)
    return len(packages) or None
