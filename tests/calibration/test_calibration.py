"""Promised error rates, simulated with few trials: no promise may be grossly broken."""

from __future__ import annotations

from types import ModuleType

import pytest
from claim import Claim
from write import modules, page

TRIALS = 250
"""Enough to notice a correction for many comparisons, or Student's t, that was left out."""
SLOW_TRIALS = {"saturation": 60}
SEED = 20_260


def a_claim(*, hits: int, trials: int = 1000, bound: float = 0.05, least: bool = False) -> Claim:
    side = "at_least" if least else "at_most"
    return Claim(name="a", truth="b", method="c", trials=trials, hits=hits, bound=bound, side=side)


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__)
def test_no_promise_is_grossly_broken(module: ModuleType) -> None:
    claims = module.claims(SLOW_TRIALS.get(module.__name__, TRIALS), SEED)
    assert claims
    broken = [f"{c.name} ({c.truth}): {c.hits}/{c.trials}" for c in claims if c.grossly_broken]
    assert broken == []


def test_a_rate_a_little_above_its_bound_is_not_gross() -> None:
    assert not a_claim(hits=60).grossly_broken
    assert not a_claim(hits=60).holds


def test_twice_the_promised_rate_is_gross() -> None:
    assert a_claim(hits=100).grossly_broken


def test_a_coverage_far_below_its_promise_is_gross() -> None:
    assert a_claim(hits=87, trials=100, bound=0.99, least=True).grossly_broken
    assert not a_claim(hits=97, trials=100, bound=0.99, least=True).grossly_broken


def test_the_wilson_interval_is_that_of_the_textbook() -> None:
    # 10 of 100: (0.0552, 0.1744), Wilson's score interval
    assert a_claim(hits=10, trials=100).wilson == pytest.approx((0.05523, 0.17437), abs=1e-5)


def test_the_page_shows_a_broken_promise() -> None:
    text = page({"m": ("A title.\n\nAnd more.", [a_claim(hits=60)])}, trials=1000, seed=1)
    assert "## A title\n" in text
    assert "| a | b | 1,000 | 6.0 % (4.7 % to 7.6 %) | ≤ 5 % | **no** | c |" in text
