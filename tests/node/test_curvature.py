"""Curvature and gradient noise against exact Hessians, known spectra and known variances."""

from __future__ import annotations

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, hessian

from specc_runtime.ml.curvature import hessian_products, hutchinson_trace, lambda_max
from specc_runtime.ml.gradient_noise import gradient_variance


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Quadratic(nn.Module):
    """Its output is x'Ax/2 of its weights x: A is the Hessian, whatever the input."""

    def __init__(self, matrix: torch.Tensor) -> None:
        super().__init__()
        self.matrix = matrix
        self.weight = nn.Parameter(torch.linspace(-1, 1, len(matrix)))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        value = self.weight @ self.matrix @ self.weight / 2
        return value.expand(len(inputs))


def of_spectrum(*values: float) -> Quadratic:
    """Return a quadratic with these eigenvalues in a random orthonormal basis."""
    generator = torch.Generator().manual_seed(7)
    size = len(values)
    basis = torch.linalg.qr(torch.randn(size, size, generator=generator).double()).Q
    return Quadratic((basis @ torch.tensor(values).double().diag() @ basis.T).float())


def mean(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return outputs.mean()


def largest(model: nn.Module, *, iterations: int = 500, tolerance: float = 1e-7):
    rows = torch.zeros(4, 1)
    with hessian_products(model, rows, rows, loss=mean) as (parameters, product):
        return lambda_max(product, parameters, iterations=iterations, tolerance=tolerance, seed=0)


@pytest.fixture(scope="module")
def small():
    """A net of 59 weights, 40 samples, and its exact Hessian."""
    generator = torch.Generator().manual_seed(3)
    net = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4))
    with torch.no_grad():
        for value in net.parameters():
            value.copy_(torch.randn(value.shape, generator=generator) * 0.5)
    x = torch.randn(40, 6, generator=generator)
    y = torch.randint(0, 4, (40,), generator=generator)
    shapes = {name: value.shape for name, value in net.named_parameters()}

    def loss(flat: torch.Tensor) -> torch.Tensor:
        parts = torch.split(flat, [shape.numel() for shape in shapes.values()])
        values = {n: part.view(shapes[n]) for n, part in zip(shapes, parts, strict=True)}
        return F.cross_entropy(functional_call(net, values, (x,)), y)

    flat = torch.cat([value.detach().flatten() for value in net.parameters()])
    with warnings.catch_warnings():
        # forward-mode differentiation loads a part of torch that torch itself calls deprecated
        warnings.filterwarnings("ignore", "`torch.jit.script", DeprecationWarning)
        return net, x, y, hessian(loss)(flat)


@pytest.mark.parametrize("chunk", [None, 16, 1])
def test_lambda_max_is_that_of_the_exact_hessian(small, chunk):
    net, x, y, exact = small
    values = torch.linalg.eigvalsh(exact)
    with hessian_products(net, x, y, loss=F.cross_entropy, chunk=chunk) as (weights, product):
        found = lambda_max(product, weights, iterations=300, tolerance=1e-6, seed=0)
    assert found.value == pytest.approx(float(values[values.abs().argmax()]), rel=1e-3)
    assert found.residual < 0.01
    assert found.reason is None


def test_a_product_is_the_exact_hessian_times_the_vector(small):
    net, x, y, exact = small
    with hessian_products(net, x, y, loss=F.cross_entropy) as (weights, product):
        ones = [torch.ones_like(value) for value in weights]
        flat = torch.cat([part.flatten() for part in product(ones)])
    assert (flat - exact.sum(1)).abs().max() < 1e-5


def test_hutchinson_is_within_three_errors_of_the_exact_trace(small):
    net, x, y, exact = small
    with hessian_products(net, x, y, loss=F.cross_entropy) as (weights, product):
        found = hutchinson_trace(product, weights, probes=400, seed=1)
    assert abs(found.value - float(exact.trace())) < 3 * found.error
    # the variance of one probe is twice the squares beside the diagonal
    beside = (exact - exact.diag().diag()).square().sum()
    assert found.error == pytest.approx(float((2 * beside / 400) ** 0.5), rel=0.15)
    assert found.probes == 400


def test_the_largest_magnitude_keeps_its_negative_sign():
    found = largest(of_spectrum(-4.0, 3.0, 1.0, 0.5, 0.0))
    assert found.value == pytest.approx(-4.0, rel=1e-4)


@pytest.mark.parametrize("pair", [(10.0, -10.0), (10.0, -9.9)])
def test_eigenvalues_of_equal_size_and_opposite_sign_do_not_hide_each_other(pair):
    found = largest(of_spectrum(*pair, *[0.1] * 20), iterations=20, tolerance=1e-3)
    # v.Hv of one vector stands still near 0 here, or takes more than twenty products
    assert abs(found.value) == pytest.approx(10.0, rel=0.02)
    assert found.residual < 0.05


def test_the_residual_bounds_the_distance_to_an_eigenvalue():
    spectrum = (5.0, 4.8, 1.0, -2.0, 0.1, 0.0)
    found = largest(of_spectrum(*spectrum), iterations=6, tolerance=1e-9)
    assert found.iterations == 6
    assert found.residual > 1e-3
    nearest = min(abs(found.value - value) for value in spectrum)
    assert nearest <= found.residual * abs(found.value) * 1.001


def test_the_iteration_ends_when_the_value_stays():
    loose = largest(of_spectrum(5.0, 2.0, 1.0, 0.5), tolerance=1e-2)
    tight = largest(of_spectrum(5.0, 2.0, 1.0, 0.5), tolerance=1e-6)
    assert loose.iterations < tight.iterations < 30
    assert (loose.tolerance, tight.tolerance) == (1e-2, 1e-6)


def test_a_diagonal_hessian_has_its_trace_in_one_probe():
    rows = torch.zeros(2, 1)
    model = Quadratic(torch.tensor([1.0, -2.0, 4.0]).diag())
    with hessian_products(model, rows, rows, loss=mean) as (weights, product):
        found = hutchinson_trace(product, weights, probes=3, seed=0)
        single = hutchinson_trace(product, weights, probes=1, seed=0)
    assert (found.value, found.error) == (3.0, 0.0)
    assert (single.value, single.error) == (3.0, None)


def test_a_flat_loss_has_curvature_zero():
    found = largest(Quadratic(torch.zeros(4, 4)))
    assert (found.value, found.residual, found.iterations) == (0.0, 0.0, 1)


def test_a_loss_linear_in_the_weights_has_curvature_zero():
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    with hessian_products(nn.Linear(3, 1), x, x, loss=mean) as (weights, product):
        assert hutchinson_trace(product, weights, probes=2, seed=0).value == 0.0


@pytest.mark.parametrize("chunk", [None, 3])
def test_a_weight_that_is_not_finite_gives_a_reason(chunk):
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    with torch.no_grad():
        net[0].weight[0, 0] = float("nan")
    x, y = torch.ones(6, 3), torch.zeros(6, dtype=torch.long)
    with hessian_products(net, x, y, loss=F.cross_entropy, chunk=chunk) as (weights, product):
        eigenvalue = lambda_max(product, weights, iterations=9, tolerance=1e-3, seed=0)
        trace = hutchinson_trace(product, weights, probes=9, seed=0)
    assert (eigenvalue.value, eigenvalue.residual) == (None, None)
    assert eigenvalue.reason == "the Hessian times a vector is not finite (product 1)"
    assert (trace.value, trace.error) == (None, None)
    assert trace.reason == "the Hessian times a vector is not finite (probe 1)"
    variance = gradient_variance(net, x, y, loss=F.cross_entropy, batches=2)
    assert (variance.value, variance.reason) == (None, "a gradient is not finite")


def test_the_model_is_left_as_it_was_found():
    torch.manual_seed(5)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Dropout(),
        nn.Flatten(),
        nn.Linear(144, 3),
    )
    net.train()
    net[1].eval()  # a frozen batch norm stays frozen
    x, y = torch.randn(12, 1, 8, 8), torch.randint(0, 3, (12,))
    F.cross_entropy(net(x), y).backward()
    gradients = [value.grad.clone() for value in net.parameters()]
    state = {name: value.clone() for name, value in net.state_dict().items()}
    random = torch.get_rng_state()
    with hessian_products(net, x, y, loss=F.cross_entropy, chunk=5) as (weights, product):
        assert not net.training
        lambda_max(product, weights, iterations=3, tolerance=1e-3, seed=0)
        hutchinson_trace(product, weights, probes=2, seed=0)
    gradient_variance(net, x, y, loss=F.cross_entropy, batches=3)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert [m.training for m in net] == [True, False, True, True, True, True]
    after = [value.grad for value in net.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(after, gradients, strict=True))
    assert all(value.grad_fn is None for value in net.parameters())


def test_the_model_comes_back_to_training_when_a_product_fails():
    net = nn.Sequential(nn.Linear(3, 2)).train()
    x, y = torch.ones(4, 3), torch.zeros(4, dtype=torch.long)
    with (
        pytest.raises(RuntimeError, match="shape"),
        hessian_products(net, x, y, loss=F.cross_entropy) as (_, product),
    ):
        product([torch.ones(1), torch.ones(1)])
    assert all(module.training for module in net.modules())


def test_a_frozen_weight_is_no_direction():
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    net[0].requires_grad_(False)
    x, y = torch.ones(4, 3), torch.zeros(4, dtype=torch.long)
    with hessian_products(net, x, y, loss=F.cross_entropy) as (weights, _):
        assert [tuple(value.shape) for value in weights] == [(2, 4), (2,)]


def test_float32_is_used_under_autocast_and_for_half_weights(small):
    net, x, y, _ = small
    half = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4))
    half.load_state_dict(net.state_dict())
    half.bfloat16()
    with (
        torch.autocast("cpu", torch.bfloat16),
        hessian_products(half, x, y, loss=F.cross_entropy) as (weights, product),
    ):
        found = hutchinson_trace(product, weights, probes=5, seed=1)
        assert {value.dtype for value in weights} == {torch.float32}
    with hessian_products(net, x, y, loss=F.cross_entropy) as (weights, product):
        full = hutchinson_trace(product, weights, probes=5, seed=1)
    # the weights themselves are rounded to 8 bits, the arithmetic is not
    assert found.value == pytest.approx(full.value, rel=0.02)


def test_gradient_variance_of_a_linear_model_is_the_known_one():
    # at w = 0 a sample's gradient of (w.x - y)**2 / 2 is -y*x: with x and y independent and of
    # variances 1 and 0.25, each of 50 coordinates varies by 0.25, a batch of 10 by a tenth of it
    generator = torch.Generator().manual_seed(11)
    model = nn.Linear(50, 1, bias=False)
    nn.init.zeros_(model.weight)
    x = torch.randn(4000, 50, generator=generator)
    y = 0.5 * torch.randn(4000, 1, generator=generator)
    found = gradient_variance(
        model, x, y, loss=lambda out, target: F.mse_loss(out, target) / 2, batches=400
    )
    assert (found.batches, found.batch_size) == (400, 10)
    assert found.value == pytest.approx(50 * 0.25 / 10, rel=0.05)


def test_gradient_variance_is_the_sample_variance_of_the_gradients(small):
    net, x, y, _ = small
    rows = []
    for part in range(5):
        here = slice(part * 8, part * 8 + 8)
        value = F.cross_entropy(net(x[here]), y[here])
        grads = torch.autograd.grad(value, list(net.parameters()))
        rows.append(torch.cat([g.flatten() for g in grads]))
    expected = torch.stack(rows).double().var(dim=0, unbiased=True).sum()
    found = gradient_variance(net, x, y, loss=F.cross_entropy, batches=5)
    assert found.value == pytest.approx(float(expected), rel=1e-4)


def test_too_few_samples_for_a_gradient_variance_give_a_reason():
    x, y = torch.ones(3, 2), torch.zeros(3, dtype=torch.long)
    found = gradient_variance(nn.Linear(2, 2), x, y, loss=F.cross_entropy, batches=4)
    assert found.value is None
    assert found.reason == "a variance needs 2 batches of 1 sample, not 4 of 3 samples"
