"""Single files come out of archives, and nothing gets out of the folder."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest
from archives_made import a_tar

from specc.locking.archives import NoSuchMember, take


def taken(archive: Path, path: str) -> tuple[bool, dict[str, bytes]]:
    into = archive.parent / "into"
    into.mkdir()
    found = take(archive, path, into)
    assert all(file.parent == into for _, file in found.files)
    return found.folder, {name: file.read_bytes() for name, file in found.files}


def a_link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


def test_a_folder_comes_out_with_its_files(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(a_tar({"./a/b/1.txt": b"1", "a/b/c/2.txt": b"2", "a/bc.txt": b"3"}))
    assert taken(path, "a/b") == (True, {"1.txt": b"1", "c/2.txt": b"2"})


def test_a_file_in_an_inner_archive_is_reached(tmp_path: Path) -> None:
    inner = a_tar({"x/y.txt": b"deep"})
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.tar.gz", a_tar({"in.tgz": inner}))
    assert taken(path, "a/data.tar.gz!/in.tgz!/x/y.txt") == (False, {"y.txt": b"deep"})


@pytest.mark.parametrize("name", ["../out.txt", "/etc/out.txt", "a/../../out.txt", "a\\..\\b"])
def test_names_that_climb_are_not_there(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(a_tar({name: b"bad", "good.txt": b"good"}))
    (tmp_path / "into").mkdir()
    with pytest.raises(NoSuchMember):
        take(path, name, tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_not_taken(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(a_tar({"l": a_link("a/secret", "/etc/passwd", kind), "a/ok": b"ok"}))
    assert taken(path, "a") == (True, {"ok": b"ok"})


def test_a_wrong_path_names_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(a_tar({"a-1.0/rows.txt": b"", "b/x": b""}))
    with pytest.raises(NoSuchMember, match=r"a-1.0/rows.txt has that name"):
        take(path, "rows.txt", tmp_path)
    with pytest.raises(NoSuchMember, match=r"at the top are a-1.0, b"):
        take(path, "nothing", tmp_path)
    with pytest.raises(NoSuchMember, match="is a folder, not an archive"):
        take(path, "b!/x", tmp_path)
