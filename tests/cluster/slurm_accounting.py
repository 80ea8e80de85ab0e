"""Slurm's accounting: slurmdbd over a MariaDB of our own, so that sacct and sacctmgr answer.

Needs the Debian packages slurmdbd, slurm-wlm-mysql-plugin, mariadb-server-core and
mariadb-client-core. Writes nothing outside the folder that it is given, but slurmdbd listens on
all interfaces.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from slurm_shape import user

PROGRAMS = ("slurmdbd", "mariadbd", "mariadb", "mariadb-install-db", "sacct", "sacctmgr")
_SETTINGS = """\
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database_port}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
"""
_TABLES = """\
create database slurm_acct;
create user slurm@'127.0.0.1' identified by 'slurm';
grant all on slurm_acct.* to slurm@'127.0.0.1';
"""
# what is lost when the machine stops is of no use to anybody: nothing waits for a disk
_HASTE = ("--innodb-flush-method=nosync", "--debug-no-sync", "--innodb-log-file-size=16M")


def prepare(folder: Path, environment: dict[str, str], *, port: int, database_port: int) -> None:
    """Write slurmdbd.conf and an empty database."""
    text = _SETTINGS.format(
        port=port, database_port=database_port, folder=folder, user=user()
    )  # fmt: skip
    settings = folder / "slurmdbd.conf"
    settings.touch(mode=0o600)
    settings.write_text(text, encoding="utf-8")
    words = [
        "mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal",
        "--skip-test-db", "--skip-name-resolve", *_HASTE, f"--user={user()}",
        f"--datadir={folder}/database",
    ]  # fmt: skip
    ended = subprocess.run(
        words, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def database_command(folder: Path, *, port: int) -> list[str]:
    """Return the command that starts the database."""
    return [
        "mariadbd", "--no-defaults", f"--user={user()}", f"--datadir={folder}/database",
        f"--socket={folder}/database.socket", f"--pid-file={folder}/mariadbd.pid",
        "--bind-address=127.0.0.1", f"--port={port}", "--skip-name-resolve", "--skip-log-bin",
        "--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900",
        "--innodb-flush-log-at-trx-commit=0", *_HASTE, f"--log-error={folder}/mariadbd.log",
    ]  # fmt: skip


def answers(folder: Path, environment: dict[str, str], query: str = "select 1") -> bool:
    """Ask the database something, and return whether it could be asked."""
    words = ["mariadb", "--no-defaults", f"--socket={folder}/database.socket", "-u", "root"]
    ended = subprocess.run(
        [*words, "-e", query], env=environment, capture_output=True, timeout=60, check=False
    )
    return ended.returncode == 0


def make_tables(folder: Path, environment: dict[str, str]) -> None:
    assert answers(folder, environment, _TABLES), f"see {folder}/mariadbd.log"
