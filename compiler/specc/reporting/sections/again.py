"""How to do a study again: what was sealed, from what, where it ran, and the commands. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from specc.model import Json
from specc.reporting.tabulate import DASH


def section(summary: Mapping[str, Json]) -> dict[str, Any]:
    """Return `commands` to copy and one entry of terms for each bundle."""
    return {
        "commands": list(summary["reproduce"]),
        "bundles": [
            {
                "bundle_id": one["bundle_id"],
                "terms": [{"term": term, "text": text} for term, text in _terms(one, summary)],
                "spec_text": one.get("spec_text"),
            }
            for one in summary["bundles"]
        ],
    }


def _terms(bundle: Mapping[str, Json], summary: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    yield "Bundle", str(bundle["bundle_id"])
    if bundle.get("parent_bundle_id"):
        yield "Continues", str(bundle["parent_bundle_id"])
    yield "manifest.json, sha256", str(bundle["manifest_sha256"])
    if bundle.get("spec_sha256"):
        yield "spec.resolved.yaml, sha256", str(bundle["spec_sha256"])
    if git := bundle.get("git"):
        changed = ", with uncommitted changes" if git.get("dirty") else ""
        yield "Git commit of the spec", f"{git.get('commit') or DASH}{changed}"
    if bundle.get("code_tree"):
        yield "Tree of the code", str(bundle["code_tree"])
    for name, one in (bundle.get("environments") or {}).items():
        yield f"Environment {name}", ", ".join(_environment(one))
    runs = [run for run in summary["runs"] if run["bundle_id"] == bundle["bundle_id"]]
    conditions = dict.fromkeys(one for run in runs for one in run["condition_ids"])
    if conditions:
        yield "Conditions", ", ".join(conditions)
    hosts = dict.fromkeys(host for run in runs for host in run["hosts"])
    if hosts:
        yield "Ran on", ", ".join(hosts)
    if partitions := _partitions(bundle):
        yield "Partition", ", ".join(partitions)
    compiled = bundle.get("compiled_at")
    yield (
        "Compiled",
        f"by specc {bundle['specc_version']}" + (f" at {compiled}" if compiled else ""),
    )


def _environment(one: Mapping[str, Json]) -> Iterator[str]:
    yield str(one["mode"])
    if one.get("image"):
        yield f"image {one['image']} ({one.get('image_digest') or 'no digest'})"
    if one.get("lock_sha256"):
        yield f"lock {one['lock_sha256']}"


def _images(bundles: Sequence[Mapping[str, Json]]) -> str | None:
    """Return the container images of all environments, each once; None without containers."""
    every = (one for bundle in bundles for one in (bundle.get("environments") or {}).values())
    named = (one.get("image_digest") or one.get("image") for one in every)
    return ", ".join(dict.fromkeys(filter(None, named))) or None


def _partitions(bundle: Mapping[str, Json]) -> list[str]:
    names = (shape["job"].get("partition") for shape in bundle.get("shapes") or ())
    return list(dict.fromkeys(str(name) for name in names if name))


def document(summary: Mapping[str, Json]) -> dict[str, Json]:
    """Return `reproducibility` of report.json; what is not known is null."""
    bundles = summary["bundles"]
    first: Mapping[str, Json] = bundles[0] if bundles else {}
    commands = list(summary["reproduce"])
    return {
        "recipe_sha256": first.get("spec_sha256"),
        "manifest_sha256": first.get("manifest_sha256"),
        "git_commit": (first.get("git") or {}).get("commit"),
        "git_dirty": (first.get("git") or {}).get("dirty"),
        "image": _images(bundles),
        "node": sorted({host for run in summary["runs"] for host in run["hosts"]}),
        "partition": [name for bundle in bundles for name in _partitions(bundle)],
        "rerun_command": next((one for one in commands if one.startswith("(cd ")), None),
        "commands": commands,
        "bundles": [bundle["bundle_id"] for bundle in bundles],
        "inputs": summary["inputs"],
    }
