"""Measure one point: load, warm up, latency pass, throughput pass, outputs. Start reading here."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Tuple

import torch

from ...attempts.attempt import TaskError
from ...ml import devices
from . import dataset, definitions, outputs, passes, tokenise
from .model import Model, load_model
from .probes import Probes

if TYPE_CHECKING:
    from ...attempts.attempt import Attempt

Labels = List[Optional[int]]


def run(attempt: Attempt) -> None:
    """Record model, dataset, batches, windows, idle, memory and outputs of one task."""
    settings = attempt.task.settings
    threads = devices.pin_threads(settings.get("threads") or attempt.cpus)
    device = devices.open_device(settings.get("device", "cpu"))
    stated_watts = settings.get("energy", {}).get("stated_watts")
    probes = Probes(device, attempt.gpu, stated_watts)

    model = _load(attempt, settings, device, threads)
    encoded, labels = _read_samples(attempt, settings, model)
    batches = _batches(encoded, settings, device, model)
    attempt.record("memory", **probes.memory("load"))

    module = torch.compile(model.module, dynamic=False) if settings.get("compile") else model.module
    forward = passes.forward_on(module, device)
    warm = passes.warm_up(forward, batches, device, runs=settings.get("warmup", 2))
    _record_batches(attempt, "warmup", warm)
    probes.reset_peaks()

    attempt.record("idle", **probes.idle(settings.get("energy", {}).get("idle_seconds", 2)))
    stopping = passes.Stopping(settings.get("stopping", {}))
    for measure, name, definition in (
        (passes.latency, "latency", definitions.LATENCY),
        (passes.throughput, "throughput", definitions.THROUGHPUT),
    ):
        window = probes.start()
        done = measure(forward, batches, device, stopping)
        _record_pass(attempt, name, definition, done, probes.stop(window))
    attempt.record("memory", **probes.memory("steady"))
    chosen = encoded.first(settings.get("evaluation", {}).get("samples", 256))
    logits = outputs.classify(forward, _batches(chosen, settings, device, model), len(chosen.ids))
    _record_outputs(attempt, logits, labels, model)


def _load(
    attempt: Attempt,
    settings: Mapping[str, Any],
    device: torch.device,
    threads: Mapping[str, Any],
) -> Model:
    dtype, attention = settings.get("dtype", "float32"), settings.get("attention", "sdpa")
    model = load_model(
        str(device),
        settings["model"],
        dtype=dtype,
        attention=attention,
        resolve=attempt.resolve,
    )
    attempt.record(
        "model",
        load_s=model.load_s,
        parameters=model.parameters,
        checkpoint_sha256=model.checkpoint_sha256,
        checkpoint_sha256_reason=None if model.checkpoint_sha256 else "the weights are random",
        layout=settings["model"].get("layout", "distilbert"),
        dtype=dtype,
        attention=attention,
        compiled=bool(settings.get("compile")),
        **threads,
        **devices.describe(device),
    )
    return model


def _read_samples(
    attempt: Attempt, settings: Mapping[str, Any], model: Model
) -> Tuple[tokenise.Encoded, Labels]:
    block = settings["dataset"]
    facts: Dict[str, Any] = {}
    started = time.perf_counter_ns()
    if "synthetic" in block:
        stated = block["synthetic"]
        encoded = tokenise.synthetic(
            stated["samples"],
            stated["tokens"],
            seed=stated.get("seed", 0),
            vocabulary=model.config.vocab_size,
        )
        labels: Labels = [None] * len(encoded.ids)
        facts = {"records": None, "records_reason": "the tokens are synthetic"}
    else:
        data = dataset.read_dataset(str(attempt.resolve(block["file"])), block)
        labels, facts = data.labels, data.facts
        folder = str(attempt.resolve(settings["tokenizer"]))
        started = time.perf_counter_ns()
        encoded = tokenise.encode(data.texts, folder, max_length=settings.get("max_length", 128))
    tokenise_ns = time.perf_counter_ns() - started
    attempt.record("dataset", **facts, **encoded.facts(), tokenise_ns=tokenise_ns)
    return encoded, labels


def _batches(
    encoded: tokenise.Encoded,
    settings: Mapping[str, Any],
    device: torch.device,
    model: Model,
) -> List[tokenise.Batch]:
    fixed = settings.get("padding") == "max_length"
    batches = tokenise.prepare_inputs(
        encoded,
        settings.get("batch_size", 1),
        width=settings.get("max_length", 128) if fixed else None,
        multiple_of=settings.get("pad_to", 8),
        pinned=device.type == "cuda",
    )
    widest = max(batch.shape[1] for batch in batches)
    places = model.config.max_position_embeddings
    if widest > places:
        raise TaskError(
            "program",
            f"a batch is {widest} tokens wide, but the model has only {places} positions",
            f"set max_length to at most {places}, a multiple of pad_to",
        )
    return batches


def _record_batches(attempt: Attempt, phase: str, rows: Sequence[passes.Timed]) -> None:
    for index, row in enumerate(rows):
        attempt.record(
            "batch",
            **{"pass": "latency"},
            phase=phase,
            index=index,
            start_ns=row.start_ns,
            duration_ns=row.duration_ns,
            device_ns=row.device_ns,
            device_ns_reason="no device clock on the CPU" if row.device_ns is None else None,
            samples=row.batch.shape[0],
            tokens=row.batch.tokens,
            padded_tokens=row.batch.padded_tokens,
        )


def _record_pass(
    attempt: Attempt,
    name: str,
    definition: str,
    done: passes.Pass,
    sensed: Mapping[str, Any],
) -> None:
    _record_batches(attempt, "timed", done.rows)
    attempt.record(
        "window",
        **{"pass": name},
        definition=definition,
        definition_text=definitions.TEXTS[definition],
        duration_ns=done.duration_ns,
        batches=done.batches,
        samples=done.samples,
        tokens=done.tokens,
        padded_tokens=done.padded_tokens,
        stopped_by=done.stopped_by,
        **sensed,
    )


def _record_outputs(attempt: Attempt, logits: torch.Tensor, labels: Labels, model: Model) -> None:
    fields = outputs.outputs_record(
        logits,
        labels[: len(logits)],
        keep=attempt.task.settings.get("evaluation", {}).get("logits", 64),
        accuracy_reason=model.accuracy_reason,
    )
    attempt.record("outputs", **fields)
