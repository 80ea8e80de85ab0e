"""Builders of wheels, source archives and tar files for the tests of the lock."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

BACKEND = """\
import zipfile
def _wheel(folder):
    name = "{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(folder + "/" + name, "w") as wheel:
        info = "{name}-{version}.dist-info/"
        files = {{
            "{name}.py": "VALUE = 1\\n",
            info + "METADATA": "Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n",
            info + "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
            info + "RECORD": "",
        }}
        for path, text in files.items():
            wheel.writestr(zipfile.ZipInfo(path), text)
    return name
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return _wheel(wheel_directory)
def build_sdist(sdist_directory, config_settings=None):
    raise NotImplementedError
"""


def a_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    tag: str = "py3-none-any",
    requires: str = "",
    **files: bytes,
) -> Path:
    """Write a wheel that installs; files: further members by name ("a__b" is a/b)."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-{tag}.whl"
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    if requires:
        metadata += f"Requires-Dist: {requires}\n"
    wheel_text = f"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: {tag}\n"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", f"VERSION = '{version}'\n")
        for member, content in files.items():
            wheel.writestr(member.replace("__", "/"), content)
        wheel.writestr(f"{info}/METADATA", metadata)
        wheel.writestr(f"{info}/WHEEL", wheel_text)
        wheel.writestr(f"{info}/RECORD", "")
    return path


def an_sdist(folder: Path, name: str, version: str = "1.0", **files: bytes) -> Path:
    """Write a source archive that builds without any other package."""
    folder.mkdir(parents=True, exist_ok=True)
    base = f"{name}-{version}"
    pyproject = (
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        f'[project]\nname = "{name}"\nversion = "{version}"\n'
    )
    members = {
        f"{base}/PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{base}/pyproject.toml": pyproject.encode(),
        f"{base}/backend.py": BACKEND.format(name=name, version=version).encode(),
        **{f"{base}/{member.replace('__', '/')}": content for member, content in files.items()},
    }
    path = folder / f"{base}.tar.gz"
    path.write_bytes(a_tar(members))
    return path


def a_tar(members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    """Return a tar.gz; a TarInfo as value is written as it is (a link, a device)."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()
