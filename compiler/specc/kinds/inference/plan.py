"""What the compiler must know of inference benchmarks: one task on a node at a time, torch warm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from specc.kinds.base import settled
from specc.model import Fixture, Json, Spec
from specc.problems import Problem, error, warning

IDENTITY_VERSION = 1
MEASURES = True
WIDE = False
RUNTIME_ROOMS = ("kinds/inference", "ml", "sensors")

ENERGY_WINDOW_S = 2
"""Energy counters move every 10 to 100 ms: shorter windows say little."""


def derive(settings: dict[str, Json], axes: Mapping[str, Json]) -> dict[str, Json]:
    """Write out the tokenizer: the checkpoint's own unless the spec names another."""
    del axes
    checkpoint = settings.get("model", {}).get("checkpoint")
    if settings.get("tokenizer") is None and checkpoint is not None:
        return {**settings, "tokenizer": checkpoint}
    return settings


def check(spec: Spec) -> Iterator[Problem]:
    """Yield settings that contradict each other whatever the point."""
    settings = spec.data.get("settings", {})
    yield from _check_sentences(spec, settings)
    yield from _check_stopping(spec, settings)


def fixtures(settings: Mapping[str, Json]) -> tuple[Fixture, ...]:
    """Import torch and the model class once for each shard; attempts are forked from there."""
    del settings
    imports = ["torch", "specc_runtime.kinds.inference.model", "specc_runtime.kinds.inference.run"]
    return (Fixture(type="warm_parent", options={"imports": imports}),)


def _check_sentences(spec: Spec, settings: Mapping[str, Json]) -> Iterator[Problem]:
    model, dataset = settled(settings.get("model")), settled(settings.get("dataset"))
    tokenizer = settings.get("tokenizer") or model.get("checkpoint")
    if "file" in dataset and tokenizer is None:
        yield error(
            "E611",
            "the data set is text, but there is no tokenizer",
            mark=spec.document.mark("settings", "dataset", "file"),
            path="settings.dataset.file",
            hint="name one in settings.tokenizer, or use dataset.synthetic with random weights",
        )
    thresholds = settled(dataset.get("thresholds"))
    if thresholds and _numbers(thresholds) and thresholds["below"] > thresholds["above"]:
        yield error(
            "E612",
            f"below ({thresholds['below']}) is greater than above ({thresholds['above']})",
            mark=spec.document.mark("settings", "dataset", "thresholds"),
            path="settings.dataset.thresholds",
            hint="scores up to below are class 0, scores from above on are class 1",
        )


def _check_stopping(spec: Spec, settings: Mapping[str, Json]) -> Iterator[Problem]:
    stopping = settled(settings.get("stopping"))
    # an idle time of 0 says that energy does not matter here
    wants_energy = settled(settings.get("energy")).get("idle_seconds") != 0
    if not _numbers({k: stopping.get(k, 0) for k in ("min_seconds", "max_seconds")}):
        return
    least, most = stopping.get("min_seconds", 2), stopping.get("max_seconds", 60)
    mark = spec.document.mark("settings", "stopping")
    if least > most:
        yield error(
            "E613",
            f"min_seconds ({least}) is greater than max_seconds ({most})",
            mark=mark,
            path="settings.stopping",
            hint="raise max_seconds",
        )
    elif least < ENERGY_WINDOW_S and wants_energy:
        yield warning(
            "W611",
            f"windows of {least} s are too short for energy",
            mark=mark,
            path="settings.stopping.min_seconds",
            hint=f"use {ENERGY_WINDOW_S} s or more, or energy.idle_seconds: 0 to do without energy",
        )


def _numbers(values: Mapping[str, Json]) -> bool:
    """False while a value is still a placeholder."""
    return all(isinstance(value, (int, float)) for value in values.values())
