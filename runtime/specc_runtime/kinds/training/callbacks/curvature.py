"""A `curvature` row each 500 steps: largest eigenvalue and trace of the Hessian of the loss.

Reading it: lambda_max is the curvature along the steepest direction; plain gradient descent becomes
unstable where it exceeds 2 / lr. It is negative where the loss curves down more than up. The trace
is the sum over all directions. Both are of the training images without augmentation and of the
cross-entropy alone: a decay in the gradient would add itself to each eigenvalue.

Time: at most `iterations` + `probes` Hessian-vector products, each the work of two to three
training steps of as many images. Memory: see `chunk` in ml/curvature.py; nothing is kept between
rows.
"""

from __future__ import annotations

from typing import Any, Mapping

import torch.nn.functional as F

from ....ml.curvature import hessian_products, hutchinson_trace, lambda_max
from ..interface import Cadence, Callback, State


class CurvatureMonitor(Callback):
    """Looks at the loss on a fixed subsample of the training images, in eval mode, float32.

    Start vector and probes are the same each time: the trajectory shows the net, not the dice.
    """

    name = "curvature"

    def __init__(self, due: Cadence, settings: Mapping[str, Any]) -> None:
        self._due = due
        self._settings = settings

    def reads(self, state: State) -> bool:
        return self._due(state)

    def after_step(self, state: State) -> None:
        if not self._due(state):
            return
        settings = self._settings
        seed = settings["seed"]
        images, classes = state.fixed_batch(settings["subsample"], seed)
        with hessian_products(
            state.model, images, classes, loss=F.cross_entropy, chunk=settings["chunk"]
        ) as (parameters, product):
            largest = lambda_max(
                product,
                parameters,
                iterations=settings["iterations"],
                tolerance=settings["tolerance"],
                seed=seed,
            )
            # another seed than the start vector's, or the first probe would have its signs
            trace = hutchinson_trace(product, parameters, probes=settings["probes"], seed=seed + 1)
        reasons = {
            "lambda_max_reason": largest.reason,
            "hutchinson_trace_reason": trace.reason,
        }
        if largest.residual is None:
            reasons["lambda_residual_reason"] = largest.reason or "relative to a value of 0"
        if trace.error is None:
            reasons["hutchinson_error_reason"] = trace.reason or "one probe has no spread"
        state.record(
            "curvature",
            step=state.step,
            epoch=state.epoch,
            lambda_max=largest.value,
            lambda_residual=largest.residual,
            lambda_iterations=largest.iterations,
            lambda_tolerance=largest.tolerance,
            hutchinson_trace=trace.value,
            hutchinson_error=trace.error,
            hutchinson_probes=trace.probes,
            subsample=len(classes),
            **{name: reason for name, reason in reasons.items() if reason is not None},
        )
