"""Signals before there is a pool: while the bundle or an input is hashed, and between shards."""

from __future__ import annotations

import signal
from pathlib import Path

import bundles
import pytest

RECORD = "attempt.record('metric', n=1)"
SLEEP = "time.sleep(60)"
SIGNALS = pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGINT, 130)]
)


def huge(path: Path) -> Path:
    """A file that takes longer to hash than any test lasts, and no room on the disk."""
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        file.truncate(1 << 38)
    return path


def reads(pid: int, path: Path) -> bool:
    links = Path(f"/proc/{pid}/fd").iterdir()
    return any(link.exists() and link.resolve() == path.resolve() for link in links)


@SIGNALS
def test_while_the_bundle_is_verified(home: Path, number: signal.Signals, code: int) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD], files={"inputs/x": "1"})
    manifest = bundle / "manifest.json"
    text = manifest.read_text()
    # the hash need not be right: nobody gets to the end of it
    at = text.index('{"annotations":{"bytes":1,')
    manifest.write_text(text[:at] + text[at:].replace('"bytes":1,', f'"bytes":{1 << 38},', 1))
    bundles.parse_manifest(manifest.read_bytes())
    sums = bundles.parse_manifest(manifest.read_bytes()).hash_list()
    (bundle / "manifest-sha256.txt").write_text(sums)
    path = huge(bundle / "inputs/x")
    process = bundles.start(bundle)
    bundles.wait_for(lambda: reads(process.pid, path))
    found, told = bundles.end(process, number)
    assert (found, f"stopped by {number.name}" in told) == (code, True), told
    assert not (bundle / "results").exists()


@SIGNALS
def test_while_an_input_is_hashed(home: Path, number: signal.Signals, code: int) -> None:
    path = huge(home / "corpus" / "x")
    entry = {"name": "corpus", "at": "cluster", "path": str(path), "pin": None}
    bundle = bundles.make_bundle(home / "b", [RECORD], predicate={"inputs": [entry]})
    process = bundles.start(bundle)
    bundles.wait_for(lambda: reads(process.pid, path))
    found, told = bundles.end(process, number)
    assert (found, f"stopped by {number.name}" in told) == (code, True), told


@SIGNALS
def test_no_further_shard_is_begun(home: Path, number: signal.Signals, code: int) -> None:
    bundle = bundles.make_bundle(home / "b", [SLEEP, SLEEP], shards=2)
    process = bundles.start(bundle)
    journal = bundles.launch_folder(bundle) / "events.jsonl"
    bundles.wait_for(lambda: journal.exists() and "task_started" in journal.read_text())
    assert bundles.end(process, number)[0] == code
    assert not (bundle / "results/r1/1-cpu-0001").exists()


def test_nohup_is_honoured(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", ["time.sleep(1)"])
    process = bundles.subprocess.Popen(
        ["nohup", *bundles.command(bundle)],
        env=bundles.environ(bundle),
        stdout=bundles.subprocess.DEVNULL,
        stderr=bundles.subprocess.DEVNULL,
    )
    journal = bundles.launch_folder(bundle) / "events.jsonl"
    bundles.wait_for(lambda: journal.exists() and "task_started" in journal.read_text())
    process.send_signal(signal.SIGHUP)
    assert process.wait(30) == 0
