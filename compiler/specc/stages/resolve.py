"""Fill in constant defaults and check the references between the blocks of a spec.

Pure but for reading shipped schemas. Expects a document that `validate` has nothing against.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping

from specc import resources
from specc.kinds import plan_room
from specc.language.defaults import fill_defaults
from specc.language.semantics import (
    check_cures,
    check_environments,
    check_inputs,
    check_names,
    check_placeholders,
)
from specc.matrix.checks import check_matrix, check_only
from specc.matrix.load_checks import check_load
from specc.matrix.points import axes_of
from specc.model import Document, Json, Spec
from specc.packing.fixtures import check_fixtures
from specc.problems import Problem, by_position

ONLY_ENVIRONMENT = "default"
"""Name of an environment that the spec declares without one."""


def resolve(
    document: Document,
    *,
    only: Mapping[str, tuple[Json, ...]] | None = None,
    only_reason: str | None = None,
) -> tuple[Spec, tuple[Problem, ...]]:
    """Return the spec with its defaults written out, and what is wrong between its blocks.

    only: axis -> values; points that have others stay in the matrix as not run, for `only_reason`.
    `environment` becomes a mapping of names in any case, with every `mode` written out; an
    environment without a name is called "default".
    """
    data: dict[str, Json] = copy.deepcopy(document.data)
    fill_defaults(resources.schema("spec"), data)
    data["environment"] = _named_environments(data["environment"])
    kind = data["kind"]
    settings_schema = resources.schema(f"kinds/{kind}")
    data["settings"] = fill_defaults(settings_schema, data["settings"])
    spec = Spec(
        document=document,
        name=data["name"],
        kind=kind,
        data=data,
        settings_schema=settings_schema,
        profile=_profile(document),
        only=dict(only or {}),
        only_reason=only_reason,
        root=document.source.path.parent,
    )
    return spec, by_position(_problems(spec))


def _problems(spec: Spec) -> Iterator[Problem]:
    data, document = spec.data, spec.document
    axes = axes_of(data)
    yield from check_matrix(data, document)
    yield from check_load(data, document)
    yield from check_only(spec.only, axes)
    names = [axis.name for axis in axes]
    yield from check_placeholders(data, names, spec.settings_schema, document)
    yield from check_inputs(data, document)
    yield from check_fixtures(data, document)
    yield from check_environments(data, document)
    yield from check_names(data, document)
    yield from check_cures(data, spec.profile, document)
    yield from plan_room(spec.kind).check(spec)


def _named_environments(environment: dict[str, Json]) -> dict[str, Json]:
    """Tell one environment from several by the values: fields of one are never all mappings."""
    several = bool(environment) and all(
        isinstance(value, dict) and name != "variables" for name, value in environment.items()
    )
    named = environment if several else {ONLY_ENVIRONMENT: environment}
    return {name: _with_mode(each) for name, each in named.items()}


def _with_mode(environment: dict[str, Json]) -> dict[str, Json]:
    if "mode" in environment:
        return environment
    if environment.get("image") is not None:
        return {**environment, "mode": "container"}
    mode = "wheelhouse" if environment.get("requirements") else "inherit"
    return {**environment, "mode": mode}


def _profile(document: Document) -> dict[str, Json] | None:
    if document.profile is None:
        return None
    filled: dict[str, Json] = fill_defaults(
        resources.schema("cluster"), copy.deepcopy(document.profile)
    )
    return filled
