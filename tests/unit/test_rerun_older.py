"""What a rerun says of bundles that another version of specc compiled."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reruns import CLUSTER, a_study, again, failed_all, known
from results import ABundle

from specc.bundling.canonical import canonical
from specc_runtime.contract.manifest import manifest_id, read_manifest

OOM = "on_failure: {oom_host: {task.memory: x2, attempts: 3}}\n"


def as_if_older(bundle: ABundle, change: Callable[[dict[str, Any]], object]) -> ABundle:
    """Return the bundle with another predicate, under the id that its manifest then has."""
    file = bundle.path / "manifest.json"
    statement = json.loads(file.read_text())
    change(statement["predicate"])
    file.write_bytes(canonical(statement))
    name = manifest_id(bundle.path)
    assert name is not None
    assert read_manifest(bundle.path).bundle_id == name
    return known(bundle.path.rename(bundle.path.with_name(name)))


def codes(bundle: ABundle) -> list[str]:
    return [problem.code for problem in again(bundle.path).problems]


def test_a_cure_without_a_known_cluster_is_applied_with_a_warning(tmp_path: Path) -> None:
    bundle = as_if_older(a_study(tmp_path, CLUSTER, OOM), lambda told: told.pop("profile"))
    failed_all(bundle, "oom_host")
    assert "W320" in codes(bundle)


def test_no_warning_where_the_bundle_says_what_its_cluster_allows(tmp_path: Path) -> None:
    bundle = a_study(tmp_path, CLUSTER, OOM)
    failed_all(bundle, "oom_host")
    assert codes(bundle) == []


def test_another_condition_than_before_is_said(tmp_path: Path) -> None:
    def packed_otherwise(told: dict[str, Any]) -> None:
        told["shapes"][0]["condition_id"] = "0" * 16

    bundle = as_if_older(a_study(tmp_path), packed_otherwise)
    failed_all(bundle, "preempted")
    assert codes(bundle) == ["W321"]
