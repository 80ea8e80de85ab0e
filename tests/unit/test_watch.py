"""The live view: what it shows for whom, how often it looks, and how one leaves it."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from results import a_bundle, process
from rich.console import Console

from specc.watching.find import target
from specc.watching.live import FIRST_S, LAST_S, Pace
from specc.watching.status import RunStatus, status_of
from specc.watching.view import Frame, view

SPECC = Path(sys.executable).with_name("specc")


def a_status(root: Path) -> RunStatus:
    """One task completed, one failed, one left."""
    points = ({"size": 1}, {"size": 2}, {"size": 4})
    bundle = a_bundle(root, points=points, repetitions=1)
    launch = bundle.run().launch()
    launch.complete(bundle.tasks[0], [process()])
    launch.fail(bundle.tasks[1], message="no such file")
    launch.event("launch_ended", exit_code=75, reason="SIGTERM", counts={})
    return status_of(target(bundle.path))


def shown(status: RunStatus, *, width: int = 80, height: int = 24, unicode: bool = True) -> str:
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    frame = Frame(width=width, height=height, unicode=unicode, now_epoch_ns=0, foot="q leaves")
    with console.capture() as captured:
        console.print(view([status], frame))
    return captured.get()


def test_the_view_tells_counts_shards_and_failures(tmp_path: Path) -> None:
    text = shown(a_status(tmp_path))
    for words in (
        "33 %  1/3", "1 completed   1 failed   1 to run", "shards: 1",
        "‖\N{NO-BREAK SPACE}1\N{NO-BREAK SPACE}stopped",
        "1  program  no such file  (size=2)", "q leaves",
    ):  # fmt: skip
        assert words in text, words


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_view_keeps_to_the_width(tmp_path: Path, width: int) -> None:
    lines = shown(a_status(tmp_path), width=width).splitlines()
    assert max(map(len, lines)) <= width


def test_many_shards_are_cells_with_a_sign_for_each_state(tmp_path: Path) -> None:
    points = [{"size": number} for number in range(200)]
    bundle = a_bundle(tmp_path, points=points, repetitions=1)
    lines = [
        line.replace('"1-cpu-0000"', f'"1-cpu-{number:04d}"')
        for number, line in enumerate((bundle.path / "tasks.jsonl").read_text().splitlines())
    ]
    (bundle.path / "tasks.jsonl").write_text("".join(f"{line}\n" for line in lines))
    bundle.run().launch().complete(bundle.tasks[0], [process()])
    text = shown(status_of(target(bundle.path)))
    assert "shards: 200" in text
    assert (text.count("●"), text.count("○")) == (1 + 1, 199 + 1)  # the legend has one of each
    assert len(text.splitlines()) <= 24


@pytest.mark.parametrize("height", [3, 6, 9, 24])
def test_a_low_terminal_still_shows_how_one_leaves(tmp_path: Path, height: int) -> None:
    lines = shown(a_status(tmp_path), width=40, height=height).splitlines()
    assert len(lines) <= height
    assert lines[-1] == "q leaves"
    assert lines[0].startswith(" study-")


def test_a_dumb_terminal_gets_lines(tmp_path: Path) -> None:
    code, text = on_a_terminal(a_status(tmp_path).target.bundle, b"", term="dumb")
    assert code == 0
    assert "33 % of 3 tasks, 1 completed, 1 failed, 1 missing" in text


def test_a_terminal_without_unicode_gets_plain_signs(tmp_path: Path) -> None:
    assert "‖" not in shown(a_status(tmp_path), unicode=False)


def test_looks_become_rarer_until_something_changes() -> None:
    pace = Pace()
    waits = [pace.looked("same", 0.0) for _ in range(20)]
    assert waits[0] == FIRST_S
    assert waits == sorted(waits)
    assert waits[-1] == LAST_S
    assert pace.looked("other", 0.0) == FIRST_S


def test_a_dear_look_is_taken_rarely() -> None:
    assert Pace().looked("first", 1.5) == 15.0


def on_a_terminal(bundle: Path, leave: bytes, term: str = "xterm-256color") -> tuple[int, str]:
    """Watch on a terminal of our own, leave once something is shown; exit code and screen."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM=term, COLUMNS="100", LINES="30")
        os.execv(SPECC, [str(SPECC), "status", "--watch", str(bundle)])
    screen, left = b"", False
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        ready, _, _ = select.select([fd], [], [], 0.2)
        try:
            screen += os.read(fd, 65536) if ready else b""
        except OSError:
            break  # the other end is closed
        if not left and b"q leaves" in screen:
            os.write(fd, leave)
            left = True
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    return os.waitstatus_to_exitcode(status), screen.decode("utf-8", "replace")


@pytest.mark.parametrize("leave", [b"q", b"\x03"], ids=["q", "ctrl-c"])
def test_leaving_the_view_is_no_failure(tmp_path: Path, leave: bytes) -> None:
    status = a_status(tmp_path)
    code, screen = on_a_terminal(status.target.bundle, leave)
    assert code == 0, screen
    # the view is gone with its screen; the last state stays
    assert re.search(r"run r1: 33 % of 3 tasks", screen.rpartition("\x1b[?1049l")[2])


def test_without_a_terminal_it_ends_when_nothing_runs(tmp_path: Path) -> None:
    status = a_status(tmp_path)
    ended = subprocess.run(
        [SPECC, "status", "--watch", status.target.bundle],
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    (line,) = ended.stdout.splitlines()
    assert line.endswith("r1: 33 % of 3 tasks, 1 completed, 1 failed, 1 missing")
