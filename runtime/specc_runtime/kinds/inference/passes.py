"""The two timed passes over the same batches, and the warm-up before them.

Nothing is written and no sensor is read between two batches: rows are kept in memory until the
pass has ended.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import torch

from ...ml.devices import waiter
from .tokenise import Batch

Forward = Callable[[Batch], Any]


class Timed(NamedTuple):
    """One batch of the latency pass."""

    start_ns: int
    """Monotonic clock of this process, the one of every record's t_ns [ns]."""
    duration_ns: int
    device_ns: Optional[int]
    """Between two CUDA events around copy and forward pass [ns]; None on the CPU."""
    batch: Batch


@dataclass(frozen=True)
class Pass:
    """What one pass did."""

    duration_ns: int
    """From before the first batch until after the last synchronisation [ns]."""
    batches: int
    samples: int
    tokens: int
    padded_tokens: int
    stopped_by: str
    """"rule": both minima were reached. "cap": a maximum came first."""
    rows: List[Timed]


class Stopping:
    """At least N batches and T seconds, capped."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._min_batches: int = settings.get("min_batches", 20)
        self._min_ns = int(settings.get("min_seconds", 2) * 1e9)
        self._max_ns = int(settings.get("max_seconds", 60) * 1e9)
        self._max_batches: int = settings.get("max_batches") or 2**62

    def why(self, batches: int, elapsed_ns: int) -> Optional[str]:
        """Return why the pass ends here; None while it goes on."""
        if batches >= self._min_batches and elapsed_ns >= self._min_ns:
            return "rule"
        if batches >= self._max_batches or elapsed_ns >= self._max_ns:
            return "cap"
        return None


def forward_on(module: Any, device: torch.device) -> Forward:
    """Return the work that both passes time: copy to the device, forward pass, logits."""
    if device.type == "cpu":
        return lambda batch: (
            module(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
        )

    def on_device(batch: Batch) -> Any:
        ids = batch.input_ids.to(device, non_blocking=True)
        mask = batch.attention_mask.to(device, non_blocking=True)
        return module(input_ids=ids, attention_mask=mask).logits

    return on_device


@torch.inference_mode()
def warm_up(
    forward: Forward, batches: Sequence[Batch], device: torch.device, *, runs: int
) -> List[Timed]:
    """Run each distinct shape `runs` times, so that no timed batch is the first of its kind."""
    step = _stepper(forward, device)
    seen: Dict[Tuple[int, int], Batch] = {}
    for batch in batches:
        seen.setdefault(batch.shape, batch)
    return [step(batch) for batch in seen.values() for _ in range(runs)]


@torch.inference_mode()
def latency(
    forward: Forward, batches: Sequence[Batch], device: torch.device, stopping: Stopping
) -> Pass:
    """Time each batch by itself, synchronised after each."""
    step = _stepper(forward, device)
    rows: List[Timed] = []
    started = time.perf_counter_ns()
    while True:
        row = step(batches[len(rows) % len(batches)])
        rows.append(row)
        why = stopping.why(len(rows), row.start_ns + row.duration_ns - started)
        if why is not None:
            return _summary(time.perf_counter_ns() - started, [r.batch for r in rows], why, rows)


@torch.inference_mode()
def throughput(
    forward: Forward, batches: Sequence[Batch], device: torch.device, stopping: Stopping
) -> Pass:
    """Issue batches one after another and wait once, after the last.

    On CUDA the work runs behind its issue, by as many kernels as the driver's queue holds (about a
    thousand), so the window ends a few batches after the rule asked for it.
    """
    wait = waiter(device)
    done: List[Batch] = []
    started = time.perf_counter_ns()
    while True:
        batch = batches[len(done) % len(batches)]
        forward(batch)
        done.append(batch)
        why = stopping.why(len(done), time.perf_counter_ns() - started)
        if why is not None:
            wait()
            return _summary(time.perf_counter_ns() - started, done, why, [])


def _stepper(forward: Forward, device: torch.device) -> Callable[[Batch], Timed]:
    clock = time.perf_counter_ns
    if device.type == "cpu":

        def on_cpu(batch: Batch) -> Timed:
            start = clock()
            forward(batch)
            return Timed(start, clock() - start, None, batch)

        return on_cpu

    wait = waiter(device)
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def on_device(batch: Batch) -> Timed:
        start = clock()
        first.record()
        forward(batch)
        last.record()
        wait()
        duration = clock() - start
        return Timed(start, duration, round(first.elapsed_time(last) * 1e6), batch)

    return on_device


def _summary(duration_ns: int, done: Sequence[Batch], why: str, rows: List[Timed]) -> Pass:
    return Pass(
        duration_ns=duration_ns,
        batches=len(done),
        samples=sum(batch.shape[0] for batch in done),
        tokens=sum(batch.tokens for batch in done),
        padded_tokens=sum(batch.padded_tokens for batch in done),
        stopped_by=why,
        rows=rows,
    )
