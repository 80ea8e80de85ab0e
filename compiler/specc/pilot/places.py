"""Find where in a spec a proposed value belongs: where the old one is written, or a new rule.

Pure. A value that several shapes share is changed in its place only when all of them want the
same; else the shape that wants another gets a `when` rule, if one axis tells its points apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from specc.language.semantics import dotted
from specc.matrix.points import axes_of
from specc.matrix.recipes import Recipes
from specc.model import Expansion, Json, JsonPath, Spec, Task

UNWRITTEN: JsonPath = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One change of the spec."""

    field: str
    """"task.memory"."""
    text: str
    """As the spec spells it."""
    at: JsonPath
    """Where it is written; for a rule the `when` entry that gets it."""
    condition: Mapping[str, Json] | None
    """Of a new `when` rule; None when a value is set in its place."""
    shapes: tuple[str, ...]

    @property
    def line(self) -> str:
        """The edit in words: "task.memory: 4GiB"."""
        if self.condition is None:
            return f"{dotted(self.at)}: {self.text}"
        return f"when: - {{if: {_plain(self.condition)}, set: {{{self.field}: {self.text}}}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """A change that only the author can place."""

    field: str
    text: str
    shapes: tuple[str, ...]
    why: str

    @property
    def line(self) -> str:
        return f"{self.field}: {self.text} for {', '.join(self.shapes)} ({self.why})"


@dataclass
class Group:
    """Tasks that ask for the same, and what was proposed for them."""

    tasks: list[Task]
    shapes: list[str] = field(default_factory=list)
    """Names in the bundles that measured it; empty when none did."""
    wanted: dict[str, str] = field(default_factory=dict)
    """Field -> value as the spec spells it."""

    @property
    def name(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.shapes))


def groups_of(expansion: Expansion) -> list[Group]:
    """Return the tasks that run, by what they ask for."""
    found: dict[Json, Group] = {}
    for task in expansion.tasks:
        if task.not_run is None:
            key = (task.task, task.job, task.environment)
            found.setdefault(key, Group(tasks=[])).tasks.append(task)
    return list(found.values())


def place(spec: Spec, groups: Sequence[Group]) -> tuple[tuple[Edit, ...], tuple[ByHand, ...]]:
    """Return the edits that give every group what it wants, and what can't be placed."""
    finder = _Finder(spec, groups)
    fields = dict.fromkeys(name for group in groups for name in group.wanted)
    found = [each for name in fields for each in finder.changes(name)]
    edits = tuple(each for each in found if isinstance(each, Edit))
    return edits, tuple(each for each in found if isinstance(each, ByHand))


class _Finder:
    """Answers for one spec and its groups."""

    def __init__(self, spec: Spec, groups: Sequence[Group]) -> None:
        self._spec, self._groups = spec, groups
        self._axes = axes_of(spec.data)
        self._recipes = Recipes(spec, self._axes)

    def changes(self, name: str) -> Iterator[Edit | ByHand]:
        """Yield what gives each group the value of one field that it wants."""
        path = tuple(name.split("."))
        origins = [self._origins(group, path) for group in self._groups]
        for origin in dict.fromkeys(each for some in origins for each in some):
            users = [g for g, some in zip(self._groups, origins, strict=True) if origin in some]
            wants = {group.wanted.get(name) for group in users}
            if wants == {None}:
                continue
            if isinstance(origin, str):
                yield from self._by_hand(users, name, origin)
            elif len(wants) == 1:
                shapes = tuple(s for group in users for s in group.name)
                text = wants.pop() or ""
                at = origin or path
                yield Edit(field=name, text=text, at=at, condition=None, shapes=shapes)
            else:
                for group in users:
                    if name in group.wanted:
                        yield self._rule(group, name)

    def _origins(self, group: Group, path: JsonPath) -> set[JsonPath | str]:
        """Return where the group's value is written; a text says why it can't be changed there."""
        found: set[JsonPath | str] = set()
        document = self._spec.document
        for recipe in {id(r): r for r in map(self._recipe, group.tasks)}.values():
            hole = recipe.hole_at(path)
            origin = recipe.origin(path)
            mark = document.value_marks.get(origin)
            if hole is not None:
                found.add(f"it comes from the axis {hole.axis}")
            elif mark is None:
                found.add(UNWRITTEN)
            elif mark.file != document.source.shown:
                found.add(f"it is written in {mark.file}")
            else:
                found.add(origin)
        return found

    def _recipe(self, task: Task) -> Json:
        return self._recipes.of(tuple(task.axes[axis.name] for axis in self._axes))

    def _by_hand(self, users: Iterable[Group], name: str, why: str) -> Iterator[ByHand]:
        for group in users:
            if name in group.wanted:
                yield ByHand(field=name, text=group.wanted[name], shapes=group.name, why=why)

    def _rule(self, group: Group, name: str) -> Edit | ByHand:
        text = group.wanted[name]
        condition = self._condition(group)
        if condition is None:
            why = "no single axis tells its points apart: write a `when` rule"
            return ByHand(field=name, text=text, shapes=group.name, why=why)
        for place_, rule in enumerate(self._spec.document.data.get("when") or ()):
            at: JsonPath = ("when", place_, "set", name)
            if rule["if"] == condition and self._in_main_file(at[:2]):
                return Edit(field=name, text=text, at=at, condition=None, shapes=group.name)
        return Edit(field=name, text=text, at=("when",), condition=condition, shapes=group.name)

    def _in_main_file(self, path: JsonPath) -> bool:
        mark = self._spec.document.mark(*path)
        return mark is not None and mark.file == self._spec.document.source.shown

    def _condition(self, group: Group) -> dict[str, Json] | None:
        """Return the axis values that only this group's points have, if one axis has some."""
        others = [task for each in self._groups if each is not group for task in each.tasks]
        for axis in self._axes:
            mine = {repr(task.axes[axis.name]) for task in group.tasks}
            if mine.isdisjoint(repr(task.axes[axis.name]) for task in others):
                values = [value for value in axis.values if repr(value) in mine]
                return {axis.name: values[0] if len(values) == 1 else {"in": values}}
        return None


def _plain(value: Json) -> str:
    """Return a condition on one line, as YAML has it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_plain(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_plain, value))}]"
    return value if isinstance(value, str) else json.dumps(value)
