"""Any torch module as a feature network: features by forward hooks, gradients by autograd, memory by tracing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from stylefarm.shared.spec.networks import Layer
from stylefarm.shared.spec.space import PIXELS, InputSpace
from stylefarm.worker.engine.networks.feature_network import AddGrad, Backward, ForwardPass, OnFeatures
from stylefarm.worker.engine.networks.memory_plan import MemoryPlan, Workload, shared_bytes
from stylefarm.worker.engine.space import to_input


class ModuleNetwork:
    """The `FeatureNetwork` of a torch module, whose layers are the outputs of named submodules.

    The module is copied: it is put into evaluation mode, its parameters need no gradients, and its activations do not
    work in place. Nothing after the last layer in use is run. It runs on whole images only.

    Args:
        module: Takes (B, 3, H, W) in the coordinates of `space`; its layers return (B, C, H', W').
        layers: The layers in use; `measure_layers` finds their numbers.
        space: The input that the module was trained with.
        submodules: The path of each layer's submodule in `module`; by default the layer's name.

    Example:
        >>> module = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        >>> network = ModuleNetwork(module, measure_layers(module, ["1", "2"]))
        >>> network.layers["2"].channels, network.layers["2"].stride, network.layers["2"].receptive_field
        (8, 2, 4)
        >>> network.layer_size("2", (65, 64))
        (32, 32)
    """

    def __init__(
        self,
        module: nn.Module,
        layers: Mapping[str, Layer],
        *,
        space: InputSpace = PIXELS,
        submodules: Mapping[str, str] | None = None,
    ) -> None:
        self.module = _inference_copy(module)
        self.layers = layers
        self.space = space
        self.submodules = {name: (submodules or {}).get(name, name) for name in layers}
        parameter = next(self.module.parameters(), None)
        self.dtype = torch.float32 if parameter is None else parameter.dtype
        self._meta = deepcopy(self.module).to("meta")
        self._sizes: dict[tuple[int, int], dict[str, tuple[int, int]]] = {}

    def layer_size(self, layer: str, size: Sequence[int]) -> tuple[int, int]:
        """Return height and width of a layer's features for an image of that height and width."""
        key = (size[0], size[1])
        if key not in self._sizes:
            found = run_to_layers(self._meta, self.submodules, _meta_input(1, key, self.dtype))
            self._sizes[key] = {name: (features.shape[2], features.shape[3]) for name, features in found.items()}
        return self._sizes[key][layer]

    def memory_plans(self, workload: Workload) -> list[MemoryPlan]:
        """Return the one plan: what autograd saves for an image of that size, traced without computing anything."""
        saved, largest, features = self._traced_bytes(workload)
        weights = sum(p.numel() * p.itemsize for p in self.module.parameters())
        targets = sum(features[name] for name in workload.content_layers)
        gradients = sum(features.values())
        # Beside what autograd saves there are the gradients of all losses for their layers, and those for the input and
        # the output of one module.
        return [MemoryPlan("whole", shared_bytes(workload, weights, targets) + saved + gradients + 2 * largest)]

    def forward_pass(self, plan: MemoryPlan | None = None) -> ForwardPass:
        """Return the pass over whole images."""
        return AutogradPass(self)

    def _traced_bytes(self, workload: Workload) -> tuple[int, int, dict[str, int]]:
        """Return the bytes of all tensors that autograd saves, of the largest of them, and of each layer's features."""
        parameters = {p.untyped_storage()._cdata for p in (*self._meta.parameters(), *self._meta.buffers())}
        saved: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage._cdata not in parameters:
                saved[storage._cdata] = storage.nbytes()
            return tensor

        image = _meta_input(workload.batch, workload.size, self.dtype).requires_grad_()
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            found = run_to_layers(self._meta, self.submodules, image)
        features = {name: tensor.numel() * tensor.itemsize for name, tensor in found.items()}
        return sum(saved.values()), max((*saved.values(), *features.values()), default=0), features


class AutogradPass:
    """Runs a `ModuleNetwork` on whole images; the backward pass is autograd's.

    Args:
        network: The network. One pass runs at a time, since its hooks are the module's.
    """

    def __init__(self, network: ModuleNetwork) -> None:
        self.network = network

    @property
    def layers(self) -> Mapping[str, Layer]:
        """The layers in use, by name."""
        return self.network.layers

    def layer_size(self, layer: str, size: Sequence[int]) -> tuple[int, int]:
        """Return height and width of a layer's features for an image of that height and width."""
        return self.network.layer_size(layer, size)

    def forward(self, pixels: Tensor, on_features: OnFeatures) -> None:
        """Compute the features of pixels (B, 3, H, W) in [0, 1], and give them to `on_features`."""
        with torch.no_grad():
            for layer, features in self._features(pixels).items():
                on_features(layer, features, slice(None))

    def forward_with_grad(self, pixels: Tensor, on_features: OnFeatures) -> Backward:
        """Compute the features as `forward` does, and return the backward pass."""
        leaf = pixels.detach().requires_grad_()
        with torch.enable_grad():
            found = self._features(leaf)
        for layer, features in found.items():
            on_features(layer, features.detach(), slice(None))

        def backward(add_grad: AddGrad) -> Tensor:
            grads = {layer: add_grad(layer, found[layer].detach(), slice(None), None) for layer in reversed(found)}
            given = {layer: grad for layer, grad in grads.items() if grad is not None}
            if not given:
                return torch.zeros_like(pixels)
            (grad,) = torch.autograd.grad([found[layer] for layer in given], leaf, list(given.values()))
            return grad

        return backward

    def _features(self, pixels: Tensor) -> dict[str, Tensor]:
        image = to_input(self.network.space, pixels).to(self.network.dtype)
        return run_to_layers(self.network.module, self.network.submodules, image)


class _AllLayersSeen(Exception):
    """Ends a forward pass after the last layer in use."""


def run_to_layers(module: nn.Module, submodules: Mapping[str, str], image: Tensor) -> dict[str, Tensor]:
    """Run a module until all of the named submodules have returned once, and return what they returned.

    Args:
        module: The module.
        submodules: The path of a submodule for each name.
        image: (B, 3, H, W), the module's input.

    Raises:
        AttributeError: The module has no such submodule.
        ValueError: A submodule was not called, or returned something else than (B, C, H', W').

    Example:
        >>> module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Linear(1, 1))
        >>> tuple(run_to_layers(module, {"features": "1"}, torch.zeros(1, 3, 8, 8))["features"].shape)
        (1, 4, 6, 6)
    """
    found: dict[str, Tensor] = {}

    def hook_of(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            if not isinstance(output, Tensor) or output.dim() != 4:
                raise ValueError(f"the layer {name} returns no features of shape (B, C, H, W)")
            found.setdefault(name, output)
            if len(found) == len(submodules):
                raise _AllLayersSeen

        return hook

    hooks = [module.get_submodule(path).register_forward_hook(hook_of(name)) for name, path in submodules.items()]
    try:
        module(image)
    except _AllLayersSeen:
        return found
    finally:
        for hook in hooks:
            hook.remove()
    missing = ", ".join(name for name in submodules if name not in found)
    raise ValueError(f"the module does not run these layers: {missing}")


def measure_layers(
    module: nn.Module, names: Sequence[str], *, submodules: Mapping[str, str] | None = None, side: int = 128
) -> dict[str, Layer]:
    """Measure channels, stride, receptive field and smallest side of layers by running the module.

    The receptive field is found by where a NaN in the input reaches a feature, whatever the module computes.

    Args:
        module: The module; it is copied.
        names: Names of the layers.
        submodules: The path of each layer's submodule in `module`; by default the layer's name.
        side: Side, in pixels, of the square image that is used; a larger receptive field is measured as `side`.

    Returns:
        The layers by name.

    Example:
        >>> pooled = measure_layers(nn.Sequential(nn.MaxPool2d(3, stride=2)), ["0"], side=32)["0"]
        >>> pooled.channels, pooled.stride, pooled.receptive_field, pooled.smallest_side
        (3, 2, 3, 3)
    """
    paths = {name: (submodules or {}).get(name, name) for name in names}
    # In float64 every convolution is direct: others spread a NaN over a whole tile.
    exact, meta = _inference_copy(module).cpu().double(), _inference_copy(module).float().to("meta")
    image = torch.zeros(1, 3, side, side, dtype=torch.float64)
    with torch.no_grad():
        shapes = {name: features.shape for name, features in run_to_layers(exact, paths, image).items()}
        fields = {name: _receptive_field(exact, {name: paths[name]}, shapes[name][3] // 2, side) for name in names}
        smallest = {name: _smallest_side(meta, {name: paths[name]}, side) for name in names}
    return {
        name: Layer(name, shapes[name][1], _stride(meta, {name: paths[name]}, side), fields[name], smallest[name])
        for name in names
    }


def _stride(meta: nn.Module, path: Mapping[str, str], side: int) -> int:
    """Return how many pixels make one feature more; the size itself depends on the padding, too."""
    sizes = []
    for length in (side, 2 * side):
        (features,) = run_to_layers(meta, path, _meta_input(1, (length, length), torch.float32)).values()
        sizes.append(features.shape[3])
    return round(side / max(1, sizes[1] - sizes[0]))


def _receptive_field(module: nn.Module, path: Mapping[str, str], column: int, side: int) -> int:
    """Return the number of columns of the input that a feature in that column depends on."""

    def is_reached(columns: slice) -> bool:
        image = torch.zeros(1, 3, side, side, dtype=torch.float64)
        image[..., columns] = torch.nan
        (features,) = run_to_layers(module, path, image).values()
        return bool(features[..., column].isnan().any())

    # The first column is the last for which NaNs to its left do not reach the feature; the last one likewise.
    first = _bisect(lambda count: not is_reached(slice(0, count)), side)
    after = _bisect(lambda count: not is_reached(slice(side - count, side)), side)
    return side - first - after


def _bisect(holds: Callable[[int], bool], most: int) -> int:
    """Return the largest count up to `most` for which `holds`, which it does for 0 and for all below it."""
    low, high = 0, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _smallest_side(meta: nn.Module, path: Mapping[str, str], side: int) -> int:
    """Return the least side, up to `side`, of a square image that has a feature at the layer."""
    for length in range(1, side):
        try:
            (features,) = run_to_layers(meta, path, _meta_input(1, (length, length), torch.float32)).values()
        except RuntimeError:  # a pooling whose output would be empty
            continue
        if features.numel():
            return length
    return side


def _meta_input(batch: int, size: tuple[int, int], dtype: torch.dtype) -> Tensor:
    return torch.empty(batch, 3, *size, dtype=dtype, device="meta")


def _inference_copy(module: nn.Module) -> nn.Module:
    copied = deepcopy(module).eval().requires_grad_(requires_grad=False)
    for part in copied.modules():
        if isinstance(getattr(part, "inplace", None), bool):
            part.inplace = False  # type: ignore[assignment]
    return copied
