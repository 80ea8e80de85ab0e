"""Answer the service level objectives of a spec for one load curve.

Pure. A number is held against its limit with its whole interval over the runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from specc.analysis.load.little import Audit
from specc.analysis.load.slo import Bounds, Op, answer
from specc.collate.curves import load_words
from specc.collate.curves.load_points import (
    MOST_ERRORS,
    Cell,
    Load,
    doubted,
    failed_pct,
    plain,
    statistic,
)
from specc.matrix.conditions import compile_condition
from specc.model import Json

_OPERATORS: tuple[Op, ...] = ("le", "lt", "ge", "gt")


def answers(
    cells: Sequence[Cell],
    audits: Sequence[Audit],
    load: Load,
    objectives: Sequence[Mapping[str, Json]],
) -> list[dict[str, Json]]:
    """Return up to which load each objective is met; those that meet no point are left out."""
    return list(_answers(cells, audits, load, objectives))


def _answers(
    cells: Sequence[Cell],
    audits: Sequence[Audit],
    load: Load,
    objectives: Sequence[Mapping[str, Json]],
) -> Iterator[dict[str, Json]]:
    for objective in objectives:
        members = [
            (cell, little)
            for cell, little in zip(cells, audits, strict=True)
            if _concerns(objective, cell)
        ]
        if not members:
            continue
        name, op = objective["metric"], next(op for op in _OPERATORS if op in objective)
        wanted = objective.get("statistic") or (load.statistic if name == load.latency else None)
        # more is done at higher loads: a least throughput is met from some load on
        worsens = not (name == load.throughput and op in ("ge", "gt"))
        bounds = [_bounds(cell, little, load, objective, wanted) for cell, little in members]
        found = answer(bounds, op, objective[op], worsens=worsens)
        care = load_words.care(
            [
                (cell["axes"][load.axis], cell["verdict"])
                for cell, _ in members
                if doubted(cell["verdict"])
            ]
        )
        at_answer = next((each for each in bounds if each.load == found.load), None)
        words = load_words.objective_text(
            found, at_answer, load, metric=name, statistic=wanted, op=op, limit=objective[op]
        )
        yield {
            **{"metric": name, "statistic": wanted, "op": op, "limit": objective[op]},
            "where": objective.get("where"),
            **{"answer": plain(found.load), "verdict": found.verdict, "at_least": found.at_least},
            **{"fails_from": plain(found.fails_from), "unsure": list(map(plain, found.unsure))},
            "unknown": list(map(plain, found.unknown)),
            "not_monotone": list(map(plain, found.not_monotone)),
            "met_from": plain(found.met_from),
            "bounds_load": worsens,
            "text": " ".join(filter(None, (words, care))),
        }


def _concerns(objective: Mapping[str, Json], cell: Cell) -> bool:
    """Tell whether an absolute objective holds for a cell."""
    if objective.get("relative_to"):
        return False  # a ratio to another run is for gates
    where = objective.get("where")
    names = list(cell["axes"])
    if not where:
        return True
    if not set(where) <= set(names):
        return False
    return compile_condition(where, names)(list(cell["axes"].values()))


def _bounds(
    cell: Cell, little: Audit, load: Load, objective: Mapping[str, Json], wanted: str | None
) -> Bounds:
    name = objective["metric"]
    number = statistic(cell, name, wanted)
    errors = failed_pct(cell, load)
    # whatever must not be more is told by requests that had an answer
    of_answers = name == load.latency or (name != load.errors and not {"ge", "gt"} & {*objective})
    # what Little's law speaks against was timed wrongly: no answer rests on it
    sound = not (name == load.latency and little.ok is False)
    counts = cell["repetitions"]
    due = counts["expected"] - counts.get("not_run", 0)
    return Bounds(
        load=float(cell["axes"][load.axis]),
        low=number["low"] if sound else None,
        high=number["high"] if sound else None,
        failed=of_answers and errors is not None and errors > _bearable(wanted),
        lost_runs=counts.get("completed", due) < due,
    )


def _bearable(wanted: str | None) -> float:
    """Return the share of failed requests [%] from which a percentile of all is infinite.

    A request without an answer waits for ever: with 2 % of them the p99 of all has no end.
    """
    if wanted is None or not wanted.startswith("p"):
        return MOST_ERRORS
    return 100 - float(wanted[1:])
