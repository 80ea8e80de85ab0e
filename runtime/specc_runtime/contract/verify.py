"""Compare a bundle folder with its manifest: what changed, what is missing, what is extra.

Hashes on several threads (the interpreter lock is free while a block is hashed). With a stamp
file, wheels, inputs and images that were hashed before and have the same size, time and inode are
not hashed again. What a thin bundle borrows is checked where it stands, in the lender.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat as stat_bits
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Callable, Dict, List, Mapping, Optional, Set, Tuple

from .fields import Damage
from .lenders import find_lender, why_no_lender
from .manifest import COMPILE_INFO, HASH_LIST, MANIFEST, Manifest, Subject, parse_manifest

_BLOCK = 1 << 18
_STAMPED = ("wheels/", "inputs/", "images/")
_OWN = (MANIFEST, HASH_LIST, COMPILE_INFO)
RESULTS = "results"
Stamp = Tuple[int, int, int]


@dataclass(frozen=True)
class Verdict:
    """What `verify` found. Paths are relative to the bundle and sorted."""

    manifest: Optional[Manifest]
    """None when manifest.json is missing or can't be read; `changed` or `missing` then names it."""
    changed: Tuple[str, ...]
    missing: Tuple[str, ...]
    extra: Tuple[str, ...]
    """Files that the manifest does not know, results/ and job logs aside."""
    modes: Tuple[Tuple[str, int, int], ...]
    """(path, mode stated, mode found) where only the mode differs."""
    stamped: int
    """Files that were taken for unchanged from the stamp."""
    detail: Optional[str] = None
    """Why the manifest can't be read."""
    lender: Optional[str] = None
    """Folder of the bundle that files are borrowed from; None when nothing is, or it isn't here."""
    borrowed_wrong: Tuple[str, ...] = ()
    """Paths of borrowed files that are changed or missing in the lender."""
    no_lender: Optional[str] = None
    """Why borrowed files could not be looked at: the lender is not here."""

    @property
    def intact(self) -> bool:
        """Every byte is there, borrowed ones included; modes and extra files aside."""
        return self.own_intact and not self.borrowed_wrong and self.no_lender is None

    @property
    def own_intact(self) -> bool:
        """Every byte of the bundle's own files is there."""
        return self.manifest is not None and not self.changed and not self.missing

    @property
    def clean(self) -> bool:
        """Intact, and nothing else in the folder."""
        return self.intact and not self.extra and not self.modes

    @property
    def verified(self) -> str:
        """How: "full" when every byte was hashed, else "stamped"."""
        return "stamped" if self.stamped else "full"


def file_sha256(
    path: "str | os.PathLike[str]", on_bytes: Optional[Callable[[int], None]] = None
) -> str:
    """Hash one file. Raises OSError."""
    digest = hashlib.sha256()
    view = memoryview(bytearray(_BLOCK))
    with open(path, "rb", buffering=0) as file:
        while True:
            got = file.readinto(view)
            if not got:
                return digest.hexdigest()
            digest.update(view[:got])
            if on_bytes is not None:
                on_bytes(got)


def verify(
    bundle: "str | os.PathLike[str]",
    *,
    stamp: "str | os.PathLike[str] | None" = None,
    full: bool = True,
    threads: Optional[int] = None,
    on_bytes: Optional[Callable[[int], None]] = None,
    environ: Mapping[str, str] = os.environ,
) -> Verdict:
    """Compare every file of a bundle with the manifest.

    stamp: file that remembers hashed wheels and inputs; read unless `full`, written when intact.
    on_bytes: called with the number of bytes just hashed, from any thread.
    environ: says where the bundle that files are borrowed from may be.
    """
    root = os.fspath(bundle)
    manifest, changed, missing, detail = _read(root)
    if manifest is None:
        return Verdict(None, tuple(changed), tuple(missing), (), (), 0, detail)
    known = {} if full or stamp is None else _read_stamp(stamp, manifest)
    check = _Checker(root, known, on_bytes)
    workers = threads or min(8, len(os.sched_getaffinity(0)) + 1)
    for subject, verdict in _compared(manifest.subjects, check, workers):
        if verdict == "missing":
            missing.append(subject.path)
        elif verdict == "changed":
            changed.append(subject.path)
    lender = find_lender(root, manifest, environ)
    wrong: List[str] = []
    if lender is not None:
        borrowed = _Checker(lender, known, on_bytes, modes=False)
        found = _compared(manifest.borrowed, borrowed, workers)
        wrong = sorted(subject.path for subject, verdict in found if verdict != "same")
        check.seen.update(borrowed.seen)
        check.stamped += borrowed.stamped
    if stamp is not None and not changed and not missing and not wrong:
        _write_stamp(stamp, manifest, check.seen)
    lacking = manifest.borrowed_from is not None and lender is None
    return Verdict(
        manifest=manifest,
        changed=tuple(sorted(changed)),
        missing=tuple(sorted(missing)),
        extra=_extra(root, manifest),
        modes=tuple(sorted(check.modes)),
        stamped=check.stamped,
        lender=lender,
        borrowed_wrong=tuple(wrong),
        no_lender=why_no_lender(root, manifest, environ) if lacking else None,
    )


def _compared(
    subjects: "Tuple[Subject, ...]", check: "_Checker", workers: int
) -> List[Tuple[Subject, str]]:
    """Check files on several threads: each with "same", "changed" or "missing"."""
    # the largest first, so that no thread is left alone with one at the end
    order = sorted(subjects, key=lambda subject: -subject.bytes)
    pool = ThreadPoolExecutor(workers)
    try:
        return list(zip(order, pool.map(check, order)))
    except BaseException:
        check.stopped = True  # a signal: threads in the middle of a large file give up as well
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _read(root: str) -> "Tuple[Optional[Manifest], List[str], List[str], Optional[str]]":
    changed: List[str] = []
    missing: List[str] = []
    try:
        with open(os.path.join(root, MANIFEST), "rb") as file:
            manifest = parse_manifest(file.read())
    except Damage as damage:
        return None, [MANIFEST], [], str(damage)
    except OSError as error:
        return None, [], [MANIFEST], f"{MANIFEST}: {error.strerror}"
    try:
        with open(os.path.join(root, HASH_LIST), "rb") as file:
            listed = file.read()
        if listed != manifest.hash_list().encode():
            mine = f"{manifest.sha256}  {MANIFEST}\n".encode()
            changed.append(HASH_LIST if mine in listed else MANIFEST)
    except OSError:
        missing.append(HASH_LIST)
    return manifest, changed, missing, None


class _GivenUp(Exception):
    """Nobody waits for this hash any more."""


class _Checker:
    """Compares one file at a time; called from several threads."""

    def __init__(
        self,
        root: str,
        known: Dict[str, Stamp],
        on_bytes: Optional[Callable[[int], None]],
        *,
        modes: bool = True,
    ) -> None:
        """`modes`: compare the mode bits as well."""
        self.root = root
        self.known = known
        self.on_bytes = on_bytes
        self.compare_modes = modes
        self.seen: Dict[str, Stamp] = {}
        self.modes: List[Tuple[str, int, int]] = []
        self.stamped = 0
        self.stopped = False

    def _on_bytes(self, count: int) -> None:
        if self.stopped:
            raise _GivenUp
        if self.on_bytes is not None:
            self.on_bytes(count)

    def __call__(self, subject: Subject) -> str:
        path = os.path.join(self.root, subject.path)
        try:
            status = os.stat(path)
        except OSError:
            return "missing"
        if not stat_bits.S_ISREG(status.st_mode) or status.st_size != subject.bytes:
            return "changed"
        # only the owner's x bit is meant: group and other bits follow whoever copied the bundle
        found = 0o755 if status.st_mode & 0o100 else 0o644
        if self.compare_modes and found != subject.mode:
            self.modes.append((subject.path, subject.mode, found))
        mark = (status.st_size, status.st_mtime_ns, status.st_ino)
        if self.known.get(subject.path) == mark:
            self.stamped += 1
        else:
            try:
                if file_sha256(path, self._on_bytes) != subject.sha256:
                    return "changed"
            except OSError:
                return "changed"
        if subject.path.startswith(_STAMPED):
            self.seen[subject.path] = mark
        return "same"


def _extra(root: str, manifest: Manifest) -> Tuple[str, ...]:
    known: Set[str] = {subject.path for subject in manifest.subjects}
    known.update(_OWN)
    found: List[str] = []
    for folder, folders, files in os.walk(root):
        relative = os.path.relpath(folder, root)
        prefix = "" if relative == "." else relative + "/"
        if not prefix and RESULTS in folders:
            folders.remove(RESULTS)
        folders.sort()
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in [*files, *links]:
            log = not prefix and name.startswith("slurm-") and name.endswith(".out")
            if prefix + name not in known and not log:
                found.append(prefix + name)
    return tuple(sorted(found))


def _read_stamp(path: "str | os.PathLike[str]", manifest: Manifest) -> Dict[str, Stamp]:
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
        if value["manifest"] != manifest.sha256:
            return {}
        return {name: (mark[0], mark[1], mark[2]) for name, mark in value["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return {}  # a stamp that can't be read only costs time


def _write_stamp(
    path: "str | os.PathLike[str]", manifest: Manifest, files: Dict[str, Stamp]
) -> None:
    target = os.fspath(path)
    try:
        os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
        draft = f"{target}.{os.getpid()}"
        with open(draft, "w", encoding="utf-8") as file:
            json.dump({"manifest": manifest.sha256, "files": files}, file)
        os.replace(draft, target)
    except OSError:
        return  # no stamp: the next launch hashes again
