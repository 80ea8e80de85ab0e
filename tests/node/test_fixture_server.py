"""A server as a fixture: ports, readiness, its log, a death in mid-run, and its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bundles

SERVER = """
import http.server, os, signal, sys, time
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path in ("/", "/pid") else 404)
        self.end_headers()
        self.wfile.write(str(os.getpid()).encode())
if len(sys.argv) > 2:
    time.sleep(float(sys.argv[2]))
print("listening", sys.argv[1], flush=True)
http.server.ThreadingHTTPServer.allow_reuse_address = True
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
_SAYS_ITS_PID = """
import urllib.request
url = f"http://127.0.0.1:{os.environ['SPECC_API_PORT']}/pid"
pid = int(urllib.request.urlopen(url, timeout=5).read())
"""
ASK = _SAYS_ITS_PID + "attempt.record('metric', server=pid, port=os.environ['SPECC_API_PORT'])\n"
KILL = _SAYS_ITS_PID + "os.kill(pid, 9)\nraise OSError('gone')\n"
KILL_ONCE = f"exec({KILL!r} if attempt.number == 1 else {ASK!r})"


def a_server(**changed: Any) -> dict[str, Any]:
    options: dict[str, Any] = {
        "name": "api",
        "argv": ["python3", "server.py", "${port:api}"],
        "env": {},
        "ports": ["api"],
        "workdir": "code",
        "gpus": "none",
        "healthy": {"http": {"port": "api", "path": "/"}},
        "start_limit_s": 20.0,
        "stop": {"signal": "TERM", "grace_s": 5.0},
    }
    return {"type": "server", "options": {**options, **changed}}


def make(home: Path, codes: list[str], server: Mapping[str, Any], slots: int = 1) -> Path:
    files = {"code/server.py": SERVER}
    return bundles.make_bundle(home / "b", codes, fixtures=[server], files=files, slots=slots)


def fixture_events(bundle: Path) -> list[dict[str, Any]]:
    return [event for event in bundles.events(bundle) if event["event"] == "fixture"]


def test_tasks_find_it_and_it_is_gone_afterwards(home: Path) -> None:
    bundle = make(home, [ASK, ASK], a_server(), slots=2)
    done = bundles.run(bundle)
    assert done.returncode == 0, done.stderr
    assert [e["state"] for e in fixture_events(bundle)] == ["started", "healthy", "stopped"]
    pid = fixture_events(bundle)[0]["detail"]["pid"]
    assert [rows[1]["server"] for rows in bundles.rows(bundle).values()] == [pid, pid]
    assert not Path(f"/proc/{pid}").exists()
    log = (bundles.launch_folder(bundle) / "fixture.api.log").read_text()
    assert log.startswith("listening ")


def test_no_task_starts_before_it_is_healthy(home: Path) -> None:
    slow = a_server(argv=["python3", "server.py", "${port:api}", 0.7])
    bundle = make(home, [ASK], slow)
    assert bundles.run(bundle).returncode == 0
    names = [(e["event"], e.get("state")) for e in bundles.events(bundle)]
    assert names.index(("fixture", "healthy")) < names.index(("task_started", None))
    healthy = next(e for e in fixture_events(bundle) if e["state"] == "healthy")
    assert healthy["detail"]["after_s"] >= 0.7


def test_a_tcp_probe_and_a_program_probe_do_as_well(home: Path) -> None:
    probe = [
        "python3",
        "-c",
        "import socket,sys; socket.create_connection(('127.0.0.1', ${port:api}))",
    ]
    for name, healthy in (("tcp", {"tcp": "api"}), ("argv", {"argv": probe})):
        bundle = make(home / name, [ASK], a_server(healthy=healthy))
        assert bundles.run(bundle).returncode == 0
        assert [e["state"] for e in fixture_events(bundle)] == ["started", "healthy", "stopped"]


def test_one_that_never_answers_stops_the_shard(home: Path) -> None:
    deaf = a_server(healthy={"http": {"port": "api", "path": "/no"}}, start_limit_s=0.5)
    bundle = make(home, [ASK], deaf)
    assert bundles.run(bundle).returncode == 1
    reason = bundles.state(bundle).tasks[bundles.task_id(0)].reason
    assert reason is not None
    assert reason.startswith(
        "fixture api: it was not healthy after 0.5 s; its last line: 127.0.0.1 - - "
    )
    pid = fixture_events(bundle)[0]["detail"]["pid"]
    assert not Path(f"/proc/{pid}").exists()


def test_one_that_ends_at_once_is_told_with_its_last_words(home: Path) -> None:
    broken = a_server(argv=["python3", "-c", "raise SystemExit('no licence')"])
    bundle = make(home, [ASK], broken)
    assert bundles.run(bundle).returncode == 1
    failed = fixture_events(bundle)[-1]
    assert failed["state"] == "failed"
    assert failed["name"] == "api"
    assert failed["detail"] == {"reason": "it ended before it was healthy", "tail": ["no licence"]}


def test_a_program_that_is_not_there(home: Path) -> None:
    bundle = make(home, [ASK], a_server(argv=["no-such-server"]))
    assert bundles.run(bundle).returncode == 1
    reason = bundles.state(bundle).tasks[bundles.task_id(0)].reason
    assert reason is not None
    assert "'no-such-server' cannot be started" in reason


def test_its_death_fails_the_task_as_health_check_and_both_are_tried_again(home: Path) -> None:
    bundle = make(home, [KILL_ONCE, ASK], a_server())
    done = bundles.run(bundle)
    assert done.returncode == 0, done.stderr
    states = [e["state"] for e in fixture_events(bundle)]
    assert states == ["started", "healthy", "failed", "started", "healthy", "stopped"]
    failed = next(e for e in bundles.events(bundle) if e["event"] == "task_failed")
    assert (failed["category"], failed["transient"], failed["will_retry"]) == (
        "health_check",
        True,
        True,
    )
    assert failed["evidence"]["fixture"]["fixture"] == "api"
    assert failed["evidence"]["fixture"]["tail"][0].startswith("listening")


def test_its_second_death_ends_the_launch_with_a_reason(home: Path) -> None:
    bundle = make(home, [KILL, KILL, ASK, ASK], a_server())
    assert bundles.run(bundle).returncode == 75
    left = [e for e in bundles.events(bundle) if e["event"] == "task_not_run"]
    assert {bundles.task_id(2), bundles.task_id(3)} <= {e["task_id"] for e in left}
    assert all(
        e["reason"].startswith("not started: fixture api: it ended again; its last line: ")
        for e in left
    )


def test_a_killed_pool_leaves_no_server(home: Path) -> None:
    # a server that starts another one in the same session
    argv = ["sh", "-c", "python3 server.py ${port:api} & wait"]
    bundle = make(home, ["time.sleep(60)"], a_server(argv=argv))
    process = bundles.start(bundle)
    path = bundles.launch_folder(bundle) / "events.jsonl"
    bundles.wait_for(lambda: path.exists() and "task_started" in path.read_text())
    session = fixture_events(bundle)[0]["detail"]["pid"]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    bundles.wait_for(lambda: not members(session))


def members(session: int) -> list[str]:
    """List the processes of a session that have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(path.parent.name)
    return found


def test_one_that_ignores_the_signal_is_killed_after_its_grace_time(home: Path) -> None:
    deaf = "trap '' TERM; python3 server.py ${port:api} & while :; do wait; done"
    stubborn = a_server(argv=["sh", "-c", deaf], stop={"signal": "TERM", "grace_s": 0.3})
    bundle = make(home, [ASK], stubborn)
    assert bundles.run(bundle).returncode == 0
    assert members(fixture_events(bundle)[0]["detail"]["pid"]) == []


def test_the_tasks_own_ports_do_not_move_when_it_is_started_again(home: Path) -> None:
    bundle = make(home, [ASK, KILL_ONCE, ASK], a_server())
    assert bundles.run(bundle).returncode == 0
    assert len({rows[1]["port"] for rows in bundles.rows(bundle).values()}) == 1
