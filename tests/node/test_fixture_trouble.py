"""Fixtures that misbehave: helpers that leave their session, floods of words, ends that hang."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import bundles
from test_fixture_server import ASK, a_server, fixture_events, make

# starts a helper that nobody but the machine's first process, or an adopter, is a parent of
HELPED = """
import os, subprocess, sys, time
helper = "setsid sh -c 'trap \\"\\" TERM; sleep 987654' & echo $! >'%s'" % sys.argv[2]
subprocess.run(["sh", "-c", helper])
os.execvp("python3", ["python3", "server.py", sys.argv[1]])
"""


def helped(home: Path) -> Path:
    """Make a server that starts a helper in a session of its own; returns where its pid stands."""
    home.mkdir(exist_ok=True)
    (home / "helped.py").write_text(HELPED)
    return home / "helper.pid"


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_helper_that_left_the_session_lives_between_tasks_and_no_longer(home: Path) -> None:
    note = helped(home)
    look = f"pid = int(open({str(note)!r}).read())\n"
    look += "attempt.record('metric', lives=os.path.exists(f'/proc/{pid}'))"
    server = a_server(argv=["python3", str(home / "helped.py"), "${port:api}", str(note)])
    bundle = make(home, [look, look], server)
    done = bundles.run(bundle)
    assert done.returncode == 0, done.stderr
    assert [rows[1]["lives"] for rows in bundles.rows(bundle).values()] == [True, True]
    assert not lives(int(note.read_text()))


def test_a_killed_pool_leaves_no_helper_that_left_the_session(home: Path) -> None:
    note = helped(home)
    server = a_server(argv=["python3", str(home / "helped.py"), "${port:api}", str(note)])
    bundle = make(home, ["time.sleep(60)"], server)
    process = bundles.start(bundle)
    path = bundles.launch_folder(bundle) / "events.jsonl"
    bundles.wait_for(lambda: path.exists() and "task_started" in path.read_text())
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    bundles.wait_for(lambda: not lives(int(note.read_text())))


def test_a_flood_of_words_does_not_fill_the_disk(home: Path) -> None:
    # 40 MB before it listens
    noisy = "yes 'a line of many' | head -c 40000000; exec python3 server.py ${port:api}"
    bundle = make(home, [ASK], a_server(argv=["sh", "-c", noisy]))
    assert bundles.run(bundle).returncode == 0
    log = bundles.launch_folder(bundle) / "fixture.api.log"
    assert log.stat().st_size < 17 << 20
    first, *_, last = log.read_text().splitlines()
    assert first.endswith(" bytes before this were cut off")
    assert "GET /pid" in last


def test_a_probe_that_hangs_does_not_keep_a_launch_from_ending(home: Path) -> None:
    hangs = a_server(healthy={"argv": ["sleep", "60"]}, start_limit_s=60.0)
    bundle = make(home, [ASK], hangs)
    process = bundles.start(bundle)
    bundles.wait_for(lambda: (bundles.launch_folder(bundle) / "fixture.api.log").exists())
    began = time.monotonic()
    assert bundles.end(process)[0] == 75
    assert time.monotonic() - began < 10


def test_a_start_limit_ends_a_probe_that_hangs(home: Path) -> None:
    hangs = a_server(healthy={"argv": ["sleep", "60"]}, start_limit_s=0.5)
    bundle = make(home, [ASK], hangs)
    began = time.monotonic()
    assert bundles.run(bundle).returncode == 1
    assert time.monotonic() - began < 10


def test_imports_that_hang_do_not_keep_a_launch_from_ending(home: Path) -> None:
    home.mkdir(exist_ok=True)
    wall = home / "wall"
    os.mkfifo(wall)
    bundle = bundles.make_bundle(
        home / "b", ["attempt.record('metric', n=1)"], warm=["sits"],
        files={"runtime/sits.py": f"open({str(wall)!r}).read()\n"},
    )  # fmt: skip
    process = bundles.start(bundle)
    path = bundles.launch_folder(bundle) / "events.jsonl"
    bundles.wait_for(lambda: path.exists() and "warm_parent" in path.read_text())
    began = time.monotonic()
    assert bundles.end(process)[0] == 75
    assert time.monotonic() - began < 10


def test_a_stop_that_takes_long_is_cut_short_by_a_signal(home: Path) -> None:
    deaf = "trap '' TERM; python3 server.py ${port:api} & while :; do wait; done"
    stubborn = a_server(argv=["sh", "-c", deaf], stop={"signal": "TERM", "grace_s": 60.0})
    bundle = make(home, ["time.sleep(60)"], stubborn)
    process = bundles.start(bundle, SPECC_GRACE_S="1")
    path = bundles.launch_folder(bundle) / "events.jsonl"
    bundles.wait_for(lambda: path.exists() and "task_started" in path.read_text())
    began = time.monotonic()
    assert bundles.end(process)[0] == 75
    assert time.monotonic() - began < 15
    assert fixture_events(bundle)[-1]["state"] == "stopped"
