"""`specc pin`: write into a spec the pins of cluster inputs that a run has seen.

Edits the user's own file and keeps its comments and order. Only inputs without a pin get one; a
pin that disagrees with a run is an error, for then the data changed.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from specc.model import Json
from specc.problems import BundleInvalid, SpeccError
from specc_runtime.contract.fields import Damage
from specc_runtime.contract.manifest import read_manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """What was written."""

    spec: Path
    pins: Mapping[str, str]
    """Input name to "sha256:…", "tree:…" or "size:…": those newly written."""


def pin(spec: Path, bundle: Path, results: Iterable[Path] = ()) -> Pinned:
    """Fill in missing pins of the spec's cluster inputs from the launches of a bundle.

    results: folders to search for launch.json; the bundle's own results/ when none is given.
    Raises BundleInvalid when launches disagree, belong to another bundle, or say nothing.
    """
    seen = seen_pins(bundle, tuple(results) or (bundle / "results",))
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1 << 30
    text = spec.read_text("utf-8")
    if re.search(r"^inputs:[^\n]*\n(\s*#[^\n]*\n|\s*\n)*  -", text, re.MULTILINE):
        yaml.indent(mapping=2, sequence=4, offset=2)  # as the user indents lists
    data = yaml.load(text)
    written: dict[str, str] = {}
    for declared in data.get("inputs") or ():
        name = declared["name"]
        if declared.get("at") != "cluster" or name not in seen:
            continue
        how, _, what = seen[name].partition(":")
        known = declared.get("pin")
        if known is None:
            declared["pin"] = {how: int(what) if how == "size" else what}
            written[name] = seen[name]
        elif how in known and str(known[how]) != what:
            raise BundleInvalid(
                f"input {name} is pinned to {how}:{known[how]}, but the run saw {seen[name]}",
                hint="the data changed: correct the data, or remove the pin and run again",
            )
    if written:
        _replace(spec, yaml, data)
    return Pinned(spec=spec, pins=written)


def seen_pins(bundle: Path, results: Iterable[Path]) -> dict[str, str]:
    """Return input name -> pin as the launches of this bundle saw it at the cluster."""
    try:
        bundle_id = read_manifest(bundle).bundle_id
    except (OSError, Damage) as reason:
        raise BundleInvalid(f"{bundle} is not a bundle: {reason}") from None
    seen: dict[str, str] = {}
    for file, launch in _launches(results):
        if launch.get("bundle_id") != bundle_id:
            raise BundleInvalid(f"{file} is of {launch.get('bundle_id')}, not of {bundle_id}")
        for name, value in _pins_of(launch):
            if seen.setdefault(name, value) != value:
                raise BundleInvalid(
                    f"input {name} was {seen[name]} in one launch and {value} in {file}",
                    hint="the data changed between launches: their results don't belong together",
                )
    if not seen:
        raise SpeccError(
            "no launch of this bundle says what a cluster input is",
            hint="run the bundle first, and give the folder that holds its results",
        )
    return seen


def _launches(results: Iterable[Path]) -> Iterator[tuple[Path, dict[str, Json]]]:
    for folder in results:
        for file in sorted(folder.rglob("launch.json")):
            try:
                launch = json.loads(file.read_text("utf-8"))
            except ValueError:
                raise BundleInvalid(f"{file} is not JSON") from None
            if isinstance(launch, dict):
                yield file, launch


def _pins_of(launch: dict[str, Json]) -> Iterator[tuple[str, str]]:
    """Read `inputs` of a launch: name -> pin, or name -> an object with its `pin`."""
    inputs = launch.get("inputs") or {}
    named = inputs.items() if isinstance(inputs, dict) else ((i.get("name"), i) for i in inputs)
    for name, about in named:
        value = about.get("pin") if isinstance(about, dict) else about
        if isinstance(value, str) and ":" in value:
            yield str(name), value


def _replace(spec: Path, yaml: YAML, data: Json) -> None:
    text = io.StringIO()
    yaml.dump(data, text)
    draft = spec.with_name(f".{spec.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(text.getvalue(), "utf-8")
        draft.chmod(spec.stat().st_mode & 0o777)
        draft.replace(spec)
    finally:
        draft.unlink(missing_ok=True)
