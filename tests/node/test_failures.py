"""How an attempt can end, and what its `task_failed` line then says."""

from __future__ import annotations

from pathlib import Path

import bundles
import pytest

from specc_runtime.causes.classify import Evidence, classify
from specc_runtime.contract.categories import CATEGORIES, SUGGESTIONS

TORCH_OOM = """
import types
torch = types.ModuleType("torch")
class OutOfMemoryError(RuntimeError):
    __module__ = "torch"
raise OutOfMemoryError("CUDA out of memory")
"""
DEVICE_ERROR = """
class AcceleratorError(RuntimeError):
    __module__ = "torch"
    error_code = 719
raise AcceleratorError("unspecified launch failure")
"""


@pytest.mark.parametrize(
    ("code", "category", "kind", "message"),
    [
        ("raise ValueError('bad')", "program", "ValueError", "bad"),
        ("raise MemoryError('none left')", "oom_host", "MemoryError", "none left"),
        ("raise OSError(28, 'No space')", "disk", "OSError", "[Errno 28] No space"),
        (TORCH_OOM, "oom_gpu", "torch.OutOfMemoryError", "CUDA out of memory"),
        ("attempt.record('metric', value=float('nan'))", "program", "ValueError", None),
        ("sys.exit(3)", "program", "SystemExit", "3"),
        (
            "attempt.resolve('input:x')",
            "dataset_load",
            "specc_runtime.attempts.attempt.TaskError",
            None,
        ),
    ],
)
def test_exception_is_classified_by_its_type(
    home: Path, code: str, category: str, kind: str, message: str | None
) -> None:
    bundle = bundles.make_bundle(home / "b", [code])
    bundles.run(bundle)
    failed = bundles.failure(bundle)
    assert (failed["category"], failed["type"]) == (category, kind)
    assert message is None or failed["message"] == message


def test_named_failure_keeps_its_words(home: Path) -> None:
    code = "raise TaskError('diverged', 'loss is inf', 'lower lr', evidence={'exit_code': 9})"
    bundle = bundles.make_bundle(home / "b", [code])
    bundles.run(bundle)
    failed = bundles.failure(bundle)
    assert (failed["category"], failed["message"]) == ("diverged", "loss is inf")
    assert (failed["suggestion"], failed["exit_code"]) == ("lower lr", 9)


def test_message_that_speaks_of_memory_is_no_evidence(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", ["raise RuntimeError('CUDA out of memory')"])
    bundles.run(bundle)
    assert bundles.failure(bundle)["category"] == "program"


@pytest.mark.parametrize(
    ("code", "category", "exit_code", "signal"),
    [
        ("os._exit(7)", "program", 7, None),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "program", None, "SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "unknown", None, "SIGKILL"),
        ("os._exit(0)", "unknown", 0, None),
    ],
)
def test_death_without_a_word_is_told_by_its_status(
    home: Path, code: str, category: str, exit_code: int | None, signal: str | None
) -> None:
    bundle = bundles.make_bundle(home / "b", [code])
    bundles.run(bundle)
    failed = bundles.failure(bundle)
    assert failed["category"] == category
    assert (failed["exit_code"], failed["signal"]) == (exit_code, signal)


def test_time_limit_ends_the_whole_group(home: Path) -> None:
    code = "import subprocess\nsubprocess.run(['sleep', '77.125'])"
    bundle = bundles.make_bundle(home / "b", [code], task={"time_limit_s": 0.5})
    bundles.run(bundle)
    failed = bundles.failure(bundle)
    assert failed["category"] == "timeout"
    assert failed["message"] == "the task's time limit of 0.5 s was over"
    assert 0.4 < failed["duration_s"] < 5
    assert not _runs("77.125")


def test_attempt_that_ignores_sigterm_is_killed_after_the_grace_time(home: Path) -> None:
    code = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)"
    bundle = bundles.make_bundle(home / "b", [code], task={"time_limit_s": 0.3})
    bundles.run(bundle, SPECC_GRACE_S="0.5")
    failed = bundles.failure(bundle)
    assert (failed["category"], failed["signal"]) == ("timeout", "SIGKILL")


def test_process_that_left_its_group_is_ended_with_the_task(home: Path) -> None:
    code = (
        "import subprocess\nsubprocess.Popen(['sleep', '78.125'], start_new_session=True)\n"
        "time.sleep(0.2)"
    )
    bundle = bundles.make_bundle(home / "b", [code])
    assert bundles.run(bundle).returncode == 0
    assert not _runs("78.125")


def test_transient_failure_is_tried_again_in_the_run(home: Path) -> None:
    code = "if attempt.number == 1: raise TaskError('gpu', 'Xid')\nattempt.record('metric', n=2)"
    bundle = bundles.make_bundle(home / "b", [code])
    assert bundles.run(bundle).returncode == 0
    assert bundles.failure(bundle)["will_retry"] is True
    assert bundles.rows(bundle)[bundles.task_id(0)][1]["attempt"] == 2


def test_transient_failure_is_not_tried_for_ever(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [DEVICE_ERROR])
    assert bundles.run(bundle).returncode == 1
    failed = [e for e in bundles.events(bundle) if e["event"] == "task_failed"]
    assert [(e["category"], e["will_retry"]) for e in failed] == [("gpu", True), ("gpu", False)]
    assert failed[0]["evidence"] == {"device_error": 719}


def test_rows_of_a_failed_attempt_are_no_data(home: Path) -> None:
    code = (
        "attempt.record('metric', n=attempt.number)\n"
        "if attempt.number == 1: os._exit(1)\n"
        "attempt.record('metric', n=attempt.number)"
    )
    bundle = bundles.make_bundle(home / "b", [code])
    bundles.run(bundle)
    assert bundles.run(bundle, SPECC_AGAIN="1").returncode == 0
    assert [row.get("n") for row in bundles.rows(bundle)[bundles.task_id(0)]] == [None, 2, 2]


def test_output_is_kept_up_to_a_limit_and_its_end_stands_in_the_line(home: Path) -> None:
    code = "print('x' * 3_000_000)\nprint('the end')\nraise ValueError"
    bundle = bundles.make_bundle(home / "b", [code])
    bundles.run(bundle)
    log = (bundles.launch_folder(bundle) / "output.0.log").read_text()
    assert 1_048_576 < len(log) < 1_049_000
    assert log.endswith("== cut off after 1048576 bytes\n")
    assert bundles.failure(bundle)["stderr_tail"][-1] == "the end"


def test_attempt_can_log(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", ["attempt.log('loaded', seconds=2)"])
    bundles.run(bundle)
    assert '"loaded"' in (bundles.launch_folder(bundle) / "log.jsonl").read_text()


def test_checkpoint_is_resumed_with_its_rows(home: Path) -> None:
    code = (
        "saved = attempt.resume()\n"
        "for step in range(saved['step'] if saved else 0, 4):\n"
        "    attempt.record('step', step=step)\n"
        "    if step == 1 and not saved:\n"
        "        (attempt.state / 'model').write_text('half')\n"
        "        attempt.checkpoint(step=2)\n"
        "        attempt.record('step', step='lost')\n"
        "        os._exit(1)\n"
        "assert (attempt.state / 'model').read_text() == 'half'"
    )
    bundle = bundles.make_bundle(home / "b", [code])
    assert bundles.run(bundle).returncode == 1
    assert bundles.run(bundle, SPECC_AGAIN="1").returncode == 0
    steps = [r["step"] for r in bundles.rows(bundle)[bundles.task_id(0)] if r["type"] == "step"]
    assert steps == [0, 1, 2, 3]


def test_kernel_kill_for_memory_is_told_from_any_other() -> None:
    def evidence(kills: int) -> Evidence:
        return Evidence(None, None, "SIGKILL", None, kills, False)

    assert classify(evidence(1)).category == "oom_host"
    assert classify(evidence(0)).category == "unknown"


def test_program_killed_for_memory_inside_an_attempt() -> None:
    report = {"category": "program", "evidence": {"signal": "SIGKILL"}, "suggestion": "look"}
    cause = classify(Evidence(report, 1, None, None, 1, False))
    assert (cause.category, cause.suggestion) == ("oom_host", SUGGESTIONS["oom_host"])


def test_same_signal_is_preemption_under_slurm_and_cancelling_outside() -> None:
    def stopped(in_slurm: bool, by: str) -> str:
        return classify(Evidence(None, None, "SIGTERM", by, 0, in_slurm)).category

    assert stopped(True, "SIGTERM") == "preempted"
    assert stopped(False, "SIGTERM") == "cancelled"
    assert stopped(True, "SIGINT") == "cancelled"
    assert stopped(False, "deadline") == "preempted"


def test_every_category_has_a_suggestion() -> None:
    assert set(SUGGESTIONS) == set(CATEGORIES)


def _runs(argument: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if argument.encode() in path.read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False
