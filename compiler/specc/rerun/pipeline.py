"""Compile the bundle that runs again what a line of bundles left undone. Start reading here."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from specc.collate.finding.read import Run
from specc.kinds import plan_room
from specc.matrix.identity import conditions
from specc.model import Expansion, Json, Plan
from specc.problems import Problem, error, stop_on_errors, warning
from specc.progress import Progress
from specc.rerun.cures import cap_of
from specc.rerun.history import History, TaskHistory, read_history
from specc.rerun.judge import Choice, Rules, choose
from specc.rerun.live import live_shards, queued_shards, record_words
from specc.rerun.rebuild import Parent, Workshop, make_facts, read_parent
from specc.sealed import Bundle
from specc.stages.plan import make_plan
from specc.stages.render import render
from specc.stages.seal import seal, specc_version
from specc.stages.write import write

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the user asked for."""

    results: Sequence[Path]
    run_id: str | None
    out: Path | None
    """None: beside the bundle that the new one continues, where a thin one finds it."""
    full: bool
    """Ship wheels, inputs and images instead of borrowing them."""
    again: bool
    """Tasks that are given up get one more attempt."""
    give_up_capped: bool
    """Give up tasks whose cure goes beyond the cluster's limits, and compile the others."""
    include_running: bool
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """What came of it."""

    parent: str
    run_id: str
    choices: tuple[Choice, ...]
    """One for each task that had a place in some bundle of the line."""
    bundle: Bundle | None
    """None when no task is to run again."""
    path: Path | None
    """None also with --dry-run."""
    lender: str | None
    """Bundle that the new one borrows from; None when it has all of its files."""
    problems: tuple[Problem, ...]


def rerun(wanted: Wanted, *, progress: Progress | None = None) -> Rerun:
    """Decide over every task of a line of bundles and compile the next one.

    Raises ResultsInvalid, BundleInvalid, and SpecInvalid where a cure goes beyond a limit.
    """
    history = read_history(wanted.results, run_id=wanted.run_id)
    parent = read_parent(history.parent)
    shop = Workshop(parent.spec)
    if record_words(history.runs):
        history = read_history(wanted.results, run_id=wanted.run_id)
    live = set() if wanted.include_running else _at_work(history.runs)
    rules = Rules(
        on_failure=parent.manifest.predicate["on_failure"], again=wanted.again, live_shards=live
    )
    choices = [_capped(choose(t, shop.shape_of(t), rules), parent, shop) for t in history.tasks]
    if wanted.give_up_capped:
        choices = [_given_up(choice) for choice in choices]
    problems = stop_on_errors([*_unseen(history), *_beyond(choices, parent)])
    going = [choice for choice in choices if choice.fate == "again"]
    found = Rerun(
        parent=parent.source.bundle_id,
        run_id=history.run_id,
        choices=tuple(choices),
        bundle=None,
        path=None,
        lender=None,
        problems=problems,
    )
    if not going:
        return found
    bundle, lender, more = _seal(going, parent, shop, full=wanted.full)
    found = replace(found, bundle=bundle, lender=lender, problems=(*problems, *more))
    if wanted.dry_run:
        return found
    out = wanted.out or parent.source.path.parent
    return replace(
        found, path=write(bundle, out, provenance=_provenance(history), progress=progress)
    )


def _at_work(runs: Sequence[Run]) -> set[tuple[str, str]]:
    queued = queued_shards(runs)
    return queued | live_shards(runs, known=queued)


def _seal(
    going: Sequence[Choice], parent: Parent, shop: Workshop, *, full: bool
) -> tuple[Bundle, str | None, tuple[Problem, ...]]:
    """Return the bundle, the one that it borrows from, and warnings."""
    tasks = tuple(shop.make(choice.task, choice.made) for choice in going)
    points = {json.dumps(task.axes, sort_keys=True) for task in tasks}
    expansion = Expansion(tasks=tasks, removed=(), points=len(points))
    if full:
        parent.must_lend()
    plan, found = make_plan(parent.spec, make_facts(parent), expansion)
    problems = stop_on_errors(found)
    plan = replace(plan, pilot=bool(parent.manifest.predicate.get("pilot")))
    lender = None if full else parent.lender
    rooms = plan_room(parent.spec.kind).RUNTIME_ROOMS
    bundle = seal(
        plan,
        render(plan, rooms=rooms, lender=lender),
        parent_bundle_id=parent.source.bundle_id,
        cures={c.task.row.task_id: cure for c in going if (cure := _cure(c)) is not None},
        lender=lender,
    )
    other = _other_conditions(going, plan)
    return bundle, lender if _borrows(bundle) else None, (*problems, *other)


def _borrows(bundle: Bundle) -> bool:
    manifest = next(file for file in bundle.files if file.path == "manifest.json")
    return "borrowed" in json.loads(manifest.content or b"{}")["predicate"]


def _cure(choice: Choice) -> dict[str, Json] | None:
    """Return what was changed for a task since it was first compiled; None when nothing was."""
    before = choice.task.cure or {}
    if not before and not choice.made:
        return None
    changed = {name: list(value) for name, value in before.items() if isinstance(value, list)}
    for one in choice.made:
        first = changed.get(one.resource, [one.old or None])[0]
        changed[one.resource] = [first, one.new]
    return {
        **changed,
        "category": choice.cause if choice.made else before["category"],
        "condition_id": choice.task.condition_id,
    }


def _capped(choice: Choice, parent: Parent, shop: Workshop) -> Choice:
    """Return the choice with the cap that its cure goes beyond, if there is one."""
    for one in choice.made:
        cap = cap_of(one.resource, parent.spec.profile, shop.partition_of(choice.task))
        if cap is not None and one.new > cap.most:
            return replace(choice, cap=cap)
    return choice


def _given_up(choice: Choice) -> Choice:
    if choice.cap is None:
        return choice
    return replace(choice, fate="given_up", reason=_over(choice), made=())


def _over(choice: Choice) -> str:
    asked = next(one for one in choice.made if choice.cap and one.new > choice.cap.most)
    said = choice.cap.said_by if choice.cap else ""
    words = f"{choice.cause} asks for {asked.resource} {asked.new_text}"
    return f"{words}, {said}" if said.startswith("limits.") else f"{words}, but {said}"


def _unseen(history: History) -> Iterator[Problem]:
    """Yield a warning for results that would have told more."""
    for each in history.damage:
        place = each.file if each.line is None else f"{each.file}:{each.line}"
        yield warning("W323", f"{place}: {each.message}; {each.consequence}", mark=None)
    if history.not_given:
        names = ", ".join(history.not_given[:_MOST_NAMED])
        message = f"{names} beside {history.parent.bundle_id} continues it and was not given"
        yield warning("W324", message, mark=None, hint="give it as well if it has been run")


def _beyond(choices: Iterable[Choice], parent: Parent) -> Iterator[Problem]:
    """Yield one error for all tasks whose cures meet the same cap."""
    if not parent.has_profile and any(choice.made for choice in choices):
        message = f"{parent.source.bundle_id} does not say what its cluster allows"
        yield warning("W320", message, mark=None, path="cluster", hint=None)
    over: dict[tuple[str, str], list[TaskHistory]] = defaultdict(list)
    for choice in choices:
        if choice.cap is not None and choice.fate == "again":
            over[(choice.cause, _over(choice))].append(choice.task)
    for (cause, text), tasks in over.items():
        ids = ", ".join(task.row.task_id for task in tasks[:_MOST_NAMED])
        more = f" and {len(tasks) - _MOST_NAMED} more" if len(tasks) > _MOST_NAMED else ""
        yield error(
            "E320",
            f"{text}; tasks: {ids}{more}",
            mark=None,
            path=f"on_failure.{cause}",
            hint="--give-up-capped leaves these tasks out; or make the task smaller, choose a"
            " partition that has more, or raise the limit, and compile with --skip-done",
        )


def _other_conditions(going: Sequence[Choice], plan: Plan) -> Iterator[Problem]:
    """Yield a warning where tasks without a cure would be measured under another condition."""
    now = conditions(plan)
    moved = [
        choice.task.row.task_id
        for choice in going
        if _cure(choice) is None and now[choice.task.row.task_id] != choice.task.condition_id
    ]
    if moved:
        yield warning(
            "W321",
            f"{len(moved)} tasks get another condition than before: collate keeps their numbers"
            f" apart; {', '.join(moved[:_MOST_NAMED])}",
            mark=None,
            hint="this version of specc packs otherwise than the one that compiled the parent",
        )


def _provenance(history: History) -> dict[str, Json]:
    """Return what compile.json says; the spec's text and git are those of the parent."""
    before = history.parent.compile_info
    return {
        "compiled_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command_line": list(sys.argv),
        "specc_version": specc_version(),
        "git": before.get("git"),
        "spec_text": before.get("spec_text"),
        "results": history.origins(),
    }
