"""What collate computed of a long study is kept: for as long as its rows and definitions stay."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from many_requests import KNOWN, a_study, records_of
from test_collate_scale import collated, latencies, spoil

from specc.collate.records import batches, cache, pieces, rows
from specc.collate.records.computed import code_of
from specc.kinds import KINDS


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take some megabytes for very many."""
    for kind, room in KNOWN.items():
        monkeypatch.setitem(KINDS, kind, room)
    monkeypatch.setattr(rows, "SMALL", 1 << 20)
    monkeypatch.setattr(batches, "BATCH", 1 << 20)
    monkeypatch.setattr(pieces, "PIECE", 1 << 20)
    monkeypatch.setattr(pieces, "_WORTH", 1 << 10)
    monkeypatch.setattr(cache, "_WORTH", 1 << 10)


def test_what_was_computed_is_not_computed_again(tmp_path: Path):
    bundle = a_study(tmp_path, 20_000)
    first = collated(bundle, tmp_path / "out")
    said = json.loads((tmp_path / "out" / "cache" / "computed.json").read_text().split("\n")[1])
    for cell in said["cells"].values():
        for _, _, one in cell["pooled"]:
            one["percentiles"]["p99"] = 42.0
    text = json.dumps(said)
    (tmp_path / "out" / "cache" / "computed.json").write_text(f"{cache.key_of(text)}\n{text}\n")
    again = collated(bundle, tmp_path / "out")
    assert {one["p99"] for one in latencies(again).values()} == {42.0}
    anew = collated(bundle, tmp_path / "out", rehash=True)
    assert anew.summary == first.summary


def test_only_the_cell_of_a_changed_run_is_computed_again(tmp_path: Path):
    bundle = a_study(tmp_path, 20_000)
    collated(bundle, tmp_path / "out")
    before = computed_cells(tmp_path / "out")
    spoil(records_of(bundle)[0])
    changed = collated(bundle, tmp_path / "out", rehash=True)
    after = computed_cells(tmp_path / "out")
    assert len(before - after) == 1
    again = collated(bundle, tmp_path / "out")
    assert again.summary == changed.summary == collated(bundle, tmp_path / "other").summary


def computed_cells(out: Path) -> set[str]:
    text = (out / "cache" / "computed.json").read_text().split("\n")[1]
    return set(json.loads(text)["cells"])


def test_another_definition_has_another_name(tmp_path: Path):
    names = set()
    for factor in ("1e9", "1e6"):
        room = tmp_path / factor / "tables.py"
        room.parent.mkdir()
        room.write_text(f"_latency = 'x / {factor}'\n")
        names.add(code_of(SimpleNamespace(__file__=str(room))))
    assert len(names) == 2
