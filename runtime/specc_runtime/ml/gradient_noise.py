"""How much the gradient varies from one batch to the next."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Optional

import torch

from .read_only import Loss, read_only


@dataclass(frozen=True)
class GradientVariance:
    """Variance of the gradients of equal batches at one point of the training."""

    value: Optional[float]
    """Trace of the covariance matrix [loss**2 / weight**2]; None with the reason beside it."""
    reason: Optional[str]
    batches: int
    batch_size: int
    """Samples of each batch; the variance of independent samples goes with 1/batch_size."""


def gradient_variance(
    model: Any, inputs: Any, targets: Any, *, loss: Loss, batches: int
) -> GradientVariance:
    """Measure the variance of the mini-batch gradient with the weights held still.

    The samples are split, in their order, into `batches` equal batches without common samples (a
    rest is left out). With g_j the gradient of the mean loss of batch j and g their mean:
    value = sum over j of |g_j - g|**2 / (batches - 1), summed over all weights; unbiased for
    the trace of the covariance. Its relative standard error is about sqrt(2 / (batches - 1)) where
    one direction holds most of the variance, and less where many share it.
    The training is not touched (read_only.py).
    Source: the tr(Sigma) of McCandlish et al. 2018, arXiv:1812.06162, divided by the batch size;
    summed up by Welford 1962, so that two vectors are held and not all. Checked against a linear
    model of known variance in the tests.
    """
    size = len(inputs) // batches if batches else 0
    if batches < 2 or size < 1:
        reason = f"a variance needs 2 batches of 1 sample, not {batches} of {len(inputs)} samples"
        return GradientVariance(None, reason, batches, size)
    spread = 0.0
    with read_only(model, inputs.device, loss=loss) as (parameters, function):
        mean = [torch.zeros_like(p) for p in parameters]
        for count in range(1, batches + 1):
            part = slice((count - 1) * size, count * size)
            gradient = torch.autograd.grad(
                function(inputs[part], targets[part]), parameters, materialize_grads=True
            )
            terms = []
            for middle, found in zip(mean, gradient):
                off = found - middle
                middle.add_(off / count)
                terms.append(torch.sum(off.double() * (found - middle).double()))
            spread += float(torch.stack(terms).sum())
    if not math.isfinite(spread):
        return GradientVariance(None, "a gradient is not finite", batches, size)
    return GradientVariance(spread / (batches - 1), None, batches, size)
