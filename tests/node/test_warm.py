"""The warm parent: imports once, forks attempts that the pool adopts."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import bundles

SEEN = "attempt.record('metric', warm='colorsys' in sys.modules, parent=os.getppid())"


def test_attempts_find_the_modules_imported(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [SEEN] * 3, slots=2, warm=["colorsys"])
    assert bundles.run(bundle).returncode == 0
    assert [rows[1]["warm"] for rows in bundles.rows(bundle).values()] == [True] * 3


def test_its_life_stands_in_the_journal(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [SEEN], warm=["colorsys"])
    bundles.run(bundle)
    states = [e["state"] for e in bundles.events(bundle) if e["event"] == "fixture"]
    assert states == ["started", "healthy", "stopped"]


def test_without_it_the_pool_forks(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [SEEN], warm=["no_such_module"])
    assert bundles.run(bundle).returncode == 0
    failed = [e for e in bundles.events(bundle) if e["event"] == "fixture"][-1]
    assert failed["state"] == "failed"
    assert failed["detail"] == "ModuleNotFoundError: No module named 'no_such_module'"
    assert next(iter(bundles.rows(bundle).values()))[1]["warm"] is False


def test_its_death_costs_no_task(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [SEEN + "\ntime.sleep(0.4)"] * 3, warm=["colorsys"])
    process = bundles.start(bundle)
    path = bundles.launch_folder(bundle) / "events.jsonl"
    bundles.wait_for(lambda: path.exists() and "task_started" in path.read_text())
    started = next(e for e in bundles.events(bundle) if e["event"] == "fixture")
    os.kill(started["detail"]["pid"], signal.SIGKILL)
    process.communicate()
    assert process.returncode == 0
    assert [rows[1]["warm"] for rows in bundles.rows(bundle).values()] == [True, False, False]


def test_death_of_its_attempt_is_seen(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", ["os.kill(os.getpid(), 9)", SEEN], warm=["colorsys"])
    assert bundles.run(bundle).returncode == 1
    assert bundles.failure(bundle)["signal"] == "SIGKILL"
    assert bundles.states(bundle) == ["failed", "completed"]


def test_settings_larger_than_a_message_arrive(home: Path) -> None:
    code = SEEN + "\nassert len(attempt.task.settings['code']) > 900_000\n#" + "x" * 900_000
    bundle = bundles.make_bundle(home / "b", [code], warm=["colorsys"])
    assert bundles.run(bundle).returncode == 0


def test_unknown_fixture_stops_the_shard(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [SEEN], warm=[])
    text = (bundle / "manifest.json").read_text().replace("warm_parent", "magic")
    _reseal(bundle, text)
    done = bundles.run(bundle)
    assert done.returncode == 1
    task = bundles.state(bundle).tasks[bundles.task_id(0)]
    assert task.reason == "fixture magic: this runtime does not know it"


def _reseal(bundle: Path, text: str) -> None:
    from specc_runtime.contract.manifest import read_manifest

    (bundle / "manifest.json").write_text(text)
    (bundle / "manifest-sha256.txt").write_text(read_manifest(bundle).hash_list())
