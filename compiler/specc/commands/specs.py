"""The verbs about specs: init, validate, lock, plan, compile, diff, schema, explain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from specc.bundle_folders import run_folder
from specc.commands.console import Answer, bars, verb
from specc.model import Json
from specc.problems import BundleInvalid, ExitCode, SpeccError

if TYPE_CHECKING:
    from specc.difference import Study

SpecPath = Annotated[Path, typer.Argument(metavar="SPEC", help="The spec, a YAML file.")]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="AXIS=VALUE",
        help="Run only these points; the others stay in the matrix as not_run. May be repeated.",
    ),
]
OnlyReason = Annotated[
    str | None, typer.Option("--only-reason", help="Why the other points are not run.")
]


class Usage(SpeccError):
    """A command line that can't be meant."""

    exit_code = ExitCode.USAGE


@verb
def init(
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help="Kind of experiment.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write; default: KIND.yaml.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List kinds and example specs.")] = False,
) -> Answer:
    """Write a commented starter spec that compiles."""
    from specc import resources
    from specc.handbook import starters

    kinds = resources.kinds()
    if list_ or kind is None:
        examples = starters.examples()
        text = "\n".join(
            (
                "kinds:",
                *(f"  {name}" for name in kinds),
                "examples:",
                *(f"  {path}" for path in examples),
            )
        )
        return Answer(
            text=text, data={"kinds": list(kinds), "examples": [str(path) for path in examples]}
        )
    if kind not in kinds:
        raise unknown("kind", kind, kinds)
    target = out or Path(f"{kind}.yaml")
    starters.write_starter(kind, target)
    return Answer(text=str(target), data={"spec": str(target), "kind": kind})


@verb
def validate(spec: SpecPath) -> Answer:
    """Report every mistake of a spec at once."""
    from specc.pipeline import check_spec

    found = check_spec(spec)
    tasks = len(found.expansion.tasks)
    return Answer(
        text=f"{spec} is a valid {found.spec.kind} spec of {tasks} task{'s' * (tasks != 1)}",
        data={"name": found.spec.name, "kind": found.spec.kind, "tasks": tasks},
        problems=found.problems,
    )


@verb
def lock(spec: SpecPath, only: Only = None) -> Answer:
    """Resolve environments anew and write SPEC.lock.

    With --only, those that these points use.
    """
    from specc.pipeline import lock_spec

    with bars() as progress:
        path = lock_spec(spec, only=chosen(only), progress=progress)
    return Answer(text=str(path), data={"lock": str(path)})


@verb
def plan(spec: SpecPath, only: Only = None, only_reason: OnlyReason = None) -> Answer:
    """Show points, shapes, slots, waves and hours of a spec."""
    from specc.describe import plan_json, plan_text
    from specc.pipeline import check_spec

    found = check_spec(spec, only=chosen(only), only_reason=only_reason)
    return Answer(text=plan_text(found.plan), data=plan_json(found.plan), problems=found.problems)


@verb
def compile_(
    spec: SpecPath,
    out: Annotated[Path, typer.Option("--out", help="Folder for the bundle's folder.")] = Path(
        "build"
    ),
    *,
    only: Only = None,
    only_reason: OnlyReason = None,
    skip_done: Annotated[
        list[Path] | None,
        typer.Option(
            "--skip-done",
            metavar="RESULTS",
            help="Leave out what these bundles, runs (BUNDLE:r1) or results have completed. May be"
            " repeated.",
        ),
    ] = None,
) -> Answer:
    """Make a sealed bundle and print its folder."""
    from specc.pipeline import NothingLeft, compile_spec

    grown = None
    if skip_done:
        from specc.rerun.done import read_done

        grown = read_done([run_folder(path) for path in skip_done])
    try:
        with bars() as progress:
            made = compile_spec(
                spec,
                out=out,
                only=chosen(only),
                only_reason=only_reason,
                grown=grown,
                progress=progress,
            )
    except NothingLeft as reason:
        # nothing on stdout, where a folder would stand: bundle=$(specc compile SPEC)
        return Answer(text="", data={"bundle": None, "bundle_id": None}, note=str(reason))
    data = {"bundle": str(made.path), "bundle_id": made.bundle_id}
    return Answer(text=str(made.path), data=data, problems=made.problems)


@verb
def diff(
    old: Annotated[Path, typer.Argument(metavar="A", help="A spec or a bundle.")],
    new: Annotated[Path, typer.Argument(metavar="B", help="A spec or a bundle.")],
) -> Answer:
    """Tell which tasks B adds, removes and keeps."""
    from specc.difference import diff as compare
    from specc.difference import diff_json, diff_text

    found = compare(_study(old), _study(new))
    return Answer(text=diff_text(found), data=diff_json(found))


def _study(path: Path) -> Study:
    from specc.difference import study_of_bundle, study_of_expansion
    from specc.pipeline import expand_surveyed
    from specc_runtime.contract.fields import Damage

    if not path.is_dir():
        return study_of_expansion(str(path), expand_surveyed(path))
    try:
        return study_of_bundle(path)
    except FileNotFoundError as reason:
        hint = "name a spec, or the folder that `specc compile` printed"
        raise BundleInvalid(f"{path} is not a bundle: no tasks.jsonl in it", hint=hint) from reason
    except (OSError, Damage) as reason:
        raise BundleInvalid(f"{path} is not a bundle: {reason}") from reason


def chosen(only: list[str] | None) -> dict[str, tuple[Json, ...]]:
    """Read `AXIS=VALUE` options; a value is written as in the spec. Raises Usage."""
    found: dict[str, tuple[Json, ...]] = {}
    for option in only or ():
        axis, equals, value = option.partition("=")
        if not equals or not axis:
            raise Usage(f"--only takes AXIS=VALUE, not '{option}'", hint="--only device=cpu")
        found[axis] = (*found.get(axis, ()), _value(value))
    return found


def _value(text: str) -> Json:
    from specc.language.scalars import Refused, plain_value

    value = plain_value(text) if text else text
    return text if isinstance(value, Refused) else value


@verb
def explain(
    code: Annotated[str, typer.Argument(metavar="CODE", help="Code of a problem, e.g. E207.")],
) -> Answer:
    """Tell more about an error or a warning."""
    from specc.handbook.explain import explain as explain_code

    found = explain_code(code)
    return Answer(text=found, data={"code": code.upper(), "text": found})


@verb
def schema(
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help="A kind, or gate; default: the spec.")
    ] = None,
) -> Answer:
    """Print the JSON Schema of specs, of one kind's settings, or of gate files."""
    import json

    from specc import resources

    if kind is not None and kind not in (*resources.kinds(), "gate"):
        raise unknown("kind", kind, (*resources.kinds(), "gate"))
    name = "spec" if kind is None else "gate" if kind == "gate" else f"kinds/{kind}"
    found = resources.schema(name)
    return Answer(text=json.dumps(found, indent=2, ensure_ascii=False), data={"schema": found})


def unknown(noun: str, name: str, known: tuple[str, ...]) -> Usage:
    """Build the error for a name that is not among those known."""
    from specc.language.suggest import did_you_mean

    return Usage(f"there is no {noun} '{name}'", hint=did_you_mean(name, known, noun=f"{noun}s"))
