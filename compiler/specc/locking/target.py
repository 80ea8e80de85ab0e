"""What is to be resolved: the part of an environment that decides which packages it gets."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from specc.bundling.canonical import canonical_sha256
from specc.model import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An environment as asked for."""

    mode: str
    python: str
    """"3.11"."""
    platform: str
    """As uv spells it: "x86_64-manylinux_2_28"."""
    accelerator: str
    """"cpu", "cu128", "rocm6.3"."""
    requirements: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Hash of the request; equal requests may share one lock."""
        return canonical_sha256(
            {
                "python": self.python,
                "platform": self.platform,
                "accelerator": self.accelerator,
                "requirements": list(self.requirements),
            }
        )

    @property
    def target(self) -> dict[str, Json]:
        """The lock's `target`."""
        return {
            "python": self.python,
            "platform": self.platform,
            "accelerator": self.accelerator,
        }

    @property
    def pip_platforms(self) -> tuple[str, ...]:
        """Wheel platforms that the target accepts, as pip spells them, newest first."""
        arch, _, libc = self.platform.partition("-")
        if not libc.startswith("manylinux_2_"):
            return (f"{libc}_{arch}",)
        newest = int(libc.rpartition("_")[2])
        names = [f"manylinux_2_{minor}_{arch}" for minor in range(newest, 4, -1)]
        # the names that PEP 600 keeps for the oldest three
        legacy = {"manylinux2014": 17, "manylinux2010": 12, "manylinux1": 5}
        names += [f"{old}_{arch}" for old, minor in legacy.items() if minor <= newest]
        return (*names, f"linux_{arch}")


def request_for(environment: dict[str, Json]) -> Request:
    """Read the request out of a spec's environment; what is not said follows the schema's words."""
    requirements = tuple(environment.get("requirements") or ())
    mode = environment.get("mode")
    if mode is None:
        fallback = "wheelhouse" if requirements else "inherit"
        mode = "container" if environment.get("image") else fallback
    return Request(
        mode=mode,
        python=environment.get("python") or "{}.{}".format(*sys.version_info[:2]),
        platform=environment.get("platform") or "x86_64-manylinux_2_28",
        accelerator=environment.get("accelerator") or "cpu",
        requirements=requirements if mode != "inherit" else (),
    )
