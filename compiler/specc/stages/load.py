"""Read one text the user wrote. The door through which spec, includes and profile come in.

Reads a file and nothing else; what the text means is `parse`'s business.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from specc.language.suggest import closest
from specc.model import Mark, SourceFile
from specc.problems import Problem, SpecInvalid, error

MAX_BYTES = 1 << 20
"""A spec is a matrix, tens of lines; a megabyte of YAML takes a second to scan."""


def load(path: Path, *, named_at: Mark | None = None, named_path: str = "") -> SourceFile:
    """Read a text file: UTF-8, a BOM and CRLF allowed, at most MAX_BYTES.

    named_at, named_path: the place in another file that names this one, for the diagnostics.
    Raises SpecInvalid when it is missing, unreadable, not a regular file, too large or not UTF-8.
    """
    shown = str(path)

    def refuse(code: str, message: str, hint: str) -> SpecInvalid:
        return SpecInvalid([error(code, message, mark=named_at, path=named_path, hint=hint)])

    try:
        # O_NONBLOCK: opening a named pipe must not wait for a writer
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISDIR(mode):
                raise IsADirectoryError
            if not stat.S_ISREG(mode):
                raise refuse("E003", f"{shown} is not a regular file", "name a file, not a device")
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise refuse("E001", f"there is no file {shown}", _hint_for_missing(path)) from None
    except (IsADirectoryError, NotADirectoryError):
        hint = "name the spec file inside it"
        raise refuse("E002", f"{shown} is a folder, not a file", hint) from None
    except PermissionError:
        hint = f"check with: ls -l {shown}"
        raise refuse("E004", f"no permission to read {shown}", hint) from None
    except (OSError, ValueError) as reason:
        raise refuse("E003", f"{shown} cannot be read: {reason}", "check the path") from None
    if len(raw) > MAX_BYTES:
        message = f"{shown} is larger than {MAX_BYTES >> 20} MiB"
        hint = "write the matrix, not the expanded points; large data belongs under inputs"
        raise refuse("E005", message, hint)
    return SourceFile(path=path, shown=shown, text=_decode(raw, shown))


def _decode(raw: bytes, shown: str) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as reason:
        raise SpecInvalid([_not_utf8(raw, reason.start, shown)]) from None
    return text.replace("\r\n", "\n")


def _not_utf8(raw: bytes, offset: int, shown: str) -> Problem:
    before = raw[:offset].decode("utf-8-sig", errors="replace")
    column = len(before) - (before.rfind("\n") + 1) + 1
    mark = Mark(file=shown, line=before.count("\n") + 1, column=column, end_column=column + 1)
    hint = f"save the file as UTF-8, e.g. iconv -f latin1 -t utf-8 {shown}"
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        hint = f"it looks like UTF-16: iconv -f utf-16 -t utf-8 {shown}"
    return error("E006", f"byte 0x{raw[offset]:02x} is not UTF-8", mark=mark, hint=hint)


def _hint_for_missing(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"the folder {path.parent} is not there either"
    near = closest(path.name, names)
    return f"did you mean {path.parent / near}?" if near else "check the name and the folder"
