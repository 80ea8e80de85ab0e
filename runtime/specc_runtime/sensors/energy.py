"""Energy of a timed window, from the best source that works here.

    meter = energy.open(gpus=["0"])
    window = meter.start()
    …
    energies = window.stop()

Device: NVML's counter, else power samples, else none. Package: powercap, pyRAPL, Slurm (scope
node), an estimate where watts are stated, else none. Sources are never mixed within a meter.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from . import device_energy, estimate, nvml, powercap, pyrapl, slurm_energy
from .base import Unavailable, allowed_cpus, energy

HostSensor = Union[powercap.Powercap, pyrapl.PyRapl, slurm_energy.SlurmEnergy, estimate.Estimate]


class Meter:
    """The energy sensors of one process, chosen once."""

    def __init__(
        self,
        host: Optional[HostSensor],
        passed_over: List[Unavailable],
        gpus: Sequence[Union[nvml.Gpu, Unavailable]],
        cores: Tuple[int, int],
    ) -> None:
        self.host = host
        """The source for the package or the node; None when there is none."""
        self.passed_over = passed_over
        """Better sources for the package that do not work here, best first."""
        self.gpus = gpus
        self.cores = cores
        """Cores of this process, cores of the node."""

    def start(self) -> Window:
        """Begin a window over all sensors; windows may overlap."""
        return Window(self)

    def idle(self, seconds: float) -> Dict[str, Any]:
        """Measure the machine doing nothing, as the baseline: an `idle` record's own fields."""
        window = self.start()
        start_ns = time.monotonic_ns()
        time.sleep(seconds)
        duration_ns = time.monotonic_ns() - start_ns
        return {"duration_ns": duration_ns, "energy": window.stop()}


class Window:
    """One timed stretch. A thread reads in between where a source asks for it."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        host = meter.host
        self._device_windows = [device_energy.start(gpu) for gpu in meter.gpus]
        self._host_window = host.start() if host is not None else None
        self._start_s = time.monotonic()
        self._done = threading.Event()
        periods = [w.poll_every_s for w in self._device_windows] + [
            host.poll_every_s if host is not None else None
        ]
        self._thread: Optional[threading.Thread] = None
        asked = [period for period in periods if period is not None]
        if asked:
            self._thread = threading.Thread(
                target=self._poll, args=(min(asked),), name="specc-energy", daemon=True
            )
            self._thread.start()

    def stop(self) -> List[Dict[str, Any]]:
        """End the window. Returns one Energy for each GPU, then one for the package (or node)."""
        self._done.set()
        if self._thread is not None:
            self._thread.join()
        host_energy = self._stop_host()
        return [window.stop() for window in self._device_windows] + [host_energy]

    def _stop_host(self) -> Dict[str, Any]:
        host, passed_over = self._meter.host, self._meter.passed_over
        if host is None or self._host_window is None:
            reason = "; ".join(f"{s.sensor}: {s.reason}" for s in passed_over)
            return energy("package", "none", None, reason=reason or "no source was asked")
        joules, reason_or_none, detail = self._host_window.stop()
        detail = dict(detail)
        detail.update(
            window_s=time.monotonic() - self._start_s,
            cores=self._meter.cores[0],
            cores_of_node=self._meter.cores[1],
            passed_over=[sensor.as_dict() for sensor in passed_over],
        )
        return energy(host.scope, host.source, joules, reason=reason_or_none, detail=detail)

    def _poll(self, period_s: float) -> None:
        while not self._done.wait(period_s):
            for window in self._device_windows:
                window.poll()
            if self._host_window is not None:
                self._host_window.poll()


def open(
    *,
    gpus: Optional[Sequence[str]] = None,
    stated_watts: Optional[float] = None,
    sysfs_root: str = "/sys",
    env: Optional[Mapping[str, str]] = None,
    nvml_module: Any = None,
    pyrapl_module: Any = None,
) -> Meter:
    """Choose the sources.

    gpus: entries of CUDA_VISIBLE_DEVICES to measure; empty for work without a GPU; None takes the
    variable itself, and without it every GPU there is.
    stated_watts: power of all packages of the node [W], for the estimate.
    """
    env = os.environ if env is None else env
    cores = (len(allowed_cpus()), os.cpu_count() or 1)
    host, passed_over = _open_host(stated_watts, cores, sysfs_root, env, pyrapl_module)
    entries = nvml.visible_entries(env.get("CUDA_VISIBLE_DEVICES")) if gpus is None else list(gpus)
    return Meter(host, passed_over, _open_gpus(entries, nvml_module), cores)


def _open_host(
    stated_watts: Optional[float],
    cores: Tuple[int, int],
    sysfs_root: str,
    env: Mapping[str, str],
    pyrapl_module: Any,
) -> Tuple[Optional[HostSensor], List[Unavailable]]:
    passed_over: List[Unavailable] = []
    for opened in (
        lambda: powercap.open(sysfs_root=sysfs_root),
        lambda: pyrapl.open(pyrapl_module),
        lambda: slurm_energy.open(env=env),
        lambda: estimate.open(stated_watts, cores=cores[0], cores_of_node=cores[1]),
    ):
        sensor = opened()
        if not isinstance(sensor, Unavailable):
            return sensor, passed_over
        passed_over.append(sensor)
    return None, passed_over


def _open_gpus(
    entries: Optional[List[str]], nvml_module: Any
) -> List[Union[nvml.Gpu, Unavailable]]:
    if entries is not None and not entries:
        return []
    library = nvml.open(nvml_module)
    if isinstance(library, Unavailable):
        # a machine without a driver has no GPU to speak of, unless one was named
        return [library for _ in entries or []]
    if entries is None:
        return list(library.all_gpus())
    return [library.gpu(entry) for entry in entries]
