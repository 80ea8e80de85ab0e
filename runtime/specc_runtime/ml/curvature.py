"""Curvature of a loss on fixed samples: largest eigenvalue and trace of its Hessian.

Never builds the Hessian: both need only its products with vectors, got by differentiating the
gradient once more (double backward). The training is not touched (read_only.py).

Cost: one product is about a forward and two backward passes over the samples; with `chunk` below
the number of samples another forward and backward pass, for less memory: the graph of a second
derivative holds about twice the activations of a training step, per sample of one chunk.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Callable, Iterator, List, Optional, Tuple

import torch

from .read_only import Loss, Vector, read_only

Product = Callable[[Vector], Vector]


@dataclass(frozen=True)
class Eigenvalue:
    """What power iteration came to."""

    value: Optional[float]
    """Eigenvalue of largest magnitude, with its sign [loss]; None with the reason beside it."""
    reason: Optional[str]
    iterations: int
    """Products computed."""
    residual: Optional[float]
    """|Hu - value*u| / |value| of the unit vector u that has `value`: a true eigenvalue of H lies
    within residual*|value| of it, and mostly far closer (its error goes with the square). Near 1
    nothing has converged."""
    tolerance: float
    """Relative change of the value between two products at which the iteration ends."""


@dataclass(frozen=True)
class Trace:
    """What Hutchinson's estimator came to."""

    value: Optional[float]
    """Mean of the probes [loss]; None with the reason beside it."""
    reason: Optional[str]
    error: Optional[float]
    """Standard error of that mean over the probes; None with fewer than two."""
    probes: int


@contextmanager
def hessian_products(
    model: Any, inputs: Any, targets: Any, *, loss: Loss, chunk: Optional[int] = None
) -> Iterator[Tuple[Vector, Product]]:
    """Give the parameters of `model` and v -> Hv, H the Hessian of loss(model(inputs), targets).

    loss: mean over its samples. chunk: samples differentiated at a time; None for all at once.
    v and Hv have one float32 tensor for each trained parameter. All graphs are freed on the way
    out.
    """
    size = len(inputs) if chunk is None else max(1, min(chunk, len(inputs)))
    parts = [slice(start, start + size) for start in range(0, len(inputs), size)]
    with read_only(model, inputs.device, loss=loss) as (parameters, function):

        def gradient(part: slice) -> Vector:
            share = len(inputs[part]) / len(inputs)
            value = function(inputs[part], targets[part]) * share
            # a parameter that the loss does not depend on has gradient and curvature 0
            return list(
                torch.autograd.grad(value, parameters, create_graph=True, materialize_grads=True)
            )

        kept = [gradient(parts[0])] if len(parts) == 1 else []

        def product(vector: Vector) -> Vector:
            if kept:
                return _second(kept[0], parameters, vector, keep=True)
            total: Vector = [torch.zeros_like(p) for p in parameters]
            for part in parts:
                for sum_, term in zip(
                    total, _second(gradient(part), parameters, vector, keep=False)
                ):
                    sum_.add_(term)
            return total

        try:
            yield parameters, product
        finally:
            kept.clear()


def lambda_max(
    product: Product,
    like: Vector,
    *,
    iterations: int,
    tolerance: float,
    seed: int,
) -> Eigenvalue:
    """Find the eigenvalue of largest magnitude of a symmetric H by power iteration.

    product: v -> Hv.   like: tensors of v's shapes.   seed: of the first v.
    Ends when the value changes by no more than `tolerance` of it, and after `iterations` products
    at the latest; the residual tells how far it got. The value is the best that H has on the plane
    of the last two vectors (Rayleigh, Ritz), sign kept: near a saddle the largest magnitude may
    belong to a negative eigenvalue, and v.Hv of a single vector stands still anywhere between two
    eigenvalues of equal size and opposite sign.
    Source: von Mises iteration; Ritz values and residual bound of symmetric matrices, Parlett, "The
    Symmetric Eigenvalue Problem", 4.5 and 11. Checked against torch.linalg.eigvalsh of exact
    Hessians in the tests.
    """
    generator = _generator(like, seed)
    vector = [torch.randn(p.shape, generator=generator, device=p.device) for p in like]
    length = math.sqrt(_dot(vector, vector))
    vector = [part / length for part in vector]
    value, residual, done = math.inf, math.inf, 0
    last: Optional[_Looked] = None
    for done in range(1, iterations + 1):
        image = product(vector)
        square, own = _dot(image, image), _dot(vector, image)
        if not math.isfinite(square + own):
            reason = f"the Hessian times a vector is not finite (product {done})"
            return Eigenvalue(None, reason, done, None, tolerance)
        if square == 0.0:
            # the loss is flat: H is 0 on a random vector, and so everywhere
            return Eigenvalue(0.0, None, done, 0.0, tolerance)
        now, before = _Looked(math.sqrt(square), own), value
        value, missed = _on_plane(last, now)
        residual = missed / abs(value) if value else math.inf
        if abs(value - before) <= tolerance * abs(value):
            break
        last = now
        vector = [part / now.length for part in image]
    if not done:
        return Eigenvalue(None, "no iteration was allowed", 0, None, tolerance)
    return Eigenvalue(value, None, done, residual if residual < math.inf else None, tolerance)


@dataclass(frozen=True)
class _Looked:
    """A unit vector v of the iteration, and its image."""

    length: float
    """|Hv|, above 0."""
    own: float
    """v.Hv."""

    @property
    def missed(self) -> float:
        """|Hv - (v.Hv) v|, by Pythagoras."""
        return math.sqrt(max(self.length**2 - self.own**2, 0.0))


_SAME = 1e-2
"""Sine of the angle below which two vectors span no plane: rounding would choose its direction."""


def _on_plane(last: Optional[_Looked], now: _Looked) -> Tuple[float, float]:
    """Return the value of largest magnitude on the plane of v and w = Hv / |Hv|, and its miss.

    last, now: of v and of w. Costs no product: v.Hw = Hv.w = |Hv|, and Hv.Hw = |Hv| (w.Hw).
    """
    if last is None or last.missed < _SAME * last.length or now.missed < _SAME * now.length:
        return now.own, now.missed
    cosine = last.own / last.length
    sine = math.sqrt(1 - cosine**2)
    # H on the orthonormal pair of v and what w has beside it
    first, beside = last.own, last.length * sine
    second = (now.own - 2 * cosine * last.length + cosine**2 * first) / sine**2
    middle, half = (first + second) / 2, math.hypot((first - second) / 2, beside)
    value = middle + math.copysign(half, middle)
    a, b = (beside, value - first) if abs(value - first) > abs(value - second) else (
        value - second, beside,
    )  # fmt: skip
    norm = math.hypot(a, b)
    on_w = b / norm / sine
    on_v = a / norm - on_w * cosine
    square = (on_v * last.length) ** 2 + (on_w * now.length) ** 2
    square += 2 * on_v * on_w * last.length * now.own
    return value, math.sqrt(max(square - value**2, 0.0))


def hutchinson_trace(product: Product, like: Vector, *, probes: int, seed: int) -> Trace:
    """Estimate the trace of a symmetric H: the mean of z.Hz over vectors z of random signs.

    Unbiased; with signs (Rademacher) only what stands beside H's diagonal makes it vary. One seed
    means the same probes each time, so that a trajectory shows the net and not the probes.
    Source: Hutchinson 1990, Communications in Statistics 19(2); standard error from the spread of
    the probes. Checked against exact Hessians in the tests.
    """
    generator = _generator(like, seed)
    found: List[float] = []
    for _ in range(probes):
        signs = [
            torch.randint(0, 2, p.shape, generator=generator, device=p.device).float() * 2 - 1
            for p in like
        ]
        found.append(_dot(signs, product(signs)))
        if not math.isfinite(found[-1]):
            reason = f"the Hessian times a vector is not finite (probe {len(found)})"
            return Trace(None, reason, None, len(found))
    if not found:
        return Trace(None, "no probe was allowed", None, 0)
    mean = math.fsum(found) / len(found)
    if len(found) == 1:
        return Trace(mean, None, None, 1)
    spread = math.fsum((one - mean) ** 2 for one in found) / (len(found) - 1)
    return Trace(mean, None, math.sqrt(spread / len(found)), len(found))


def _second(first: Vector, parameters: Vector, vector: Vector, *, keep: bool) -> Vector:
    """Differentiate first.vector; `keep` the graph for another vector."""
    if not any(part.requires_grad for part in first):
        # linear in every parameter: the gradient is a constant
        return [torch.zeros_like(p) for p in parameters]
    pairs = [(one, v) for one, v in zip(first, vector) if one.requires_grad]
    return list(
        torch.autograd.grad(
            [one for one, _ in pairs],
            parameters,
            [v for _, v in pairs],
            retain_graph=keep,
            materialize_grads=True,
        )
    )


def _generator(like: Vector, seed: int) -> Any:
    # of its own: drawing from the global one would change the training that is watched
    return torch.Generator(device=like[0].device).manual_seed(seed)


def _dot(left: Vector, right: Vector) -> float:
    terms = [torch.sum(a.double() * b.double()) for a, b in zip(left, right)]
    return float(torch.stack(terms).sum())
