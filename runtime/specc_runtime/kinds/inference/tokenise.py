"""Turn sentences into batches of padded token ids: `prepare_inputs(…)`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import torch
from tokenizers import Tokenizer
from tokenizers.implementations import BertWordPieceTokenizer

from ...attempts.attempt import TaskError


class Batch(NamedTuple):
    """One batch in host memory, ready for the device."""

    input_ids: torch.Tensor
    """(samples, width) int64; padding is the tokenizer's padding token."""
    attention_mask: torch.Tensor
    """(samples, width) int64: 1 for real tokens."""
    tokens: int
    """Real tokens of all samples."""

    @property
    def shape(self) -> Tuple[int, int]:
        samples, width = self.input_ids.shape
        return samples, width

    @property
    def padded_tokens(self) -> int:
        """Tokens that the model works through, padding included."""
        return int(self.input_ids.numel())


@dataclass(frozen=True)
class Encoded:
    """All samples as token ids without padding."""

    ids: List[List[int]]
    pad_id: int
    truncated: int
    """Samples that were cut at max_length."""

    def first(self, samples: int) -> Encoded:
        """Return the first `samples` samples, or all when there are fewer."""
        return Encoded(self.ids[:samples], self.pad_id, self.truncated)

    def facts(self) -> Dict[str, Any]:
        lengths = [len(sample) for sample in self.ids]
        return {
            "tokens_min": min(lengths),
            "tokens_mean": sum(lengths) / len(lengths),
            "tokens_max": max(lengths),
            "truncated": self.truncated,
        }


def encode(texts: Sequence[str], tokenizer: str, *, max_length: int) -> Encoded:
    """Tokenise with special tokens, cut at `max_length`.

    tokenizer: folder with tokenizer.json, or vocab.txt of a WordPiece tokenizer.
    Raises TaskError (model_load) when there is neither.
    """
    rules = open_tokenizer(tokenizer)
    rules.no_padding()
    rules.no_truncation()
    full = [len(found.ids) for found in rules.encode_batch(list(texts))]
    rules.enable_truncation(max_length)
    ids = [found.ids for found in rules.encode_batch(list(texts))]
    pad_id = rules.token_to_id("[PAD]")
    return Encoded(ids, 0 if pad_id is None else pad_id, sum(n > max_length for n in full))


def open_tokenizer(folder: str) -> Any:
    """Open the tokenizer of a checkpoint folder."""
    try:
        if os.path.exists(os.path.join(folder, "tokenizer.json")):
            return Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        lower = True
        settings = os.path.join(folder, "tokenizer_config.json")
        if os.path.exists(settings):
            with open(settings, encoding="utf-8") as file:
                lower = json.load(file).get("do_lower_case", True)
        return BertWordPieceTokenizer(os.path.join(folder, "vocab.txt"), lowercase=lower)
    # tokenizers raises plain Exception for a bad file
    except Exception as error:
        raise TaskError("model_load", f"no tokenizer can be opened in {folder}: {error}") from error


def synthetic(samples: int, tokens: int, *, seed: int, vocabulary: int) -> Encoded:
    """Make seeded random tokens; id 0 is left to padding."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, vocabulary, (samples, tokens), generator=generator)
    return Encoded(ids.tolist(), 0, 0)


def prepare_inputs(
    encoded: Encoded,
    batch_size: int,
    *,
    width: Optional[int] = None,
    multiple_of: int = 1,
    pinned: bool = False,
) -> List[Batch]:
    """Cut the samples into full batches, in order.

    width: of every batch; None: as wide as its longest sample, up to a multiple of `multiple_of`.
    pinned: page-locked memory, for copies to a CUDA device.
    The last batch is filled up from the start, so that all batches have the same size.
    """
    ids = encoded.ids
    batches = []
    for start in range(0, len(ids), batch_size):
        chosen = [ids[i % len(ids)] for i in range(start, start + batch_size)]
        batches.append(_batch(chosen, encoded.pad_id, width, multiple_of, pinned))
    return batches


def _batch(
    samples: List[List[int]], pad_id: int, width: Optional[int], multiple_of: int, pinned: bool
) -> Batch:
    longest = max(len(sample) for sample in samples)
    columns = width or -(-longest // multiple_of) * multiple_of
    input_ids = torch.full((len(samples), columns), pad_id, dtype=torch.int64)
    mask = torch.zeros((len(samples), columns), dtype=torch.int64)
    for row, sample in enumerate(samples):
        input_ids[row, : len(sample)] = torch.tensor(sample)
        mask[row, : len(sample)] = 1
    tokens = sum(len(sample) for sample in samples)
    if pinned:
        return Batch(input_ids.pin_memory(), mask.pin_memory(), tokens)
    return Batch(input_ids, mask, tokens)
