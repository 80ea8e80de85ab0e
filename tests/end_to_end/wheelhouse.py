"""Bundles with a real environment of their own: a toy wheel, and the uv that stands beside us."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import sysconfig
import zipfile
from importlib.metadata import version
from pathlib import Path

from path import specc_json

SPEC = """\
schema_version: 1
name: toys
kind: command
matrix:
  axes: {{n: {{range: [1, 4]}}}}
repetitions: {{n: 1, order: sequential, block: none}}
settings:
  script: |
    python -c 'import os, toy
    print(dict(answer=toy.ANSWER + len(os.getenv("TOY", ""))))' | tr \\' \\"
  metrics:
    answer: {{from: json_lines, unit: "1", better: higher, definition: what the toy says}}
environment: {{{environment}}}
task: {{cpus: 1, estimate: 3min, time_limit: 4min}}
job: {{time_limit: 5min}}
"""
TOY = "requirements: [toy]"
PYTHON = "{}.{}".format(*sys.version_info[:2])


def links(folder: Path) -> Path:
    """Write the wheels that a lock may choose from."""
    folder.mkdir(parents=True, exist_ok=True)
    _wheel(folder, "toy", "1.0", "py3-none-any", {"toy.py": b"ANSWER = 42\n"})
    uv = Path(shutil.which("uv", path=sysconfig.get_path("scripts")) or "uv").read_bytes()
    member = f"uv-{version('uv')}.data/scripts/uv"
    _wheel(
        folder,
        "uv",
        version("uv"),
        f"py3-none-manylinux_2_17_{platform.machine()}",
        {member: uv},
    )
    return folder


def _wheel(folder: Path, name: str, number: str, tag: str, files: dict[str, bytes]) -> None:
    info = f"{name}-{number}.dist-info"
    texts = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n",
        "WHEEL": f"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: {tag}\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{name}-{number}-{tag}.whl", "w") as wheel:
        for member, content in files.items():
            wheel.writestr(member, content)
        for member, text in texts.items():
            wheel.writestr(f"{info}/{member}", text)


def desk(folder: Path) -> dict[str, str]:
    """The desk's variables: no index, no cache but the test's own, one folder of wheels."""
    return {
        **os.environ,
        "XDG_CACHE_HOME": str(folder / "desk-cache"),
        "UV_CACHE_DIR": str(folder / "uv-cache"),
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": links(folder / "links").as_uri(),
        "UV_OFFLINE": "1",
    }


def compiled(folder: Path, environment: str = TOY, more: str = "") -> Path:
    """Compile a study of four tasks in this environment and return the bundle."""
    folder.mkdir(parents=True, exist_ok=True)
    spec = folder / "spec.yaml"
    spec.write_text(SPEC.format(environment=environment) + more, encoding="utf-8")
    made = specc_json("compile", spec, "--out", folder / "build", env=desk(folder))
    return Path(made["bundle"])


def node(folder: Path, **more: str) -> dict[str, str]:
    """A node's variables: one Python, coreutils, and a place for environments."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    python = Path(sys.executable).resolve()
    for name in ("python3", f"python{PYTHON}"):
        if not (programs / name).exists():
            (programs / name).symlink_to(python)
    kept = {name: os.environ[name] for name in os.environ if name.startswith("COVERAGE_")}
    return {
        **kept,
        "PATH": f"{programs}:/usr/bin:/bin",
        "HOME": str(folder),
        "SPECC_ENV_DIR": str(folder / "environments"),
        "LOG": str(folder / "log"),
        **more,
    }


def generations(folder: Path) -> list[str]:
    """The folders of finished and half-finished environments: "<key>/<generation>"."""
    found = (folder / "environments").glob("*/0*")
    return sorted(
        path.relative_to(folder / "environments").as_posix() for path in found if path.is_dir()
    )
