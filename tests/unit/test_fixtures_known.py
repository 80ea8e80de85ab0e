"""Desk and node agree on what a shard may start, and an unknown fixture stops a compile."""

from __future__ import annotations

import pytest
from studies import a_study

from specc.kinds.command import plan as room
from specc.model import Fixture
from specc.stages.plan import make_plan
from specc_runtime.contract.categories import FIXTURES
from specc_runtime.fixtures.fixtures import TYPES


def test_the_list_is_what_the_node_starts() -> None:
    assert tuple(TYPES) == FIXTURES


def test_a_kind_that_asks_for_an_unknown_fixture_cannot_be_planned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = a_study()
    monkeypatch.setattr(room, "fixtures", lambda settings: (Fixture(type="magic", options={}),))
    with pytest.raises(
        ValueError, match="knows the fixture 'magic'; it knows warm_parent, mps, server"
    ):
        make_plan(found.spec, None, found.expansion)
