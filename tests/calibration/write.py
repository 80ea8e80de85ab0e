"""Simulate every promise about error rates and write docs/calibration.md.

Each module beside this one that has `claims(trials, seed) -> list[Claim]` takes part; its docstring
heads its table. Equal trials and seed give equal bytes.

    python tests/calibration/write.py [--trials N] [--seed N] [--check] [MODULE …]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType

from claim import Claim

from specc.analysis.signs import percent

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "calibration.md"
HEAD = """# How often the numbers err

Written by `make calibrate`: data with a known truth are simulated, and the estimators of
`specc collate` and `specc compare` are asked. A rate stands with its 95 % Wilson interval; *holds*
compares the rate itself with the promise. {trials} trials for each claim unless its row says
otherwise, seed {seed}. CI repeats all of it with few trials and fails where a promise is grossly
broken.
"""
COLUMNS = ("claim", "simulated truth", "trials", "measured", "promised", "holds", "estimator")


def modules() -> tuple[ModuleType, ...]:
    """Return the modules that make claims, by name."""
    names = sorted(path.stem for path in HERE.glob("*.py"))
    own = ("claim", "write", "conftest")
    loaded = [import_module(n) for n in names if n not in own and not n.startswith("test_")]
    return tuple(module for module in loaded if hasattr(module, "claims"))


def page(found: dict[str, tuple[str, list[Claim]]], *, trials: int, seed: int) -> str:
    """Return the Markdown page. found: module name -> (docstring, its claims)."""
    parts = [HEAD.format(trials=f"{trials:,}", seed=seed)]
    for said, claims in found.values():
        title, _, text = said.strip().partition("\n")
        parts.append(f"## {title.rstrip('.')}\n")
        if text.strip():
            parts.append(f"{text.strip()}\n")
        parts.append(_table(claims))
    return "\n".join(parts)


def _table(claims: Iterable[Claim]) -> str:
    rows = [COLUMNS, ("---",) * len(COLUMNS), *map(_row, claims)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(one: Claim) -> tuple[str, ...]:
    low, high = one.wilson
    sign = "≥" if one.side == "at_least" else "≤"
    return (
        one.name,
        one.truth,
        f"{one.trials:,}",
        f"{percent(one.rate, 1)} ({percent(low, 1)} to {percent(high, 1)})",
        f"{sign} {one.bound:.4g}" if one.bound < 0.001 else f"{sign} {one.bound * 100:g} %",
        "yes" if one.holds else "**no**",
        one.method,
    )


def main() -> int:
    """Simulate, write the page; 1 when a promise is broken."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--trials", type=int, default=2000)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--check", action="store_true", help="show the tables, write no file")
    asked.add_argument("only", nargs="*", metavar="MODULE", help="default: all; implies --check")
    given = asked.parse_args()
    found = {}
    for module in modules():
        if given.only and module.__name__ not in given.only:
            continue
        started = time.monotonic()
        print(f"{module.__name__} …", end=" ", file=sys.stderr, flush=True)
        claims = module.claims(given.trials, given.seed)
        print(f"{len(claims)} claims, {time.monotonic() - started:.0f} s", file=sys.stderr)
        found[module.__name__] = (module.__doc__ or module.__name__, claims)
    text = page(found, trials=given.trials, seed=given.seed)
    if given.check or given.only:
        print(text)
    else:
        PAGE.write_text(text, encoding="utf-8")
        print(PAGE, file=sys.stderr)
    broken = [one for _, claims in found.values() for one in claims if not one.holds]
    for one in broken:
        print(f"broken: {one.name} ({one.truth}): {percent(one.rate, 2)}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
