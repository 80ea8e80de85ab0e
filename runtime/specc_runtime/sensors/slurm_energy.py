"""Energy of the node as Slurm counts it for the running step (ConsumedEnergy).

Works only where the site runs an energy plugin. It is coarse: Slurm reads its sensor every few
seconds, so a short window is refused rather than guessed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from typing import Dict, List, Mapping, Optional, Tuple, Union

from .base import Unavailable, Value, missing, present, why

TIMEOUT_S = 5.0
PERIODS_PER_WINDOW = 5
"""A window shorter than this many sensor periods is mostly rounding."""


class SlurmEnergy:
    """Asks sstat for the energy of one step."""

    scope = "node"
    source = "slurm"
    poll_every_s: Optional[float] = None

    def __init__(self, step: str, plugin: str, period_s: float, env: Mapping[str, str]) -> None:
        self.step = step
        self.plugin = plugin
        self.period_s = period_s
        self._env = env

    def consumed_j(self) -> Value:
        """Read the energy of the step since it began [J]."""
        command = ["sstat", "--noheader", "--parsable2", "--format=ConsumedEnergyRaw"]
        text, reason = _run([*command, f"--jobs={self.step}"], self._env)
        if text is None:
            return missing(reason or "sstat failed")
        first = (text.split() or [""])[0]
        if not first.isdigit():
            return missing(f"sstat says {first!r} for step {self.step}")
        if int(first) == 0:
            return missing("Slurm reports 0 J: no sensor behind it, or none read yet")
        return present(int(first))

    def start(self) -> SlurmWindow:
        """Begin a window."""
        return SlurmWindow(self)


class SlurmWindow:
    """The difference of two answers of sstat."""

    def __init__(self, sensor: SlurmEnergy) -> None:
        self._sensor = sensor
        self._first = sensor.consumed_j()
        self._start_s = time.monotonic()

    def poll(self) -> None:
        """Do nothing: the counter does not wrap."""

    def stop(self) -> Tuple[Optional[float], Optional[str], Dict[str, object]]:
        """End the window. Returns joules of the node or None, the reason, the detail."""
        seconds = time.monotonic() - self._start_s
        sensor = self._sensor
        detail: Dict[str, object] = {"plugin": sensor.plugin, "period_s": sensor.period_s}
        if seconds < PERIODS_PER_WINDOW * sensor.period_s:
            needed = PERIODS_PER_WINDOW * sensor.period_s
            return None, f"{seconds:.1f} s is too short: Slurm needs {needed:.0f} s", detail
        last = sensor.consumed_j()
        if self._first.value is None or last.value is None:
            return None, self._first.reason or last.reason, detail
        joules = float(last.value) - float(self._first.value)
        if joules <= 0:
            return None, "the counter did not move in this window", detail
        return joules, None, detail


def open(*, env: Optional[Mapping[str, str]] = None) -> Union[SlurmEnergy, Unavailable]:
    """Find the running step and ask the controller once which energy plugin the site has."""
    env = dict(os.environ if env is None else env)
    job, step = env.get("SLURM_JOB_ID"), env.get("SLURM_STEP_ID", "batch")
    if not job:
        return Unavailable("slurm_energy", "not inside a Slurm job")
    for tool in ("scontrol", "sstat"):
        if shutil.which(tool, path=env.get("PATH", "")) is None:
            return Unavailable("slurm_energy", f"{tool} is not on PATH")
    if env.get("SLURM_JOB_NUM_NODES", "1") != "1":
        return Unavailable("slurm_energy", "the job has several nodes and sstat adds them up")
    text, reason = _run(["scontrol", "show", "config"], env)
    if text is None:
        return Unavailable("slurm_energy", reason or "scontrol failed")
    plugin = _setting(text, "AcctGatherEnergyType").rpartition("/")[2]
    if plugin in ("", "none", "(null)"):
        return Unavailable("slurm_energy", "the site runs no energy plugin (AcctGatherEnergyType)")
    period = re.match(r"\d+", _setting(text, "AcctGatherNodeFreq"))
    if period is None or int(period.group()) == 0:
        return Unavailable("slurm_energy", "Slurm does not sample the node (AcctGatherNodeFreq=0)")
    return SlurmEnergy(f"{job}.{step}", plugin, float(period.group()), env)


def _setting(config: str, name: str) -> str:
    for line in config.splitlines():
        key, _, value = line.partition("=")
        if key.strip() == name:
            return value.strip()
    return ""


def _run(command: List[str], env: Mapping[str, str]) -> Tuple[Optional[str], Optional[str]]:
    """Run a Slurm tool with a time limit. Returns its output, or None and the reason."""
    # the name is looked up in `env`, not in this process's PATH
    program = shutil.which(command[0], path=env.get("PATH", "")) or command[0]
    try:
        done = subprocess.run(
            [program, *command[1:]],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, f"{command[0]} did not answer within {TIMEOUT_S:.0f} s"
    except OSError as error:
        return None, f"{command[0]}: {why(error)}"
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        return (
            None,
            f"{command[0]} exited {done.returncode}: {lines[-1] if lines else 'no message'}",
        )
    return done.stdout, None
