"""One real failure for each category that an attempt can end with, and text that is no evidence."""

from __future__ import annotations

import errno
import random
from pathlib import Path
from typing import Any

import bundles
import pytest

from specc_runtime.causes.classify import Evidence, classify
from specc_runtime.causes.device_errors import DEVICE_ERRORS, is_fatal_fault
from specc_runtime.contract.categories import CATEGORIES, SUGGESTIONS, TRANSIENT

RAISES_AS_TORCH = """
def raise_as(module, name, **fields):
    kind = type(name, (RuntimeError,), {"__module__": module, **fields})
    raise kind("CUDA error")
"""
WORDS = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 GiB",
    "oom-kill: Out of memory: Killed process 4242 (python)",
    "NCCL error: remote process exited or there was a network error",
    "OSError: [Errno 28] No space left on device",
    "slurmstepd: error: *** JOB 7 ON n1 CANCELLED DUE TO TIME LIMIT ***",
    "RuntimeError: CUDA error: uncorrectable ECC error encountered",
    "DUE TO PREEMPTION, NODE FAILURE",
    "MemoryError",
    "Segmentation fault (core dumped)",
    "loss is nan, training diverged",
)


def fail(home: Path, code: str, **options: Any) -> dict[str, Any]:
    """Run one task; return the line of its first failure."""
    bundle = bundles.make_bundle(home / "b", [code], **options)
    bundles.run(bundle)
    return next(e for e in bundles.events(bundle) if e["event"] == "task_failed")


@pytest.mark.parametrize(
    ("code", "category"),
    [
        ("bytearray(1 << 62)", "oom_host"),
        ("raise_as('torch', 'OutOfMemoryError')", "oom_gpu"),
        ("raise_as('torch', 'AcceleratorError', error_code=2)", "oom_gpu"),
        ("raise_as('torch', 'AcceleratorError', error_code=214)", "gpu"),
        ("raise_as('torch', 'AcceleratorError', error_code=46)", "gpu"),
        ("raise_as('torch', 'AcceleratorError', error_code=710)", "program"),
        ("raise_as('torch', 'AcceleratorError', error_code=9)", "program"),
        ("raise_as('torch', 'AcceleratorError', error_code=810)", "gpu"),
        ("raise_as('torch.distributed', 'DistBackendError')", "node"),
        ("raise_as('torch.distributed', 'DistNetworkError')", "node"),
        ("open('/dev/full', 'w').write('x' * 9999)", "disk"),
        ("raise TaskError('model_load', 'no such layer')", "model_load"),
        ("raise TaskError('dataset_load', 'no such split')", "dataset_load"),
        ("raise TaskError('diverged', 'loss is inf')", "diverged"),
        ("raise TaskError('health_check', 'no answer')", "health_check"),
        ("1 / 0", "program"),
        ("os.abort()", "program"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "unknown"),
    ],
)
def test_real_end_and_its_category(home: Path, code: str, category: str) -> None:
    failed = fail(home, RAISES_AS_TORCH + code)
    assert failed["category"] == category
    assert failed["transient"] == (category in TRANSIENT)
    assert failed["suggestion"] == SUGGESTIONS[category]


def test_out_of_memory_of_the_real_torch(home: Path) -> None:
    pytest.importorskip("torch")
    failed = fail(home, "import torch\nraise torch.OutOfMemoryError('none')")
    assert (failed["category"], failed["type"]) == ("oom_gpu", "torch.OutOfMemoryError")


def test_network_error_of_the_real_torch(home: Path) -> None:
    pytest.importorskip("torch")
    code = (
        "import datetime\nfrom torch.distributed import TCPStore\n"
        "TCPStore('127.0.0.1', 1, 2, False, timeout=datetime.timedelta(milliseconds=20))"
    )
    failed = fail(home, code)
    assert failed["type"] == "torch.distributed.DistNetworkError"
    assert (failed["category"], failed["transient"]) == ("node", True)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_file_system_that_breaks_is_trouble_of_the_node(home: Path, number: int) -> None:
    assert fail(home, f"raise OSError({number}, 'x')")["category"] == "node"


@pytest.mark.parametrize("where", ["stdout", "stderr"])
def test_text_of_a_program_never_changes_the_category(home: Path, where: str) -> None:
    lines = [*WORDS, *random.Random(7).choices(WORDS, k=30)]
    code = f"for line in {lines!r}: print(line, file=sys.{where})\nraise TaskError('program', 'x')"
    failed = fail(home, code)
    assert failed["category"] == "program"
    assert failed["stderr_tail"][-1] == lines[-1]


@pytest.mark.parametrize("words", WORDS)
def test_text_of_an_exception_is_no_evidence(words: str) -> None:
    report = {"category": None, "types": ["RuntimeError"], "message": words, "evidence": {}}
    assert classify(Evidence(report, 1, None, None, 0, True)).category == "program"


def test_attempt_without_a_sign_of_life_is_stalled(home: Path) -> None:
    failed = fail(home, "time.sleep(60)", task={"stall_limit_s": 1.2})
    assert (failed["category"], failed["transient"]) == ("stalled", False)
    assert failed["message"] == "no output, record or report for 1.2 s"
    assert failed["duration_s"] < 30


@pytest.mark.parametrize(
    "sign", ["print('.', flush=True)", "attempt.record('metric', n=1)", "attempt.log('here')"]
)
def test_any_sign_of_life_puts_the_stall_off(home: Path, sign: str) -> None:
    code = f"for _ in range(30):\n    {sign}\n    time.sleep(0.1)"
    bundle = bundles.make_bundle(home / "b", [code], task={"stall_limit_s": 2.0})
    assert bundles.run(bundle).returncode == 0


def stopped(by: str, **more: Any) -> str:
    return classify(Evidence(None, None, "SIGTERM", by, 0, True, **more)).category


def test_deadline_that_a_task_met_alone_is_its_own_timeout() -> None:
    assert stopped("deadline") == "preempted"
    assert stopped("deadline", deadline_alone=True) == "timeout"
    # a preemption is one, however long the task had been alone
    assert stopped("SIGTERM", deadline_alone=True) == "preempted"


@pytest.mark.parametrize(
    ("report", "signal", "category"),
    [
        ({"category": "program", "types": [], "evidence": {"exit_code": 1}}, None, "gpu_neighbour"),
        ({"types": ["torch.AcceleratorError"], "evidence": {}}, None, "gpu_neighbour"),
        # a client that the MPS server ended says so itself
        (
            {"types": ["torch.AcceleratorError"], "evidence": {"device_error": 810}},
            None,
            "gpu_neighbour",
        ),
        (None, "SIGABRT", "gpu_neighbour"),
        ({"types": ["torch.OutOfMemoryError"], "evidence": {}}, None, "oom_gpu"),
        ({"category": "diverged", "types": [], "evidence": {}}, None, "diverged"),
        ({"types": ["OSError"], "evidence": {"errno": errno.ENOSPC}}, None, "disk"),
    ],
)
def test_fault_of_a_neighbour_explains_what_is_open_to_doubt(
    report: dict[str, Any] | None, signal: str | None, category: str
) -> None:
    evidence = Evidence(report, 1, signal, None, 0, False, neighbour_fault="a" * 16)
    assert classify(evidence).category == category


def test_fatal_faults_are_those_that_end_a_context() -> None:
    def fatal(code: int) -> bool:
        return is_fatal_fault(["torch.AcceleratorError"], {"device_error": code})

    assert [fatal(code) for code in (700, 710, 719, 214)] == [True] * 4
    assert [fatal(code) for code in (2, 46, 810, 9)] == [False] * 4
    assert not is_fatal_fault(["RuntimeError"], {"device_error": 700})
    assert {known.category for known in DEVICE_ERRORS.values()} <= set(CATEGORIES)
