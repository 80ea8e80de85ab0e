"""Look at the declared inputs: their files, hashes, and whether they are what the spec says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from specc.bundling.hashing import BLOCK_BYTES
from specc.bundling.portable import input_path
from specc.model import FileFact, InputFact, Json, JsonPath, Spec
from specc.problems import Problem, error
from specc.surveying.files import Shelf, Unusable, fact, folder_facts, tree_of

_RECORD_SUFFIXES = (".jsonl", ".ndjson", ".csv", ".tsv", ".txt")


def survey_inputs(spec: Spec, shelf: Shelf) -> tuple[dict[str, InputFact], tuple[Problem, ...]]:
    """Return what is known of every input, and every way in which one is not what was declared."""
    facts: dict[str, InputFact] = {}
    problems: list[Problem] = []
    for index, declared in enumerate(spec.data.get("inputs") or ()):
        try:
            found = _look(spec, declared, shelf)
        except Unusable as reason:
            key = "path" if "path" in declared else "source"
            hint = "check the path; relative paths start at the spec's folder"
            problems.append(_problem(spec, (index, key), "E401", str(reason), hint=hint))
            continue
        facts[found.name] = found
        problems += _disagreements(spec, index, declared, found)
    return facts, tuple(problems)


def _look(spec: Spec, declared: dict[str, Json], shelf: Shelf) -> InputFact:
    name = declared["name"]
    if declared.get("at", "desk") == "cluster":
        return InputFact(
            name=name, at="cluster", pin=_stated(declared), files=(), bytes=None, folder=False
        )
    if declared.get("source") is not None:
        return _from_lock(name, declared["source"], shelf)
    source = spec.root / declared["path"]
    if source.is_dir():
        files = folder_facts(source, input_path(name), shelf.memory)
        if not files:
            raise Unusable(f"the folder {declared['path']} holds no file")
        return _fact_of(name, files, folder=True)
    if not source.exists():
        raise Unusable(f"there is no file or folder {declared['path']}")
    return _fact_of(name, (fact(source, input_path(name), shelf.memory),), folder=False)


def _from_lock(name: str, source: dict[str, Json], shelf: Shelf) -> InputFact:
    locked = shelf.lock.inputs.get(name) if shelf.lock else None
    if locked is None or locked.source != source:
        raise Unusable(f"the lock does not know input {name} as it is declared: run `specc lock`")
    base = input_path(name)
    files = tuple(
        FileFact(
            path=f"{base}/{file.path}" if locked.folder else base,
            source=shelf.store.path(file.sha256),
            bytes=file.bytes,
            sha256=file.sha256,
        )
        for file in locked.files
    )
    missing = next((file for file in files if not file.source.exists()), None)
    if missing:
        raise Unusable(f"{missing.path} was locked but is not in the cache: run `specc lock`")
    return _fact_of(name, files, folder=locked.folder)


def _fact_of(name: str, files: tuple[FileFact, ...], *, folder: bool) -> InputFact:
    pin = (
        f"tree:{tree_of(files, input_path(name) + '/')}" if folder else f"sha256:{files[0].sha256}"
    )
    return InputFact(
        name=name,
        at="desk",
        pin=pin,
        files=files,
        bytes=sum(file.bytes for file in files),
        folder=folder,
    )


def _stated(declared: dict[str, Json]) -> str | None:
    pin: dict[str, Json] = declared.get("pin") or {}
    return next((f"{kind}:{value}" for kind, value in pin.items()), None)


def _disagreements(
    spec: Spec, index: int, declared: dict[str, Json], found: InputFact
) -> Iterator[Problem]:
    if found.at == "cluster":
        return
    hint = "it changed since the pin was written: correct the file or the pin"
    for kind, value in (declared.get("pin") or {}).items():
        seen = f"size:{found.bytes}" if kind == "size" else found.pin
        if seen != f"{kind}:{value}":
            message = f"input {found.name} is {seen}, but its pin says {kind}:{value}"
            yield _problem(spec, (index, "pin", kind), "E402", message, hint=hint)
    if (md5 := declared.get("md5")) is not None:
        yield from _check_md5(spec, index, md5, found)
    if (records := declared.get("records")) is not None:
        yield from _check_records(spec, index, records, found)


def _check_md5(spec: Spec, index: int, md5: str, found: InputFact) -> Iterator[Problem]:
    if found.folder:
        message = f"input {found.name} is a folder, and an MD5 is of one file"
        yield _problem(spec, (index, "md5"), "E404", message, hint="pin a folder by tree")
        return
    digest = hashlib.md5(usedforsecurity=False)
    with found.files[0].source.open("rb", buffering=0) as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
    if digest.hexdigest() != md5:
        message = f"the MD5 of input {found.name} is {digest.hexdigest()}, but the spec says {md5}"
        hint = "the file is not the one that its publisher describes"
        yield _problem(spec, (index, "md5"), "E404", message, hint=hint)


def _check_records(spec: Spec, index: int, records: int, found: InputFact) -> Iterator[Problem]:
    counted = sum(_lines(file.source) for file in found.files)
    if counted != records:
        message = f"input {found.name} has {counted} records (lines), but the spec says {records}"
        hint = (
            f"counted are lines that are not blank; meant for {', '.join(_RECORD_SUFFIXES)} files"
        )
        yield _problem(spec, (index, "records"), "E405", message, hint=hint)


def _lines(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(1 for line in stream if line.strip())


def _problem(spec: Spec, inside: JsonPath, code: str, message: str, *, hint: str) -> Problem:
    index, *keys = inside
    path = ".".join([f"inputs[{index}]", *map(str, keys)])
    return error(code, message, mark=spec.document.mark("inputs", *inside), path=path, hint=hint)
