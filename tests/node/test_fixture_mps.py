"""The MPS daemon as a fixture: private folders, clients' variables, its end in every case."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import bundles
import gpus

MPS = {"type": "mps", "options": {}}
SEEN = """
names = ("CUDA_VISIBLE_DEVICES", "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY",
         "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE")
pipe = os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/nowhere")
folder = os.path.dirname(pipe)
attempt.record("metric", listens=os.path.exists(pipe + "/control"),
               mode=oct(os.stat(folder).st_mode & 0o777),
               **{name: os.environ.get(name) for name in names})
"""


def make(home: Path, codes: list[str], **options: Any) -> Path:
    mps = {"type": "mps", "options": options}
    return bundles.make_bundle(home / "b", codes, slots=4, task=gpus.shared(), fixtures=[mps])


def fixture_events(bundle: Path) -> list[dict[str, Any]]:
    return [event for event in bundles.events(bundle) if event["event"] == "fixture"]


def seen(bundle: Path) -> list[dict[str, Any]]:
    return [rows[1] for rows in bundles.rows(bundle).values()]


def ended(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return True
    return text.rpartition(")")[2].split()[0] == "Z"


def test_tasks_are_clients_of_a_daemon_of_their_own(home: Path) -> None:
    bundle = make(home, [SEEN] * 2, active_thread_percentage=50)
    path = gpus.with_mps(home / "bin")
    done = bundles.run(bundle, PATH=path, CUDA_VISIBLE_DEVICES="0,1")
    assert done.returncode == 0, done.stderr
    rows = seen(bundle)
    assert [row["listens"] for row in rows] == [True, True]
    assert {row["mode"] for row in rows} == {"0o700"}
    assert rows[0]["CUDA_MPS_PIPE_DIRECTORY"].startswith("/tmp/specc-mps-none-")
    assert rows[0]["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] == "50"


def test_gpus_are_named_by_uuid_because_the_daemon_renumbers_indices(home: Path) -> None:
    bundle = make(home, [SEEN] * 2)
    path = gpus.with_mps(home / "bin")
    bundles.run(bundle, PATH=path, CUDA_VISIBLE_DEVICES="1,0")
    assert sorted(row["CUDA_VISIBLE_DEVICES"] for row in seen(bundle)) == gpus.UUIDS
    log = (bundles.launch_folder(bundle) / "fixture.mps.log").read_text()
    assert log.startswith(f"Start, devices {gpus.UUIDS[1]},{gpus.UUIDS[0]}\n")


def test_it_is_asked_to_quit_and_leaves_nothing(home: Path) -> None:
    bundle = make(home, [SEEN])
    bundles.run(bundle, PATH=gpus.with_mps(home / "bin"), CUDA_VISIBLE_DEVICES="0")
    events = fixture_events(bundle)
    assert [e["state"] for e in events] == ["started", "healthy", "stopped"]
    assert ended(events[0]["detail"]["pid"])
    assert not Path(events[0]["detail"]["folder"]).exists()
    log = (bundles.launch_folder(bundle) / "fixture.mps.log").read_text().splitlines()
    assert log[-1] == "Accepting quit"


def test_a_killed_pool_leaves_no_daemon(home: Path) -> None:
    bundle = make(home, ["time.sleep(60)"])
    path = gpus.with_mps(home / "bin")
    process = bundles.start(bundle, PATH=path, CUDA_VISIBLE_DEVICES="0")
    journal = bundles.launch_folder(bundle) / "events.jsonl"
    bundles.wait_for(lambda: journal.exists() and "task_started" in journal.read_text())
    detail = fixture_events(bundle)[0]["detail"]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    bundles.wait_for(lambda: ended(detail["pid"]) and not Path(detail["folder"]).exists())


def test_it_outlives_the_pauses_between_tasks(home: Path) -> None:
    # what is adopted while nothing runs is ended; the daemon is adopted too, and must stay
    bundle = make(home, [SEEN] * 6)
    done = bundles.run(
        bundle, PATH=gpus.with_mps(home / "bin"), CUDA_VISIBLE_DEVICES="0", SPECC_GRACE_S="1"
    )
    assert done.returncode == 0
    assert [e["state"] for e in fixture_events(bundle)] == ["started", "healthy", "stopped"]
    assert [row["listens"] for row in seen(bundle)] == [True] * 6


def test_its_death_in_mid_run_starts_another(home: Path) -> None:
    kill = f"""
folder = os.environ["CUDA_MPS_PIPE_DIRECTORY"]
os.kill(int(open(folder + "/nvidia-cuda-mps-control.pid").read()), 9)
exec({SEEN!r})
"""
    bundle = bundles.make_bundle(
        home / "b", [kill, SEEN], task=gpus.shared(), fixtures=[MPS], slots=1
    )
    bundles.run(bundle, PATH=gpus.with_mps(home / "bin"), CUDA_VISIBLE_DEVICES="0")
    states = [e["state"] for e in fixture_events(bundle)]
    assert states == ["started", "healthy", "failed", "started", "healthy", "stopped"]
    first, second = seen(bundle)
    assert second["listens"] is True
    assert first["CUDA_MPS_PIPE_DIRECTORY"] != second["CUDA_MPS_PIPE_DIRECTORY"]


def test_without_the_tool_tasks_go_on_without_it_and_it_is_said(home: Path) -> None:
    bundle = make(home, [SEEN] * 2)
    path = gpus.programs(home / "bin", nvidia_smi="fake_nvidia_smi")
    assert bundles.run(bundle, PATH=path, CUDA_VISIBLE_DEVICES="0").returncode == 0
    (event,) = fixture_events(bundle)
    assert event["state"] == "failed"
    assert event["detail"] == {
        "reason": "nvidia-cuda-mps-control is not on PATH",
        "sharing": "without MPS",
    }
    assert seen(bundle)[0]["CUDA_MPS_PIPE_DIRECTORY"] is None
    log = (bundles.launch_folder(bundle) / "log.jsonl").read_text()
    assert "tasks share GPUs: without MPS" in log


MEET = """
import pathlib
here = pathlib.Path(attempt.keep("here")).parents[2]
mine = here / f"here-{attempt.task.index}"
mine.touch()
end = time.monotonic() + 0.5
most = 1
while time.monotonic() < end:
    most = max(most, len(list(here.glob("here-*"))))
mine.unlink()
attempt.record("metric", most=most)
"""


def test_an_exclusive_gpu_without_it_takes_one_task_at_a_time(home: Path) -> None:
    bundle = make(home, [MEET] * 3)
    path = gpus.programs(home / "bin", nvidia_smi="fake_nvidia_smi")
    exclusive = {"PATH": path, "CUDA_VISIBLE_DEVICES": "0", "FAKE_GPU_MODE": "Exclusive_Process"}
    assert bundles.run(bundle, **exclusive).returncode == 0
    assert [row["most"] for row in seen(bundle)] == [1, 1, 1]
    assert fixture_events(bundle)[0]["detail"]["sharing"] == "one task per GPU"


def test_an_exclusive_gpu_with_it_is_shared(home: Path) -> None:
    bundle = make(home, [MEET] * 2)
    path = gpus.with_mps(home / "bin")
    exclusive = {"PATH": path, "CUDA_VISIBLE_DEVICES": "0", "FAKE_GPU_MODE": "Exclusive_Process"}
    assert bundles.run(bundle, **exclusive).returncode == 0
    assert max(row["most"] for row in seen(bundle)) == 2


def test_a_spec_that_insists_on_it_does_not_run_without(home: Path) -> None:
    bundle = make(home, [SEEN], required=True)
    bundles.run(bundle, PATH=os.environ["PATH"], CUDA_VISIBLE_DEVICES="0")
    reason = bundles.state(bundle).tasks[bundles.task_id(0)].reason
    assert reason == "fixture mps: nvidia-cuda-mps-control is not on PATH"
