"""Why two runs must not be compared: exceptions that carry all differences."""

from __future__ import annotations

from collections.abc import Collection

from specc.comparing.differences import NAMES, Difference
from specc.problems import ExitCode, SpeccError


class NotComparable(SpeccError):
    """Two runs that differ in more than what was measured. Carries all differences."""

    exit_code = ExitCode.NOT_COMPARABLE
    told = "not comparable: they differ in more than their results"

    def __init__(self, found: tuple[Difference, ...], *, across: Collection[str] = ()) -> None:
        self.found = found
        curable = (one.what for one in found if one.what in NAMES and one.what not in across)
        names = ",".join(dict.fromkeys(curable))
        lines = [f"  {d.what}: {d.baseline} | {d.current}" for d in found]
        super().__init__(
            "\n".join(["the two differ in more than their results (baseline | current):", *lines]),
            hint=f"where that is meant: --across {names}" if names else None,
        )


class SameRun(NotComparable):
    """One run held against itself: nothing was measured twice, so nothing is shown."""

    told = "not comparable: both sides are the same run, which shows nothing"

    def __str__(self) -> str:
        return f"{self.told}: {self.found[0].baseline}"


class OtherStudy(NotComparable):
    """Runs of studies that share no work: no list of differences stands between them."""

    told = "not comparable: they are different studies"

    def __init__(self, baseline: str, current: str, *, alike: bool) -> None:
        """alike: some of their points have equal axes, and both measure the same things."""
        super().__init__((Difference(what="study", baseline=baseline, current=current),))
        self.hint = "compare two runs of one study"
        if alike:
            self.hint += "; where both specs mean the same points: --across spec"

    def __str__(self) -> str:
        (found,) = self.found
        both = f"{found.baseline} and {found.current}"
        return f"these are different studies, without a point in common: {both}"
