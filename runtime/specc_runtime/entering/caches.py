"""Variables that keep a run's programs offline, off the user's home, and out of the bundle."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Dict, Mapping, Optional

_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONNOUSERSITE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
_FOLDERS = {
    "HF_HOME": "hf",
    "TRITON_CACHE_DIR": "triton",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "TORCH_EXTENSIONS_DIR": "torch-extensions",
    "TORCH_HOME": "torch",
    "XDG_CACHE_HOME": "xdg",
    "MPLCONFIGDIR": "matplotlib",
    "CUDA_CACHE_PATH": "cuda",
}
_LEAKS = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP")


class Caches:
    """A node-local folder for what programs cache while a launch runs."""

    def __init__(self) -> None:
        self.path = tempfile.mkdtemp(prefix="specc-")

    def variables(self, *, prefix: Optional[str], path: str) -> Dict[str, str]:
        """Return the variables for attempts.

        prefix: folder of a pinned environment, whose programs are to be found first; or None.
        path: the present PATH.
        """
        found = dict(_OFFLINE)
        for name, folder in _FOLDERS.items():
            found[name] = os.path.join(self.path, folder)
        if prefix is not None:
            found["VIRTUAL_ENV"] = prefix
            found["PATH"] = os.pathsep.join([os.path.join(prefix, "bin"), path])
        return found

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def leaks(environ: Mapping[str, str], *, pinned: bool) -> Dict[str, str]:
    """Return the variables that would mix a user's own Python into a pinned environment.

    An inherited environment keeps them: site modules set PYTHONPATH on purpose.
    """
    if not pinned:
        return {}
    return {name: environ[name] for name in _LEAKS if name in environ}
