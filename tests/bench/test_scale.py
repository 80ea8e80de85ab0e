"""Many rows: a study of requests collated, beside duckdb and pandas on the same file.

SCALE_ROWS sets how many; the page has ten million. Only numbers can fail here, never times.
Times begin when all modules are loaded. Of the first collate two are told: until the percentiles
of all runs and cells are known and the Parquet cache is written, and until every table is. duckdb
answers one query with the percentiles of runs, and writes nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[1] / "unit"
ROWS = int(float(os.environ.get("SCALE_ROWS", "1e7")))
BYTES_PER_ROW = 165
PANDAS_ROWS = 1_000_000
# the file itself, the cache, the table and what is sorted on disk
DISK_PER_ROW = BYTES_PER_ROW + 70
DUCKDB = """
import duckdb, json, resource, sys, time
started = time.perf_counter()
rows = duckdb.sql(f'''select task_id, quantile_cont((end_ns - sent_ns) / 1e9,
  [0.5, 0.9, 0.95, 0.99, 0.999]) from read_json('{sys.argv[1]}', format='newline_delimited',
  columns={{type: 'VARCHAR', ok: 'BOOLEAN', task_id: 'VARCHAR', sent_ns: 'BIGINT',
  end_ns: 'BIGINT'}}) where type = 'request' and ok group by 1''').fetchall()
told = {"wall_s": time.perf_counter() - started, "groups": dict(rows)}
"""
PANDAS = """
import json, pandas, resource, sys, time
started = time.perf_counter()
kept = []
for chunk in pandas.read_json(sys.argv[1], lines=True, chunksize=500_000, nrows=int(sys.argv[2])):
    good = chunk[(chunk["type"] == "request") & (chunk["ok"] == True)]
    latency_s = (good["end_ns"] - good["sent_ns"]) / 1e9
    kept.append(pandas.DataFrame({"task_id": good["task_id"], "latency_s": latency_s}))
found = pandas.concat(kept).groupby("task_id")["latency_s"].quantile([0.5, 0.9, 0.95, 0.99, 0.999])
groups = {task: list(each) for task, each in found.groupby(level=0)}
told = {"wall_s": time.perf_counter() - started, "groups": groups}
"""
TELL = """
used = resource.getrusage(resource.RUSAGE_SELF)
told["cpu_s"] = used.ru_utime + used.ru_stime
told["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(told))
"""


# a child's peak memory counts from its fork, so a small process has to start it
BETWEEN = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"


def _ask(*command: str | Path) -> dict:
    told = subprocess.run(
        [sys.executable, "-S", "-c", BETWEEN, sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        check=True,
    )
    # duckdb shows its progress there as well
    return json.loads(told.stdout.splitlines()[-1])


def _seconds(told: dict) -> str:
    return f"{told['wall_s']:.1f} s, {told['peak_mib']:.0f} MiB, {told['cpu_s']:.1f} s CPU"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory):
    """A study of ROWS requests, or of as many as the disk takes; removed at the end."""
    sys.path.insert(0, str(UNIT))
    from many_requests import a_study, records_of

    root = tmp_path_factory.mktemp("scale")
    free = shutil.disk_usage(root).free * 0.8
    rows = min(ROWS, int(free / DISK_PER_ROW))
    if rows < ROWS:
        print(f"\n{free / 1e9:.0f} GB of disk take {rows:,} rows, not {ROWS:,}")
    bundle = a_study(root, rows)
    [file] = records_of(bundle)
    yield rows, bundle.path, file
    shutil.rmtree(root)


@pytest.mark.timeout(3600)
def test_collate_of_many_rows_against_duckdb_and_pandas(figure, study, tmp_path: Path) -> None:
    rows, bundle, file = study
    script, out = Path(__file__).with_name("collate_requests.py"), tmp_path / "out"
    first = _ask(script, bundle, out)
    again = _ask(script, bundle, out)
    rival = _ask("-c", DUCKDB + TELL, file)
    shutil.rmtree(out)
    assert again["runs"] == first["runs"]
    assert first["runs"] == {
        task: pytest.approx(values, rel=1e-9) for task, values in rival["groups"].items()
    }
    what = f"`collate` of {rows:,} requests ({file.stat().st_size / 1e9:.1f} GB)"
    ratio = first["wall_s"] / rival["wall_s"]
    figure(f"{what}, the data of a report", _seconds(first), "<= 1024 MiB")
    figure(f"duckdb, the same percentiles by run of {rows:,} requests", _seconds(rival), "")
    percentiles = first["until_analysed_s"] / rival["wall_s"]
    figure(
        "percentiles of runs and cells, cache written, over duckdb's query alone",
        f"{percentiles:.1f} x",
        "<= 3 x",
    )
    cpu = first["until_analysed_cpu_s"] / rival["cpu_s"]
    figure("the same in CPU seconds, which a busy machine changes little", f"{cpu:.1f} x", "")
    figure(
        "the same and all tables and summary.json written, over duckdb's query",
        f"{ratio:.1f} x",
        "",
    )
    figure("`collate` again from the cache: summary.json and tables", _seconds(again), "<= 2 s")
    few = min(rows, PANDAS_ROWS)
    pandas = _ask("-W", "ignore", "-c", PANDAS + TELL, file, str(few))
    speed = f"{rows / first['wall_s'] / 1e6:.2f} against {few / pandas['wall_s'] / 1e6:.2f}"
    figure(f"pandas, percentiles of the first {few:,} requests", _seconds(pandas), "")
    figure("million rows a second against pandas", speed, "")
