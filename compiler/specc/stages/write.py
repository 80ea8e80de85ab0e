"""Put a sealed bundle on disk, whole or not at all.

Written under a temporary name in the same folder and renamed; every copied file is hashed again on
its way. An identical bundle that is already there is left alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

from specc.bundling.hashing import BLOCK_BYTES
from specc.model import Json
from specc.problems import BundleInvalid
from specc.progress import Progress, Silent
from specc.sealed import Bundle, BundleFile
from specc.verify import verify_bundle

_WORTH_SHOWING_BYTES = 32 << 20


def write(
    bundle: Bundle, out: Path, *, provenance: dict[str, Json], progress: Progress | None = None
) -> Path:
    """Write the bundle to out/<bundle_id> and return that folder.

    provenance: what stands in compile.json, outside the hash (time, command line, git, spec text).
    Raises BundleInvalid when a source file changed since it was hashed, or when a folder of that
    name holds something else.
    """
    target = out / bundle.bundle_id
    if target.exists():
        _stop_unless_same(target, bundle.bundle_id)
        return target
    out.mkdir(parents=True, exist_ok=True)
    temporary = out / f".{bundle.bundle_id}.{os.getpid()}.tmp"
    try:
        _fill(temporary, bundle, provenance, progress or Silent())
        try:
            temporary.rename(target)
        except OSError:
            if not target.exists():
                raise
            _stop_unless_same(
                target, bundle.bundle_id
            )  # another compile of the same spec was faster
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _stop_unless_same(target: Path, bundle_id: str) -> None:
    verdict = verify_bundle(target)
    if verdict.own_intact and verdict.manifest and verdict.manifest.bundle_id == bundle_id:
        return
    raise BundleInvalid(
        f"{target} exists and does not match its manifest",
        hint=f"`specc verify {target}` names what differs; move the folder away and compile again",
    )


def _fill(folder: Path, bundle: Bundle, provenance: dict[str, Json], progress: Progress) -> None:
    folder.mkdir()
    folders = {folder}
    total = sum(file.bytes for file in bundle.files)
    if total >= _WORTH_SHOWING_BYTES:
        progress.start("writing the bundle", total)
    for file in bundle.files:
        path = folder / file.path
        if path.parent not in folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            folders.add(path.parent)
        _put(file, path, progress)
    about = {"bundle_id": bundle.bundle_id, **provenance}
    text = json.dumps(about, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    (folder / "compile.json").write_text(text, "utf-8")
    (folder / "compile.json").chmod(0o644)
    for root, names, _ in os.walk(folder):
        for name in names:
            Path(root, name).chmod(0o755)
    folder.chmod(0o755)
    if total >= _WORTH_SHOWING_BYTES:
        progress.finish()


def _put(file: BundleFile, path: Path, progress: Progress) -> None:
    if file.content is not None:
        path.write_bytes(file.content)
        progress.advance(file.bytes)
    else:
        _copy(file, path, progress)
    path.chmod(file.mode)


def _copy(file: BundleFile, path: Path, progress: Progress) -> None:
    if file.source is None:
        raise ValueError(f"{file.path} has neither content nor source")
    digest = hashlib.sha256()
    with file.source.open("rb", buffering=0) as source, path.open("wb", buffering=0) as copy:
        while block := source.read(BLOCK_BYTES):
            digest.update(block)
            copy.write(block)
            progress.advance(len(block))
    if digest.hexdigest() != file.sha256:
        raise BundleInvalid(
            f"{file.source} changed while the bundle was written",
            hint="compile again once nothing writes to it",
        )
