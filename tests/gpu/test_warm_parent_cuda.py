"""What a warm parent imports leaves the GPU to the processes that are forked from it."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from specc.kinds.base import PlanRoom
from specc.kinds.inference import plan as inference
from specc.kinds.training import plan as training

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here"),
]
RUNTIME = Path(__file__).parents[2] / "runtime"
FORKS = """
import importlib, os, sys
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    importlib.import_module(name)
import torch
if os.fork() == 0:
    os._exit(0 if torch.ones(3, device="cuda").sum().item() == 3 else 1)
assert os.wait()[1] == 0
assert not torch.cuda.is_initialized()
"""


@pytest.mark.parametrize("room", [inference, training])
def test_forks_of_a_warm_parent_open_the_gpu(room: PlanRoom) -> None:
    (warm,) = room.fixtures({})
    command = [sys.executable, "-c", FORKS, str(RUNTIME), *warm.options["imports"]]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
