"""Classify a fixed set of samples, to prove that all points of a study do the same work."""

from __future__ import annotations

import hashlib
from typing import Any, Dict, List, Optional, Sequence

import torch

from ...attempts.attempt import TaskError
from .passes import Forward
from .tokenise import Batch


@torch.inference_mode()
def classify(forward: Forward, batches: Sequence[Batch], samples: int) -> torch.Tensor:
    """Return the logits of the first `samples` samples, (samples, labels) float32 on the host.

    Raises TaskError when one is not finite: such a point has measured something else.
    """
    logits = torch.cat([forward(batch).float().cpu() for batch in batches])[:samples]
    if not bool(torch.isfinite(logits).all()):
        wrong = int((~torch.isfinite(logits)).any(dim=1).sum())
        raise TaskError(
            "program",
            f"the logits of {wrong} of {samples} samples are not finite",
            "another dtype may help: float16 overflows where bfloat16 does not",
        )
    return logits


def outputs_record(
    logits: torch.Tensor,
    labels: Sequence[Optional[int]],
    *,
    keep: int,
    accuracy_reason: Optional[str],
) -> Dict[str, Any]:
    """Give the fields of the `outputs` record.

    predictions_sha256: of the predicted classes in order, as decimal text with commas between.
    accuracy: share of right ones in 0..1; null with a reason where labels or weights say nothing.
    """
    predictions: List[int] = logits.argmax(dim=1).tolist()
    text = ",".join(str(label) for label in predictions)
    if accuracy_reason is None and any(label is None for label in labels):
        accuracy_reason = "the data set has no labels"
    right = sum(p == label for p, label in zip(predictions, labels))
    return {
        "samples": len(predictions),
        "predictions_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "accuracy": right / len(predictions) if accuracy_reason is None else None,
        "accuracy_reason": accuracy_reason,
        "logits": logits[:keep].tolist(),
    }
