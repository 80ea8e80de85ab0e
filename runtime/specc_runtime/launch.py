"""The command line of the node: check the bundle, enter its environment, run shards.

The process replaces itself by the environment's own interpreter once that is ready, so that the
pool, and what it forks, run in it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from . import by_hand, signals
from .attempts import worker
from .contract import categories
from .contract.fields import Damage
from .contract.lenders import with_lender
from .contract.manifest import Manifest, read_manifest
from .contract.tasks import read_tasks
from .contract.verify import Verdict, verify
from .entering import caches, isolate
from .entering.arrivals import check_inputs
from .entering.building import EnvironmentFailed
from .entering.environment import Prepared, environments_root, prepare, stamps_root
from .log import say
from .shard.execute import run_shard
from .shard.setting import Setting
from .slots import places
from .slots.slots import NoDevice
from .slurm_env import find_end, read_allocation, run_id
from .status import describe_runs, results_folder
from .wide import gathering, ranks
from .wide.link import LinkLost

Facts = Dict[str, Any]
_ENTERED = "SPECC_ENTERED"
"""Set by this process for the interpreter it becomes: what was found out before."""
_WORST = (
    categories.EXIT_BAD_BUNDLE,
    categories.EXIT_INTERNAL,
    categories.EXIT_INTERRUPTED,
    categories.EXIT_USAGE,
    categories.EXIT_TRY_AGAIN,
    categories.EXIT_FAILED,
    categories.EXIT_OK,
)


def main(argv: Sequence[str]) -> int:
    """Run the command line and return the exit code."""
    options = _parser().parse_args(argv)
    options.argv = list(argv)
    options.bundle = os.path.abspath(options.bundle)
    try:
        if options.verb == "status":
            lines = describe_runs(options.bundle, options.run)
            sys.stdout.write("".join(line + "\n" for line in lines))
            return categories.EXIT_OK
        run = run_id()
        entered = os.environ.pop(_ENTERED, None)
        facts = json.loads(entered) if entered is not None else _first_part(options)
        if options.verb == "rank":
            return _serve_ranks(options, facts)
        return _second_part(options, run, facts)
    except (Damage, EnvironmentFailed, NoDevice) as error:
        say(str(error))
        bad = isinstance(error, Damage)
        return categories.EXIT_BAD_BUNDLE if bad else categories.EXIT_FAILED
    except FileNotFoundError as error:
        say(f"{error.filename}: there is no bundle here, or a part of it is missing")
        return categories.EXIT_BAD_BUNDLE
    except (KeyError, ValueError) as error:
        say(str(error.args[0]) if error.args else str(error))
        return categories.EXIT_USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="specc_runtime", allow_abbrev=False)
    verbs = parser.add_subparsers(dest="verb", required=True)
    status = verbs.add_parser("status", help="how far a bundle's runs are", allow_abbrev=False)
    status.add_argument("--bundle", required=True)
    status.add_argument("--run", metavar="ID")
    shard = verbs.add_parser(
        "shard", help="run shards of a bundle on this machine", allow_abbrev=False
    )
    shard.add_argument("--bundle", required=True)
    shard.add_argument("--shape", required=True)
    shard.add_argument("--own-job", action="store_true", help="the Slurm job runs nothing else")
    which = shard.add_mutually_exclusive_group(required=True)
    which.add_argument("--shard", type=int, metavar="N")
    which.add_argument("--all", action="store_true")
    which.add_argument("--task", metavar="ID")
    rank = verbs.add_parser(
        "rank", help="the part of a wide task that runs on this node", allow_abbrev=False
    )
    rank.add_argument("--bundle", required=True)
    rank.add_argument("--shape", required=True)
    how = shard.add_mutually_exclusive_group()
    how.add_argument("--shell", action="store_true", help="a shell in the task's environment")
    how.add_argument("--print", action="store_true", help="show the task and run nothing")
    return parser


def _first_part(options: argparse.Namespace) -> Facts:
    """Check the bundle and find its environment; becomes the environment's interpreter."""
    # asked before the network may be cut, since Slurm's commands need it
    shape = read_manifest(options.bundle).shape(options.shape)
    end_t = find_end(os.environ, shape["job"]["time_limit_s"])
    network = _network()
    full = os.environ.get("SPECC_VERIFY") == "full"
    stamps = stamps_root(os.environ)
    verdict, manifest = _verify(options.bundle, stamps, full=full)
    signals.check()
    allocation = read_allocation(os.environ, end_t)
    inputs = check_inputs(manifest.predicate["inputs"], stamps, allocation, full=full)
    signals.check()
    prepared = prepare(options.bundle, manifest.predicate, shape, allocation, verdict.lender)
    facts: Facts = {
        "network": network,
        "verified": verdict.verified,
        "lender": verdict.lender,
        "end_t": end_t,
        "inputs": inputs,
        "prepared": dict(vars(prepared)),
    }
    # what a process on another node of the job is started with, before it enters the environment
    if options.verb == "shard":
        os.environ[gathering.FIRST_PYTHON] = sys.executable
    os.environ.setdefault("SPECC_ENV_DIR", environments_root(os.environ))
    if prepared.path is not None:
        os.environ[_ENTERED] = json.dumps(facts)
        main_file = os.path.join(os.path.dirname(os.path.abspath(__file__)), "__main__.py")
        python = prepared.python
        signals.hold_back()
        signals.check()
        os.execv(python, [python, "-I", "-B", "-X", "utf8", main_file, *options.argv])
    return facts


def _network() -> str:
    if os.environ.get("SPECC_NETWORK") != "off":
        return "not isolated"
    refused = isolate.cut_network()
    if refused is None:
        return "isolated"
    say(f"warning: the network can't be cut off here ({refused}); recorded as not isolated")
    return "not isolated"


def _verify(bundle: str, stamps: str, *, full: bool) -> Tuple[Verdict, Manifest]:
    """Compare the bundle with its manifest. Raises Damage that names every wrong file."""
    # one stamp for each place: a copy elsewhere has other inodes
    place = hashlib.sha256(os.path.realpath(bundle).encode()).hexdigest()[:16]
    verdict = verify(bundle, stamp=os.path.join(stamps, f"{place}.json"), full=full)
    foreign = [path for path in verdict.extra if _could_be_imported(path)]
    if verdict.manifest is None or not verdict.intact or foreign:
        raise Damage(
            bundle, None, "the bundle is not what was compiled\n" + _list(verdict, foreign)
        )
    for path, stated, found in verdict.modes:
        say(f"warning: {path} has mode {found:04o}, compiled as {stated:04o}")
    if verdict.extra:
        shown = ", ".join(verdict.extra[:5]) + (", …" if len(verdict.extra) > 5 else "")
        say(f"warning: {len(verdict.extra)} files that the manifest does not know: {shown}")
    return verdict, verdict.manifest


def _could_be_imported(path: str) -> bool:
    return path.startswith("runtime/") and "__pycache__" not in path


def _list(verdict: Verdict, foreign: List[str]) -> str:
    lines = [f"  changed  {path}" for path in verdict.changed]
    lines.extend(f"  missing  {path}" for path in verdict.missing)
    lines.extend(f"  extra    {path}" for path in foreign)
    lines.extend(f"  borrowed {verdict.lender}/{path}" for path in verdict.borrowed_wrong)
    if verdict.detail:
        lines.append(f"  {verdict.detail}")
    if verdict.no_lender:
        return "\n".join([*lines, verdict.no_lender])
    return "\n".join([*lines, "copy the bundle again, or compile it again"])


def _second_part(options: argparse.Namespace, run: str, facts: Facts) -> int:
    """Run the shards; by now this is the environment's interpreter."""
    manifest = with_lender(read_manifest(options.bundle), facts["lender"])
    tasks = read_tasks(options.bundle)
    allocation = read_allocation(os.environ, facts["end_t"])
    setting = Setting(
        bundle=options.bundle,
        manifest=manifest,
        tasks=tasks,
        shape=manifest.shape(options.shape),
        run=os.path.join(results_folder(options.bundle, manifest.bundle_id), run),
        allocation=allocation,
        prepared=Prepared(**facts["prepared"]),
        network=facts["network"],
        verified=facts["verified"],
        inputs=facts["inputs"],
        again=os.environ.pop("SPECC_AGAIN", "") not in ("", "0"),
        own_job=options.own_job,
    )
    cached = caches.Caches()
    try:
        _set_variables(cached, setting.prepared, manifest, setting.shape)
        if options.task is not None:
            return _one_task(setting, options)
        return _run_shards(setting, _shards(setting, options))
    finally:
        cached.remove()


def _serve_ranks(options: argparse.Namespace, facts: Facts) -> int:
    """Run what a leader on another node of the job says; in the same surroundings as there."""
    manifest = read_manifest(options.bundle)
    cached = caches.Caches()
    try:
        prepared = Prepared(**facts["prepared"])
        _set_variables(cached, prepared, manifest, manifest.shape(options.shape))
        return ranks.serve(os.environ)
    except LinkLost as error:
        say(f"{places.own_node(os.environ)}: {error}")
        return categories.EXIT_FAILED
    finally:
        cached.remove()


def _set_variables(
    cached: caches.Caches, prepared: Prepared, manifest: Manifest, shape: Mapping[str, Any]
) -> None:
    """Give this process the variables that tasks find."""
    prefix = prepared.path
    for name in caches.leaks(os.environ, pinned=prefix is not None):
        del os.environ[name]
    path = os.environ.get("PATH", os.defpath)
    os.environ.update(cached.variables(prefix=prefix, path=path))
    stated = manifest.predicate["environments"].get(shape["environment"]) or {}
    os.environ.update(stated.get("variables") or {})


def _shards(setting: Setting, options: argparse.Namespace) -> List[str]:
    mine = [row for row in setting.tasks if row.shape == options.shape and row.shard is not None]
    names = sorted({row.shard for row in mine if row.shard is not None})
    if options.all:
        return names
    name = f"{options.shape}-{options.shard:04d}"
    if name not in names:
        raise KeyError(f"no shard {options.shard}; shape {options.shape} has {len(names)}")
    return [name]


def _run_shards(setting: Setting, names: List[str]) -> int:
    worker.preload(setting.manifest.kind)
    codes = [categories.EXIT_OK]
    for name in names:
        signals.check()
        codes.append(run_shard(setting, name))
        if codes[-1] in (categories.EXIT_INTERRUPTED, categories.EXIT_BAD_BUNDLE):
            break
        if codes[-1] == categories.EXIT_TRY_AGAIN and _should_stop(setting):
            break
    return min(codes, key=_WORST.index)


def _should_stop(setting: Setting) -> bool:
    """After a shard that stopped early: a signal means all, under Slurm the job's end is near."""
    return signals.stopped() or setting.allocation.job_id is not None


def _one_task(setting: Setting, options: argparse.Namespace) -> int:
    found = [row for row in setting.tasks if row.task_id.startswith(options.task)]
    if len(found) != 1:
        raise KeyError(f"{len(found)} tasks have an id that starts with {options.task!r}")
    row = found[0]
    if row.shape != options.shape or row.shard is None:
        raise KeyError(f"task {row.task_id} belongs to shape {row.shape}, not {options.shape}")
    if options.print:
        environments = setting.manifest.predicate["environments"]
        stated = environments.get(setting.shape["environment"], {}).get("variables") or {}
        told = by_hand.describe(setting, row, stated)
        sys.stdout.write(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
        return categories.EXIT_OK
    if options.shell:
        return by_hand.shell(setting, row)
    return run_shard(setting, row.shard, only=row.task_id)
