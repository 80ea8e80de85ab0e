"""How busy the CPUs are and how much memory is free, sampled cheaply.

Utilisation is that of the CPUs this process may use, whoever uses them.
"""

from __future__ import annotations

from typing import List, Optional, Tuple, Union

from .base import OpenFile, Value, allowed_cpus, missing, present


class Load:
    """Reads /proc/stat and /proc/meminfo, kept open."""

    def __init__(self, proc_root: str = "/proc", cpus: Optional[List[int]] = None) -> None:
        self._stat = OpenFile(f"{proc_root}/stat")
        self._meminfo = OpenFile(f"{proc_root}/meminfo")
        self._names = {f"cpu{cpu}" for cpu in (allowed_cpus() if cpus is None else cpus)}
        self._last = self._ticks()

    def cpu_util_pct(self) -> Value:
        """Read the busy share of our CPUs since the last call [0..100]; disk waits are idle."""
        now = self._ticks()
        last, self._last = self._last, now
        if isinstance(now, str):
            return missing(now)
        if isinstance(last, str):
            return missing(last)
        total = now[1] - last[1]
        if total <= 0:
            return missing("the kernel's counters did not move since the last sample")
        return present(round(min(100.0, max(0.0, 100.0 * (now[0] - last[0]) / total)), 1))

    def memory_available_bytes(self) -> Value:
        """Read how much memory the node could still give out [bytes]."""
        text, reason = self._meminfo.read(512)
        for line in (text or "").splitlines():
            fields = line.split()
            if len(fields) > 1 and fields[0] == "MemAvailable:" and fields[1].isdigit():
                return present(int(fields[1]) * 1024)
        return missing(reason or "the kernel shows no MemAvailable")

    def close(self) -> None:
        self._stat.close()
        self._meminfo.close()

    def _ticks(self) -> Union[Tuple[int, int], str]:
        """Return busy and all ticks of our CPUs, or the reason why not."""
        text, reason = self._stat.read()
        if text is None:
            return reason or "unreadable"
        busy = total = 0
        for line in text.splitlines():
            if not line.startswith("cpu"):
                break
            name, _, rest = line.partition(" ")
            if name in self._names:
                # user nice system idle iowait irq softirq steal; guest time is inside user
                ticks = [int(field) for field in rest.split()[:8]]
                total += sum(ticks)
                busy += sum(ticks) - ticks[3] - ticks[4]
        return (busy, total) if total else "the kernel's stat file shows none of our CPUs"
