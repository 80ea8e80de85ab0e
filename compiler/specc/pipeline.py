"""The stages of a compile in order. Start reading here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from specc.frontend import parse_spec
from specc.model import Expansion, Json, Plan, Spec
from specc.problems import Problem, stop_on_errors
from specc.stages.expand import expand
from specc.stages.plan import make_plan
from specc.stages.resolve import resolve
from specc.stages.validate import validate


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What can be said of a spec without looking at its inputs, code and wheels."""

    spec: Spec
    expansion: Expansion
    plan: Plan
    problems: tuple[Problem, ...]
    """Warnings of all stages, in the order of the stages."""


def check_spec(
    path: Path,
    *,
    only: Mapping[str, tuple[Json, ...]] | None = None,
    only_reason: str | None = None,
) -> Checked:
    """Run the stages that need no survey. Raises SpecInvalid at the first stage with errors.

    Task ids rest on the pins that the spec states; inputs at the desk count by name.
    """
    document = parse_spec(path)
    problems = stop_on_errors(validate(document))
    spec, found = resolve(document, only=only, only_reason=only_reason)
    problems = stop_on_errors((*problems, *found))
    expansion, found = expand(spec)
    problems = stop_on_errors((*problems, *found))
    plan, found = make_plan(spec, None, expansion)
    problems = stop_on_errors((*problems, *found))
    return Checked(spec=spec, expansion=expansion, plan=plan, problems=problems)
