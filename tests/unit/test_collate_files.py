"""What collate writes: percentiles against DuckDB, which reads the raw files; the hash list."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from results_inference import a_study

from specc.collate.pipeline import collate_data

RAW = """
select t.axes.device, t.axes.batch_size,
       quantile_cont(r.duration_ns, [0.5, 0.9, 0.95]) , count(*)
from read_json('{records}', format = 'newline_delimited', union_by_name = true) r
join read_json('{tasks}', format = 'newline_delimited') t using (task_id)
where r.pass = 'latency' and r.phase = 'timed'
group by all
"""


def test_percentiles_equal_those_of_a_database_over_the_raw_files(tmp_path: Path):
    bundle = a_study(tmp_path, batch_sizes=(1, 8)).path
    done = collate_data([bundle], tmp_path / "out")
    collated = {
        (cell["axes"]["device"], cell["axes"]["batch_size"]): cell["metrics"][
            "latency_ms_per_batch"
        ]["distribution"]
        for cell in done.summary["cells"]
    }
    query = RAW.format(
        records=bundle / "results/*/*/*/records.*.jsonl", tasks=bundle / "tasks.jsonl"
    )
    found = duckdb.sql(query).fetchall()
    assert len(found) == len(collated) == 4
    for device, batch_size, (p50, p90, p95), samples in found:
        distribution = collated[device, batch_size]
        assert distribution["samples"] == samples
        assert distribution["p50"] == pytest.approx(p50 / 1e6, rel=1e-12)
        assert distribution["p90"] == pytest.approx(p90 / 1e6, rel=1e-12)
        assert distribution["p95"] == pytest.approx(p95 / 1e6, rel=1e-12)


def test_a_collate_cut_short_leaves_no_list_of_hashes(tmp_path: Path):
    bundle, out = a_study(tmp_path, batch_sizes=(1,)).path, tmp_path / "out"
    collate_data([bundle], out)
    (out / "summary.json").unlink()
    (out / "summary.json").mkdir()
    with pytest.raises(OSError, match="summary"):
        collate_data([bundle], out)
    assert not (out / "SHA256SUMS").exists()
