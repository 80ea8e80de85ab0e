"""Tables of a verb's answer on terminals of several widths."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import suppress

import pytest

TABLE = """
from specc.commands.console import as_table
heads = ("point", "metric", "baseline", "current", "change", "runs", "verdict")
row = ("algorithm sha256, block bytes 16384", "rate_kb_per_s", "1.43 GB/s", "1.43 GB/s",
       "+0.33 % (-2.78 % to +3.53 %)", "3 | 3", "INCONCLUSIVE")
print(as_table(heads, [row], right=(2, 3, 4, 5)))
"""


def shown(columns: int) -> str:
    """Return what a terminal of so many columns gets."""
    terminal, end = pty.openpty()
    subprocess.run(
        [sys.executable, "-c", TABLE],
        stdout=end,
        check=True,
        env={**os.environ, "COLUMNS": str(columns), "TERM": "xterm"},
    )
    os.close(end)
    told = b""
    with suppress(OSError):  # the terminal's other end is closed
        while block := os.read(terminal, 65536):
            told += block
    os.close(terminal)
    return told.decode()


@pytest.mark.parametrize("columns", [80, 120])
def test_words_and_numbers_stay_legible(columns: int) -> None:
    text = shown(columns)
    assert max(map(len, text.splitlines())) <= columns
    for word in ("algorithm", "sha256", "1.43 GB/s", "+0.33 %", "3 | 3", "INCONCLUSIVE"):
        assert word in text
    assert "…" not in text
