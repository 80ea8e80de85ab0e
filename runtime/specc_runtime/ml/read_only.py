"""Look at the loss of a model in training without changing anything of the training.

The model is left as it was found: its parameters are shared but only read, its `.grad`, buffers
and the global random state are not touched, each module's training flag is put back. All is
computed in float32 whatever the training computes in.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Iterator, List, Tuple

import torch

Vector = List[Any]
"""One tensor for each trained parameter, of its shape."""
Loss = Callable[[Any, Any], Any]
"""(outputs, targets) -> their mean loss, 0-dim."""


@contextmanager
def read_only(
    model: Any, device: torch.device, *, loss: Loss
) -> Iterator[Tuple[Vector, Callable[[Any, Any], Any]]]:
    """Give stand-ins of the trained parameters and (inputs, targets) -> the loss as their function.

    Inside, the model is in eval mode: batch norm uses its running statistics, dropout is off.
    Differentiate with torch.autograd.grad; a `backward` would leave gradients behind.
    """
    # a compiled module cannot be differentiated twice: the one that it wraps can
    model = getattr(model, "_orig_mod", model)
    own = {name: p for name, p in model.named_parameters() if p.requires_grad}
    # detached: shares the memory of a float32 parameter, but neither its graph nor its .grad
    stand_ins = {name: p.detach().float().requires_grad_() for name, p in own.items()}

    def function(inputs: Any, targets: Any) -> Any:
        output = torch.func.functional_call(model, stand_ins, (inputs,))
        return loss(output.float(), targets)

    with evaluating(model), _full_precision(device), torch.enable_grad():
        yield list(stand_ins.values()), function


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Put the model into eval mode; each module's own flag is restored, frozen ones included."""
    flags = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in flags:
            module.training = training


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Switch autocast and TF32 off, whose 10 bits are too few for differences of gradients."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    try:
        matmul.allow_tf32 = cudnn.allow_tf32 = False
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before
