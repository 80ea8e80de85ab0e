"""The spec language names the causes of failure that the contract knows, and no others."""

from __future__ import annotations

from specc import resources
from specc.language.semantics import CURES
from specc_runtime.contract.categories import CATEGORIES, TRANSIENT

GROUP = "transient"


def test_on_failure_lists_the_categories_of_the_contract_in_their_order() -> None:
    cures = resources.schema("spec")["properties"]["on_failure"]["properties"]
    assert tuple(cures) == (*CATEGORIES, GROUP)


def test_the_group_of_transient_causes_names_its_members() -> None:
    cures = resources.schema("spec")["properties"]["on_failure"]["properties"]
    named = cures[GROUP]["description"].partition(": ")[2].rstrip(".").split(", ")
    assert len(named) == len(TRANSIENT)
    assert set(named) == TRANSIENT


def test_cures_are_offered_for_categories_of_the_contract_only() -> None:
    assert set(CURES) <= set(CATEGORIES)
