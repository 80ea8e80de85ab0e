"""A bundle that was copied elsewhere runs as another user, offline, with nothing of specc there."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest
from path import compiled, records

PLACE = "Käfig mit Löchern/büro & co"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.skipif(
    shutil.which("setpriv") is None and os.environ.get("CI") != "true",
    reason="setpriv is not installed",
)
def test_a_bundle_runs_elsewhere_as_another_user_without_network(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    # pytest's own folders are closed to other users
    root = Path("/var/tmp") / f"specc-{os.getpid()}"
    bundle = root / PLACE / "the bundle"
    try:
        shutil.copytree(compiled(tmp_path), bundle)
        for path in (root, *root.rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        command = ["unshare", "-n", "setpriv", "--reuid=nobody", "--clear-groups", "bash"]
        ended = subprocess.run(
            [*command, "job.sbatch", "--here"],
            cwd=bundle,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(root)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ended.returncode == 0, ended.stderr
        assert sorted(row["value"] for row in records(bundle, "metric")) == [11, 12, 13, 21, 22, 23]
    finally:
        shutil.rmtree(root)
