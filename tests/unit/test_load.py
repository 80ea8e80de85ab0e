"""Reading a text: what is refused, and how it is said."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from specc.model import Mark
from specc.problems import Problem, SpecInvalid
from specc.stages.load import MAX_BYTES, load


def refused(path: Path) -> Problem:
    with pytest.raises(SpecInvalid) as stopped:
        load(path)
    assert len(stopped.value.problems) == 1
    return stopped.value.problems[0]


def test_text_comes_without_byte_order_mark_and_with_plain_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: \xc3\xbc\r\n")
    source = load(path)
    assert source.text == "a: 1\nb: ü\n"
    assert source.shown == str(path)


def test_missing_file_names_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").touch()
    problem = refused(tmp_path / "stduy.yaml")
    assert (problem.code, problem.mark) == ("E001", None)
    assert problem.hint == f"did you mean {tmp_path / 'study.yaml'}?"


def test_missing_folder_is_said(tmp_path: Path) -> None:
    problem = refused(tmp_path / "no" / "study.yaml")
    assert problem.hint == f"the folder {tmp_path / 'no'} is not there either"


def test_folder_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path).code == "E002"


def test_file_used_as_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert refused(tmp_path / "a" / "b.yaml").code == "E002"


def test_device_is_refused() -> None:
    assert refused(Path("/dev/zero")).code == "E003"


def test_named_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    started = time.monotonic()
    assert refused(tmp_path / "pipe").code == "E003"
    assert time.monotonic() - started < 1


def test_path_that_no_system_call_takes_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "a\0b").code == "E003"
    assert refused(tmp_path / ("x" * 5000)).code == "E003"


def test_link_that_leads_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    assert refused(tmp_path / "loop.yaml").code == "E003"


def test_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.yaml"
    path.write_text("a: 1\n", encoding="utf-8")
    path.chmod(0)
    if os.geteuid() != 0:
        assert refused(path).code == "E004"
        return
    # root may read everything, so another user tries
    script = (
        "import os, sys; from pathlib import Path; from specc.stages.load import load\n"
        "from specc.problems import SpecInvalid\n"
        "os.seteuid(65534)\n"
        "try: load(Path(sys.argv[1]))\n"
        "except SpecInvalid as stopped: print(stopped.problems[0].code)"
    )
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if folder.owner() == "root" and str(folder) != "/tmp":
            folder.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "E004\n"


def test_fifty_megabytes_are_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    with path.open("wb") as stream:
        stream.truncate(50_000_000)
    started = time.monotonic()
    problem = refused(path)
    assert time.monotonic() - started < 0.5
    assert problem.code == "E005"
    assert problem.message == f"{path} is larger than 1 MiB"


def test_a_file_of_exactly_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"#" * MAX_BYTES)
    assert len(load(path).text) == 1048576


def test_place_of_the_first_byte_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes("a: 1\nb: grü".encode() + b"\xdf\n")
    mark = refused(path).mark
    assert mark is not None
    assert (mark.line, mark.column) == (2, 7)


def test_problem_of_a_named_file_points_to_the_name(tmp_path: Path) -> None:
    place = Mark(file="spec.yaml", line=3, column=11, end_column=20)
    with pytest.raises(SpecInvalid) as stopped:
        load(tmp_path / "gone.yaml", named_at=place, named_path="include[0]")
    problem = stopped.value.problems[0]
    assert (problem.mark, problem.path) == (place, "include[0]")
