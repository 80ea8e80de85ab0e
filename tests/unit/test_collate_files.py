"""What collate writes: percentiles against DuckDB, which reads the raw files; the hash list."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from results import a_bundle, metric
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


def test_completeness_is_a_file_of_its_own(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}, {"n": 2}], repetitions=1)
    launch = bundle.run().launch()
    launch.complete(bundle.tasks[0], [metric("time_s", 1.0)])
    launch.fail(bundle.tasks[1], "oom_host")
    launch.end()
    collate_data([bundle.path], tmp_path / "out")
    told = json.loads((tmp_path / "out" / "completeness.json").read_text())
    counts = {key: value for key, value in told.items() if isinstance(value, int)}
    assert counts == {
        **{"schema_version": 1, "expected": 2, "completed": 1, "failed": 1},
        **dict.fromkeys(("not_run", "missing", "invalid", "duplicate"), 0),
    }
    assert [task["axes"] for task in told["tasks"]["failed"]] == [{"n": 2}]
    assert "completeness.json" in (tmp_path / "out" / "SHA256SUMS").read_text()
