"""Say on which machines a study ran, as labelled texts. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from specc.kinds.sentences import quantity
from specc.model import Json
from specc.reporting.tabulate import DASH


def machines(summary: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Return each machine and environment as (name, text) lines and its packages."""
    return [
        {
            "host": one["host"],
            "lines": [
                ("CPU", _first_text(one["hardware"].get("cpu"))),
                ("GPU", "; ".join(map(_first_text, one["hardware"].get("gpus") or [])) or "none"),
                ("Memory", _memory(one["hardware"])),
                ("Kernel", " ".join(map(str, _kernel(one["hardware"]))) or DASH),
                ("Python", one["python"]),
                ("Environment", f"{one['environment']['name']} ({one['environment']['mode']})"),
                ("Network", one["network"]),
                ("Bundle verified", one["bundle_verified"]),
                ("Launches", ", ".join(one["launches"])),
                *(
                    (f"No {gap['sensor']}", str(gap["reason"]))
                    for gap in one["hardware"].get("unavailable") or ()
                    if isinstance(gap, dict) and {"sensor", "reason"} <= gap.keys()
                ),
            ],
            "packages": ", ".join(
                f"{name} {version}" for name, version in one["environment"]["packages"].items()
            ),
        }
        for one in summary["machines"]
    ]


def _memory(hardware: Mapping[str, Json]) -> str:
    memory = hardware.get("memory")
    total = memory.get("total_bytes") if isinstance(memory, dict) else None
    return quantity(total, "B") if total is not None else DASH


def _kernel(hardware: Mapping[str, Json]) -> list[Json]:
    kernel = hardware.get("kernel")
    if not isinstance(kernel, dict):
        return [kernel] if kernel else []
    names = ("system", "release", "distribution")
    return [kernel[name] for name in names if kernel.get(name)]


def _first_text(device: Json) -> str:
    """Return how a device is called: its model or name, else all that is known of it."""
    if isinstance(device, dict):
        name = device.get("model") or device.get("name")
        cores = device.get("cores") or device.get("logical_cpus")
        if name:
            return f"{name} ({cores} cores)" if cores else str(name)
        return ", ".join(f"{k} {v}" for k, v in device.items() if not isinstance(v, dict | list))
    return DASH if device is None else str(device)
