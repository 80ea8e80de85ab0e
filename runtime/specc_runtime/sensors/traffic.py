"""What went through the disks and the network interfaces of the machine.

Real devices only: no loops, no partitions, no bridges. A parallel file system shows up at the
network, and at InfiniBand's own counters where there are some.
"""

from __future__ import annotations

import os
from typing import Any, Dict, List, Optional

from .base import OpenFile, Value, missing, present, read_int, read_text

SECTOR_BYTES = 512  # the unit of /proc/diskstats, whatever the device's own
INFINIBAND_UNIT_BYTES = 4  # port_rcv_data and port_xmit_data count 32-bit words
MAX_DEVICES = 16


class Disks:
    """Reads /proc/diskstats for the disks that stand on hardware."""

    def __init__(self, proc_root: str = "/proc", sysfs_root: str = "/sys") -> None:
        self._file = OpenFile(f"{proc_root}/diskstats")
        self._names = _with_device(f"{sysfs_root}/block")
        self.reason: Optional[str] = None
        """Why `read` gave nothing."""

    def read(self) -> Optional[List[Dict[str, Any]]]:
        """Read [{name, read_bytes, write_bytes, busy_s}] since boot; None without any disk."""
        text, self.reason = self._file.read(1 << 18)
        found: List[Dict[str, Any]] = []
        for line in (text or "").splitlines():
            fields = line.split()
            if len(fields) < 13 or fields[2] not in self._names:
                continue
            found.append(
                {
                    "name": fields[2],
                    "read_bytes": int(fields[5]) * SECTOR_BYTES,
                    "write_bytes": int(fields[9]) * SECTOR_BYTES,
                    "busy_s": int(fields[12]) / 1000,
                }
            )
        if not found:
            self.reason = self.reason or "the kernel shows no disk of this machine"
            return None
        return found


class Networks:
    """Reads /proc/net/dev for interfaces that stand on hardware, and InfiniBand's ports."""

    def __init__(self, proc_root: str = "/proc", sysfs_root: str = "/sys") -> None:
        self._file = OpenFile(f"{proc_root}/net/dev")
        folder = f"{sysfs_root}/class/net"
        self._speeds = {name: _speed(f"{folder}/{name}/speed") for name in _with_device(folder)}
        self._ports = _ports(f"{sysfs_root}/class/infiniband")
        self.reason: Optional[str] = None
        """Why `read` gave nothing."""

    def read(self) -> Optional[List[Dict[str, Any]]]:
        """Read [{name, rx_bytes, tx_bytes, limit_bytes_per_s}]; None without any interface.

        limit_bytes_per_s: line rate of one direction; None where the device names none.
        """
        text, self.reason = self._file.read(1 << 16)
        found: List[Dict[str, Any]] = []
        for line in (text or "").splitlines():
            name, _, rest = line.partition(":")
            fields = rest.split()
            if name.strip() in self._speeds and len(fields) > 8:
                found.append(
                    _traffic(name.strip(), fields[0], fields[8], self._speeds[name.strip()])
                )
        for name, port in self._ports.items():
            received, sent = read_int(f"{port}/port_rcv_data"), read_int(f"{port}/port_xmit_data")
            if received.value is not None and sent.value is not None:
                unit = INFINIBAND_UNIT_BYTES
                rate = _infiniband_rate(f"{port}/../rate")
                rx, tx = int(received.value) * unit, int(sent.value) * unit
                found.append(_traffic(name, str(rx), str(tx), rate))
        if not found:
            self.reason = self.reason or "the kernel shows no network device of this machine"
            return None
        return found


class Segments:
    """Reads /proc/net/snmp: TCP segments sent and sent again, in this network namespace."""

    NAMES = ("tcp_segments_sent", "tcp_retransmits")

    def __init__(self, proc_root: str = "/proc") -> None:
        self._file = OpenFile(f"{proc_root}/net/snmp")

    def read(self) -> Dict[str, Value]:
        """Read the counters since boot, by the names of NAMES."""
        text, reason = self._file.read()
        lines = [line.split() for line in (text or "").splitlines() if line.startswith("Tcp:")]
        counts = dict(zip(*lines)) if len(lines) == 2 else {}
        found: Dict[str, Value] = {}
        for name, key in zip(self.NAMES, ("OutSegs", "RetransSegs")):
            count = counts.get(key, "")
            ok = count.isdigit()
            found[name] = present(int(count)) if ok else missing(reason or f"no {key} in snmp")
        return found


def _traffic(name: str, rx: str, tx: str, limit: Optional[float]) -> Dict[str, Any]:
    return {"name": name, "rx_bytes": int(rx), "tx_bytes": int(tx), "limit_bytes_per_s": limit}


def _with_device(folder: str) -> List[str]:
    """List the entries that have a `device`: what stands on hardware."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [name for name in names if os.path.exists(f"{folder}/{name}/device")][:MAX_DEVICES]


def _speed(path: str) -> Optional[float]:
    """Read a line rate; the kernel gives Mbit/s, and -1 or an error for an unknown one."""
    speed = read_int(path).value
    return speed * 1e6 / 8 if speed is not None and speed > 0 else None


def _ports(folder: str) -> Dict[str, str]:
    found: Dict[str, str] = {}
    try:
        for device in sorted(os.listdir(folder)):
            for port in sorted(os.listdir(f"{folder}/{device}/ports")):
                found[f"{device}/{port}"] = f"{folder}/{device}/ports/{port}/counters"
    except OSError:
        pass
    return dict(list(found.items())[:MAX_DEVICES])


def _infiniband_rate(path: str) -> Optional[float]:
    """Read "200 Gb/sec (4X HDR)"."""
    number = (read_text(path).text or "").partition(" ")[0]
    return float(number) * 1e9 / 8 if number.replace(".", "", 1).isdigit() else None
