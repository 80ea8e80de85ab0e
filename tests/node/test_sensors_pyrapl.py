"""The real pyRAPL, on this machine and on powercap trees mounted over /sys in a namespace."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from specc_runtime.sensors import pyrapl
from specc_runtime.sensors.base import Unavailable

MEASURE = """
import json, logging, os, sys, warnings
warnings.simplefilter("error")
from specc_runtime.sensors import pyrapl
if os.environ.get("AS_NOBODY"):
    os.setuid(65534)
sensor = pyrapl.open()
if not hasattr(sensor, "start"):
    print(json.dumps({"reason": sensor.reason}))
    sys.exit()
window = sensor.start()
for number, energy in enumerate(os.environ["AFTER"].split()):
    with open(f"/sys/class/powercap/intel-rapl/intel-rapl:{number}/energy_uj", "w") as file:
        file.write(energy + "\\n")
joules, reason, detail = window.stop()
handlers = len(logging.getLogger().handlers)
print(json.dumps({"joules": joules, "reason": reason, "handlers": handlers}))
"""
TREE = """
set -e
mount -t tmpfs none /sys/class
mkdir -p /sys/class/powercap/intel-rapl
for number in $ZONES; do
    zone=/sys/class/powercap/intel-rapl/intel-rapl:$number
    mkdir -p $zone
    echo package-$number >$zone/name
    echo 65532610987 >$zone/max_energy_range_uj
    echo $BEFORE >$zone/energy_uj
    chmod $MODE $zone/energy_uj
done
exec "$PYTHON" -c "$CODE"
"""


def namespaces_work() -> bool:
    unshare = shutil.which("unshare")
    if unshare is None or os.getuid() != 0:
        return False
    return subprocess.run([unshare, "-m", "true"], check=False, capture_output=True).returncode == 0


in_namespace = pytest.mark.skipif(not namespaces_work(), reason="needs root and unshare -m")


def measure(*, before: int, after: str, zones: str = "0", mode: str = "644", **env: str) -> dict:
    pytest.importorskip("pyRAPL.device", reason="pyRAPL is not installed")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", TREE],
        # without COVERAGE_*: nobody may not write where the measurements go
        env={"PATH": os.environ["PATH"], "ZONES": zones, "BEFORE": str(before),
             "AFTER": after, "MODE": mode, "PYTHON": sys.executable, "CODE": MEASURE,
             "PYTHONPATH": str(Path(pyrapl.__file__).parents[2]), **env},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def sockets() -> int:
    cpus = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology/physical_package_id")
    return len({path.read_text() for path in cpus})


one_socket = pytest.mark.skipif(sockets() != 1, reason="the tree is made for one socket")


@in_namespace
@one_socket
def test_microjoules_become_joules_without_a_word_on_stderr():
    result = measure(before=1_000_000, after="8500000")
    assert result == {"joules": 7.5, "reason": None, "handlers": 0}


@in_namespace
@one_socket
def test_a_wrapped_counter_is_a_reason():
    result = measure(before=9_000_000, after="1000000")
    assert result["joules"] is None
    assert result["reason"] == "pyRAPL lost the window: a counter wrapped or was not read"


@in_namespace
@one_socket
def test_a_counter_that_stands_still_is_not_zero_joules():
    result = measure(before=5, after="5")
    assert (result["joules"], result["reason"]) == (
        None,
        "the counters did not move in this window",
    )


@in_namespace
@one_socket
def test_a_counter_for_root_only_is_permission_denied():
    result = measure(before=5, after="5", mode="400", AS_NOBODY="1")
    assert result["reason"].startswith("permission denied: ")


@in_namespace
@one_socket
def test_fewer_zones_than_sockets_are_pyrapls_own_error():
    result = measure(before=5, after="6", zones="")
    assert result == {"reason": "pyRAPL cannot be set up: PyRAPLCantRecordEnergyConsumption"}


def test_opening_it_leaves_logging_as_it_was():
    before = (list(logging.getLogger().handlers), logging.root.manager.disable)
    sensor = pyrapl.open()
    assert isinstance(sensor, pyrapl.PyRapl) or sensor.reason
    assert (list(logging.getLogger().handlers), logging.root.manager.disable) == before


class Broken:
    """A pyRAPL that sets up and then fails, each time in another place."""

    class Device:
        PKG = 0

    def __init__(self, error: Exception, *, at: str) -> None:
        self.error = error
        self.at = at

    def setup(self, devices: list[int]) -> None:
        if self.at == "setup":
            raise self.error

    def Measurement(self, label: str) -> Broken:
        return self

    def begin(self) -> None:
        if self.at == "begin":
            raise self.error

    def end(self) -> None:
        raise self.error


def test_a_permission_error_at_setup_is_unavailable():
    sensor = pyrapl.open(Broken(PermissionError(13, "Permission denied", "/x"), at="setup"))
    assert sensor == Unavailable("pyrapl", "permission denied: /x: Permission denied")


@pytest.mark.parametrize("at", ["begin", "end"])
def test_an_error_in_the_window_is_a_reason(at):
    sensor = pyrapl.open(Broken(OSError(19, "No such device"), at=at))
    assert isinstance(sensor, pyrapl.PyRapl)
    window = sensor.start()
    window.poll()
    assert window.stop() == (None, "No such device", {})


def test_a_missing_package_is_unavailable(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pyRAPL", None)
    assert pyrapl.open(counters=str(tmp_path)) == Unavailable(
        "pyrapl", "the Python package pyRAPL is not installed"
    )


def test_without_counters_it_is_not_even_imported(monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "pyRAPL", raising=False)
    sensor = pyrapl.open(counters=f"{tmp_path}/no")
    assert sensor == Unavailable("pyrapl", f"no {tmp_path}/no: pyRAPL reads nothing else")
    assert "pyRAPL" not in sys.modules
