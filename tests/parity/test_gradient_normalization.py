"""jcjohnson's normalized gradients: of each layer's features, before the layer's weight."""

from __future__ import annotations

import torch
from torch import Tensor

from stylefarm.worker.engine.methods.objective import Objective
from tests.parity.engines import engine_of, pictures, random_network, relative_error, spec_of
from tests.parity.programs import NEURAL_STYLE, PROGRAMS
from tests.parity.references import RELU_1_TO_5, maximum, products, vgg19

LAYERS = ("relu4_2", *RELU_1_TO_5)


def layer_losses(x: Tensor, content: Tensor, style: Tensor) -> list[tuple[Tensor, Tensor, float]]:
    """Features, loss and strength of the content layer and the five style layers of neural-style."""
    network = random_network(biased=True)
    f, p, a = (vgg19(image, network, maximum) for image in (x, NEURAL_STYLE[0](content), NEURAL_STYLE[0](style)))
    found = [(f["relu4_2"], (f["relu4_2"] - p["relu4_2"]).square().mean(), 5.0)]
    for layer in RELU_1_TO_5:
        gram, target = (products(seen[layer]) / seen[layer].numel() for seen in (f, a))
        found.append((f[layer], (gram - target).square().mean(), 100.0))
    return found


def normalised_gradient(x: Tensor, content: Tensor, style: Tensor) -> Tensor:
    """-normalize_gradients: gradInput:div(torch.norm(gradInput, 1) + 1e-8), then mul(strength).

    That of total variation is not normalized.
    """
    leaf = x.clone().requires_grad_()
    gradient = 1e-3 * total_variation_grad(x)
    for features, loss, strength in layer_losses(leaf, content, style):
        (grad,) = torch.autograd.grad(loss, features, retain_graph=True)
        grad = strength * grad / (grad.abs().sum() + 1e-8)
        gradient = gradient + torch.autograd.grad(features, leaf, grad, retain_graph=True)[0]
    return gradient


def divided_loss_gradient(x: Tensor, content: Tensor, style: Tensor) -> Tensor:
    """What neural-style-pt does instead, and what is wrong: each layer's loss divided by its features' gradient."""
    leaf = x.clone().requires_grad_()
    gradient = 1e-3 * total_variation_grad(x)
    for _, loss, strength in layer_losses(leaf, content, style):
        gradient = gradient + torch.autograd.grad(strength * loss / loss.detach(), leaf, retain_graph=True)[0]
    return gradient


def total_variation_grad(x: Tensor) -> Tensor:
    """Each value less its neighbors, as many as it has."""
    gradient = torch.zeros_like(x)
    down, across = x[:, 1:] - x[:, :-1], x[:, :, 1:] - x[:, :, :-1]
    gradient[:, 1:] += down
    gradient[:, :-1] -= down
    gradient[:, :, 1:] += across
    gradient[:, :, :-1] -= across
    return gradient


def prepared(**changes: object) -> tuple[Objective, Tensor, Tensor, Tensor]:
    image, content, style = pictures("neural-style")
    x = PROGRAMS["neural-style"].coordinates(image)
    spec = spec_of("neural-style", normalize_gradients=True, **changes)
    return engine_of(spec, content, style, random_network(biased=True), x), x, content, style


def test_each_layer_s_feature_gradient_is_normalised_before_its_weight() -> None:
    """Given neural-style with normalized gradients, I expect jcjohnson's gradient: strength times one of L1 norm 1."""
    objective, x, content, style = prepared()
    gradient = objective.gradient(x[None])[1][0]
    assert relative_error(gradient, normalised_gradient(x, content, style)) < 1e-5


def test_it_is_not_the_loss_that_is_divided() -> None:
    """Given the same, I expect a gradient that is far from the one of divided losses."""
    objective, x, content, style = prepared()
    gradient = objective.gradient(x[None])[1][0]
    assert relative_error(gradient, divided_loss_gradient(x, content, style)) > 0.1


def test_a_single_layer_s_gradient_has_its_weight_as_l1_norm() -> None:
    """Given content alone, I expect jcjohnson's gradient of that layer."""
    objective, x, content, style = prepared(style_weight=0.0, tv_weight=0.0)
    leaf = x.clone().requires_grad_()
    features, loss, strength = layer_losses(leaf, content, style)[0]
    (grad,) = torch.autograd.grad(loss, features, retain_graph=True)
    expected = torch.autograd.grad(features, leaf, strength * grad / (grad.abs().sum() + 1e-8))[0]
    assert relative_error(objective.gradient(x[None])[1][0], expected) < 1e-5
