"""What the compiler must know of training: a few contradictions, and torch imported once.

Tasks may share a node and a GPU: what is measured is how the loss falls, not how fast.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeGuard

from specc.kinds.base import settled
from specc.matrix.points import axes_of, mark_of_value
from specc.model import Fixture, Json, Mark, Spec
from specc.problems import Problem, error, warning

IDENTITY_VERSION = 1
MEASURES = False
WIDE = False
RUNTIME_ROOMS = ("kinds/training", "ml", "sensors")

IMAGES = {"cifar10-binary": 50_000, "cifar10-python": 50_000, "idx": 60_000, "digits-csv": 1_797}
"""Images to train on in the usual files of each format, before any are set aside."""
CLASSES = {"cifar10-binary": 10, "cifar10-python": 10, "digits-csv": 10}
"""Of formats that hold nothing else."""

MANY_VALUES = 50
_RANGES = (
    ("windows", "alpha_early"),
    ("augmentation", "crop_scale"),
    ("augmentation", "crop_ratio"),
)


@dataclass(frozen=True, slots=True)
class _Variant:
    """The settings of the study, or of one of its named points or rules."""

    settings: Mapping[str, Any]
    place: str
    """Where its changes stand; empty for the settings themselves."""
    mark: Mark | None


def derive(settings: dict[str, Json], axes: Mapping[str, Json]) -> dict[str, Json]:
    """Return the settings as they are: no default of training depends on another value."""
    del axes
    return settings


def fixtures(settings: Mapping[str, Json]) -> tuple[Fixture, ...]:
    """Import torch once for each shard; attempts are forked from there.

    The default, because importing torch takes as long as several epochs of a small net, and
    because its pages are then shared. An optimiser imports torch._dynamo when it is made, which
    takes longer still. The parent touches no GPU: a CUDA context doesn't survive
    a fork, so each attempt opens its device itself.
    """
    del settings
    imports = ["torch", "torch._dynamo", "specc_runtime.kinds.training.run"]
    return (Fixture(type="warm_parent", options={"imports": imports}),)


def check(spec: Spec) -> Iterator[Problem]:
    """Yield what contradicts itself in the settings, or in those of a named point; each once."""
    seen: set[tuple[str, str]] = set()
    for variant in _variants(spec):
        for problem in _contradictions(spec, variant):
            key = (problem.code, problem.message)
            if key not in seen:
                seen.add(key)
                yield problem


def _contradictions(spec: Spec, variant: _Variant) -> Iterator[Problem]:
    yield from _check_data(spec, variant)
    yield from _check_optimizer(spec, variant)
    yield from _check_lengths(spec, variant)
    yield from _check_ranges(spec, variant)


def _check_data(spec: Spec, variant: _Variant) -> Iterator[Problem]:
    data = settled(variant.settings.get("data"))
    if data.get("format") == "digits-csv" and data.get("validation_fraction") is None:
        yield error(
            "E621",
            "the digits have no test part, and none is set aside",
            **_at(spec, variant, "data", "format"),
            hint="say which share is validated on: settings.data.validation_fraction: 0.2",
        )
    held, asked = CLASSES.get(data.get("format", "")), data.get("classes")
    if held is not None and _is_number(asked) and asked != held:
        yield error(
            "E624",
            f"files of the format {data['format']} have {held} classes, not {asked}",
            **_at(spec, variant, "data", "classes"),
            hint=f"leave settings.data.classes out, or make it {held}",
        )
    images, batch = train_images(variant.settings), variant.settings.get("batch_size")
    if images is not None and _is_number(batch) and batch > images:
        yield error(
            "E622",
            f"a batch of {batch} images is larger than the {images} images to train on",
            **_at(spec, variant, "batch_size"),
            hint="make the batch smaller: images left over at the end of an epoch are left out",
        )


def _check_optimizer(spec: Spec, variant: _Variant) -> Iterator[Problem]:
    settings = variant.settings
    if settings.get("nesterov") is True and settings.get("momentum") == 0:
        yield error(
            "E623",
            "nesterov needs a momentum above 0",
            **_at(spec, variant, "nesterov"),
            hint="raise settings.momentum, or leave nesterov out",
        )


def _check_lengths(spec: Spec, variant: _Variant) -> Iterator[Problem]:
    """Yield what comes due only after the end of the run."""
    settings, epochs = variant.settings, variant.settings.get("epochs")
    if not _is_number(epochs):
        return
    warmup = settings.get("warmup_epochs")
    if _is_number(warmup) and warmup >= epochs:
        yield warning(
            "W622",
            f"the learning rate still rises when the run ends: {warmup} epochs of warm-up of"
            f" {epochs}",
            **_at(spec, variant, "warmup_epochs"),
            hint="shorten settings.warmup_epochs",
        )
    early = settled(settings.get("windows")).get("alpha_early")
    if isinstance(early, list) and all(map(_is_number, early)) and early[1] > epochs:
        yield warning(
            "W623",
            f"the early slope ends at epoch {early[1]}, the run at {epochs}",
            **_at(spec, variant, "windows", "alpha_early"),
            hint="the slope is then null; end the window within the run",
        )
    cadences = settled(settings.get("cadences"))
    steps = steps_per_epoch(settings)
    limits = {
        "quarter_epochs": (epochs, "epochs"),
        "noise_epochs": (epochs, "epochs"),
        "curvature_steps": (steps * epochs if steps else None, "steps"),
    }
    for name, (most, unit) in limits.items():
        each = cadences.get(name)
        if most is not None and _is_number(each) and each > most:
            yield warning(
                "W621",
                f"{name}: every {each} {unit}, but the run has only {_counted(most, unit)}",
                **_at(spec, variant, "cadences", name),
                hint="nothing of it will be recorded; shorten it, or null says that none is wanted",
            )


def _check_ranges(spec: Spec, variant: _Variant) -> Iterator[Problem]:
    """Yield pairs of which the first must not be the larger; a window must not be a moment."""
    for *block, name in _RANGES:
        low_high = settled(variant.settings.get(block[0])).get(name)
        if not isinstance(low_high, list) or not all(map(_is_number, low_high)):
            continue
        low, high = low_high
        if low > high or (low == high and name == "alpha_early"):
            yield error(
                "E625",
                f"{name} goes from {low} to {high}: nothing lies in between",
                **_at(spec, variant, *block, name),
                hint=f"write the smaller first: [{min(low, high)}, {max(low, high)}]"
                if low > high
                else "end the window after it begins",
            )


def train_images(settings: Mapping[str, Any]) -> int | None:
    """Return how many images a run trains on; None where the spec does not tell."""
    data = settled(settings.get("data"))
    images = IMAGES.get(data.get("format", ""))
    share, wanted = data.get("validation_fraction"), data.get("train_samples")
    if images is None or not all(one is None or _is_number(one) for one in (share, wanted)):
        return None
    left = images - math.ceil(images * (share or 0))
    return left if wanted is None else min(left, int(wanted))


def steps_per_epoch(settings: Mapping[str, Any]) -> int | None:
    """Return the steps of one epoch, the last short batch left out; None where it is unknown."""
    images, batch = train_images(settings), settings.get("batch_size")
    if images is None or not _is_number(batch) or batch < 1:
        return None
    return images // int(batch)


def _variants(spec: Spec) -> Iterator[_Variant]:
    """Yield the settings, then those of each axis value, named point and rule by itself."""
    base = spec.data["settings"]
    yield _Variant(base, "", None)
    for axis in axes_of(spec.data):
        hole = f"${{{axis.name}}}"
        if axis.named_points or hole not in (fields := dict(_leaves(base))).values():
            continue
        filled = [path for path, value in fields.items() if value == hole]
        for value in _telling(axis.values):
            changes = dict.fromkeys((".".join(("settings", *path)) for path in filled), value)
            settings = _changed(spec, base, changes, axis.path).settings
            mark = mark_of_value(spec.document, axis, value)
            yield _Variant(settings, ".".join(map(str, axis.path)), mark)
    matrix = spec.data.get("matrix") or {}
    for axis, points in (matrix.get("points") or {}).items():
        for name, changes in points.items():
            path = ("matrix", "points", axis, name)
            yield _changed(spec, base, changes, path)
    for at, rule in enumerate(spec.data.get("when") or ()):
        yield _changed(spec, base, rule.get("set") or {}, ("when", at, "set"))


def _changed(
    spec: Spec, base: Mapping[str, Any], changes: Mapping[str, Json], path: Sequence[str | int]
) -> _Variant:
    settings = deepcopy(dict(base))
    for dotted, value in changes.items():
        block, *keys = dotted.split(".")
        if block == "settings" and keys:
            inner = settings
            for key in keys[:-1]:
                below = inner.get(key)
                inner[key] = dict(below) if isinstance(below, dict) else {}
                inner = inner[key]
            inner[keys[-1]] = value
    return _Variant(settings, ".".join(map(str, path)), spec.document.mark(*path))


def _leaves(block: Mapping[str, Any], *above: str) -> Iterator[tuple[tuple[str, ...], Json]]:
    """Yield path and value of each text."""
    for name, value in block.items():
        if isinstance(value, dict):
            yield from _leaves(value, *above, name)
        elif isinstance(value, str):
            yield (*above, name), value


def _telling(values: Sequence[Json]) -> Sequence[Json]:
    """Return the values worth a look: of long rows of numbers the ends will do."""
    if len(values) < MANY_VALUES or not all(map(_is_number, values)):
        return values[:MANY_VALUES]
    return min(values), max(values)


def _counted(count: float, unit: str) -> str:
    return f"{count:g} {unit.removesuffix('s') if count == 1 else unit}"


def _at(spec: Spec, variant: _Variant, *path: str) -> dict[str, Any]:
    """Return mark and path of a problem: the setting's, or those of the point that changed it."""
    if variant.place:
        return {"mark": variant.mark, "path": variant.place}
    written = ("settings", *path) in spec.document.value_marks
    # of a default nothing is written: the block itself, not the first of its keys
    mark = spec.document.mark("settings", *path) if written else spec.document.key_mark("settings")
    return {
        "mark": mark,
        "path": ".".join(("settings", *path)),
    }


def _is_number(value: Json) -> TypeGuard[int | float]:
    """False while a value is still a placeholder."""
    return isinstance(value, int | float) and not isinstance(value, bool)
