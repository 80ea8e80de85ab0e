"""CPU package energy from fake powercap trees."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes.fake_sysfs import RANGE_UJ, a_powercap, set_uj

from specc_runtime.sensors import powercap
from specc_runtime.sensors.base import Unavailable


def opened(root: Path) -> powercap.Powercap:
    sensor = powercap.open(sysfs_root=str(root))
    assert isinstance(sensor, powercap.Powercap)
    return sensor


def refused(root: Path) -> str:
    sensor = powercap.open(sysfs_root=str(root))
    assert isinstance(sensor, Unavailable)
    return sensor.reason


def test_microjoules_of_a_window_become_joules(tmp_path):
    (counter,) = a_powercap(tmp_path, {"package-0": 5_000_000})
    window = opened(tmp_path).start()
    set_uj(counter, 12_500_000)
    assert window.stop() == (7.5, None, {"zones_j": {"package-0": 7.5}, "wraps": 0})


def test_a_wrap_is_added_with_the_kernels_range(tmp_path):
    (counter,) = a_powercap(tmp_path, {"package-0": RANGE_UJ - 1_000_000})
    window = opened(tmp_path).start()
    set_uj(counter, 2_000_000)
    joules, reason, detail = window.stop()
    assert (joules, reason, detail["wraps"]) == (3.0, None, 1)


def test_two_wraps_are_counted_when_read_in_between(tmp_path):
    (counter,) = a_powercap(tmp_path, {"package-0": 0}, range_uj=10_000_000)
    window = opened(tmp_path).start()
    for energy_uj in (9_000_000, 4_000_000, 8_000_000, 1_000_000):
        window._last_s = time.monotonic()  # as if no time had passed since the last read
        set_uj(counter, energy_uj)
        window.poll()
    window._last_s = time.monotonic()
    joules, _, detail = window.stop()
    assert (joules, detail["wraps"]) == (21.0, 2)


def test_a_window_not_read_for_longer_than_a_wrap_can_take_has_no_joules(tmp_path):
    (counter,) = a_powercap(tmp_path, {"package-0": 0}, range_uj=1_000_000)  # 1 J: 1 ms at 1 kW
    window = opened(tmp_path).start()
    time.sleep(0.01)
    set_uj(counter, 500_000)
    joules, reason, _ = window.stop()
    assert joules is None
    assert "may have wrapped more than once" in str(reason)


def test_a_wrap_without_a_known_range_has_no_joules(tmp_path):
    (counter,) = a_powercap(tmp_path, {"package-0": 9_000_000}, range_uj=None)
    window = opened(tmp_path).start()
    set_uj(counter, 1_000_000)
    assert window.stop()[:2] == (
        None,
        "package-0 wrapped and the kernel does not say at which value",
    )


def test_amd_without_dram_gives_the_packages_alone(tmp_path):
    counters = a_powercap(tmp_path, {"package-0": 0, "package-1": 0}, dram=False)
    window = opened(tmp_path).start()
    for counter in counters:
        set_uj(counter, 2_000_000)
    assert window.stop()[0] == 4.0


def test_dram_is_not_added_to_the_package(tmp_path):
    (counter,) = a_powercap(tmp_path, {"package-0": 0}, dram=True)
    window = opened(tmp_path).start()
    set_uj(counter, 2_000_000)
    set_uj(tmp_path / "class/powercap/intel-rapl:0:1/energy_uj", 999_900_000)
    assert window.stop()[0] == 2.0


def test_more_zones_than_sockets_are_all_added(tmp_path):
    counters = a_powercap(tmp_path, {"package-0-die-0": 0, "package-0-die-1": 0}, sockets=1)
    window = opened(tmp_path).start()
    for counter in counters:
        set_uj(counter, 1_000_000)
    assert window.stop()[0] == 2.0


def test_the_whole_board_is_not_a_package(tmp_path):
    counters = a_powercap(tmp_path, {"package-0": 0, "psys": 0}, sockets=1)
    window = opened(tmp_path).start()
    set_uj(counters[0], 1_000_000)
    set_uj(counters[1], 8_000_000)
    assert window.stop()[0] == 1.0


def test_fewer_zones_than_sockets_are_refused(tmp_path):
    a_powercap(tmp_path, {"package-0": 0}, sockets=2)
    assert refused(tmp_path) == "1 package zones for 2 sockets: a part is missing"


def test_a_tree_without_packages_is_refused(tmp_path):
    a_powercap(tmp_path, {"psys": 0})
    assert refused(tmp_path) == f"{tmp_path}/class/powercap has no package zone"


def test_a_machine_without_powercap_says_so(tmp_path):
    expected = f"no {tmp_path}/class/powercap: the kernel shows no RAPL counters"
    assert refused(tmp_path) == expected


def test_a_counter_that_vanishes_ends_in_a_reason(tmp_path):
    (counter,) = a_powercap(tmp_path, {"package-0": 0})
    window = opened(tmp_path).start()
    counter.unlink()
    joules, reason, _ = window.stop()
    assert joules is None
    assert reason == f"package-0: {counter}: No such file or directory"


def test_a_counter_that_holds_no_number_is_refused(tmp_path):
    (counter,) = a_powercap(tmp_path, {"package-0": 0})
    counter.write_text("busy\n")
    assert "invalid literal" in refused(tmp_path)


def test_a_counter_that_stands_still_is_not_zero_joules(tmp_path):
    a_powercap(tmp_path, {"package-0": 7})
    joules, reason, _ = opened(tmp_path).start().stop()
    assert (joules, reason) == (None, "the counters did not move in this window")


def test_the_window_asks_to_be_read_before_the_counter_can_wrap_twice(tmp_path):
    a_powercap(tmp_path, {"package-0": 0})
    assert opened(tmp_path).poll_every_s == pytest.approx(65.5326 / 3, rel=1e-4)


AS_NOBODY = """
import os, sys
from specc_runtime.sensors import powercap
if os.getuid() == 0:
    os.setuid(65534)
print(powercap.open(sysfs_root=sys.argv[1]).reason)
"""


def test_a_counter_for_root_only_is_refused_with_advice(tmp_path):
    (counter,) = a_powercap(tmp_path, {"package-0": 0})
    counter.chmod(0o000)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == tmp_path.owner() and folder.stat().st_mode & 0o777 == 0o700:
            folder.chmod(0o755)
    root = Path(powercap.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(tmp_path)],
        # without COVERAGE_*: nobody may not write where the measurements go
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == powercap.ROOT_ONLY, done.stderr
