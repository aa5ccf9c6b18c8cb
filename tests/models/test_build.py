"""Networks fit the data, come from the seed alone, and disturb nobody's randomness."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pacbayes.errors import InputError, PacBayesError, UsageError
from pacbayes.models import buffers, build_model, weights

MNIST = (1, 28, 28)


def build(spec: str, *, shape: tuple[int, ...] = MNIST, classes: int = 10, seed: int = 1,
          **args: str) -> nn.Module:  # fmt: skip
    return build_model(spec, in_shape=shape, classes=classes, args=args, seed=seed)


def shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in weights(model).items()}


def test_lenet300_on_mnist() -> None:
    assert shapes(build("lenet300")) == {
        "fc1.weight": (300, 784), "fc1.bias": (300,),
        "fc2.weight": (100, 300), "fc2.bias": (100,),
        "fc3.weight": (10, 100), "fc3.bias": (10,),
    }  # fmt: skip
    # 784 * 300 + 300 + 300 * 100 + 100 + 100 * 10 + 10, as in the lottery-ticket papers
    assert sum(t.numel() for t in weights(build("lenet300")).values()) == 266_610


def test_lenet5_has_the_original_sizes_for_28_and_32_pixels() -> None:
    for side in (28, 32):
        assert shapes(build("lenet5", shape=(1, side, side))) == {
            "conv1.weight": (6, 1, 5, 5), "conv1.bias": (6,),
            "conv2.weight": (16, 6, 5, 5), "conv2.bias": (16,),
            "fc1.weight": (120, 400), "fc1.bias": (120,),
            "fc2.weight": (84, 120), "fc2.bias": (84,),
            "fc3.weight": (10, 84), "fc3.bias": (10,),
        }  # fmt: skip
    assert sum(t.numel() for t in weights(build("lenet5")).values()) == 61_706


@given(st.integers(1, 4), st.integers(12, 70), st.integers(12, 70), st.integers(2, 12))
def test_lenet5_takes_every_image_of_12_pixels_or_more(
    channels: int, height: int, width: int, classes: int
) -> None:
    model = build("lenet5", shape=(channels, height, width), classes=classes)
    assert model(torch.zeros(3, channels, height, width)).shape == (3, classes)


@pytest.mark.parametrize("shape", [(1, 11, 28), (1, 28, 11), (1, 8, 8), (784,), (28, 28)])
def test_lenet5_refuses_other_inputs_in_one_line(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="lenet5 takes images") as caught:
        build("lenet5", shape=shape)
    assert "\n" not in str(caught.value)


def test_mlp_is_what_it_says() -> None:
    model = build("mlp:6-5-4-3", shape=(1, 2, 3), classes=3)
    w = weights(model)
    x = torch.randn(7, 1, 2, 3, generator=torch.Generator().manual_seed(0))
    hidden = torch.relu(x.reshape(7, 6) @ w["fc1.weight"].T + w["fc1.bias"])
    hidden = torch.relu(hidden @ w["fc2.weight"].T + w["fc2.bias"])
    expected = hidden @ w["fc3.weight"].T + w["fc3.bias"]
    # a handful of float32 operations on numbers below 10
    assert torch.allclose(model(x), expected, rtol=1e-5, atol=1e-6)
    assert shapes(build("mlp:4-2", shape=(4,), classes=2)) == {
        "fc1.weight": (2, 4), "fc1.bias": (2,),
    }  # fmt: skip


@pytest.mark.parametrize("spec", ["lenet300", "lenet5", "mlp:784-20-10"])
def test_state_and_initial_weights(spec: str) -> None:
    model = build(spec)
    assert not model.training
    for tensor in model.parameters():
        assert tensor.dtype == torch.float32
        assert tensor.requires_grad
        if tensor.ndim == 1:
            assert not bool(tensor.any())
            continue
        deviation = (2 / tensor[0].numel()) ** 0.5  # Kaiming normal
        # Five standard errors of a deviation estimated from k normal numbers are 5 / sqrt(2 k).
        error = 5 / (2 * tensor.numel()) ** 0.5
        assert abs(float(tensor.detach().std()) / deviation - 1) < error
        assert abs(float(tensor.detach().mean())) < 5 * deviation / tensor.numel() ** 0.5


@pytest.mark.parametrize("spec", ["lenet300", "lenet5"])
def test_weights_depend_on_the_seed_alone(spec: str) -> None:
    one = weights(build(spec))
    torch.rand(3)
    again, other = weights(build(spec)), weights(build(spec, seed=2))
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not any(torch.equal(one[k], other[k]) for k in one if k.endswith("weight"))


def test_copies_are_copies() -> None:
    model = build("mlp:4-2", shape=(4,), classes=2)
    copy = weights(model)
    copy["fc1.weight"].fill_(7)
    assert not copy["fc1.weight"].requires_grad
    assert not bool((model.get_parameter("fc1.weight") == 7).any())


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("mlp:783-10", "takes 783 inputs .* the data have 784 and 10"),
        ("mlp:784-300-11", "gives 11 classes"),
        ("mlp:784", "expected mlp:"),
        ("mlp:", "expected mlp:"),
        ("mlp", "expected mlp:"),
        ("mlp:784-0-10", "positive sizes"),
        ("mlp:784--10", "positive sizes"),
        ("mlp:784-x-10", "positive sizes"),
        ("mlp:784-²-10", "positive sizes"),
        ("lenet301", "names no network; accepted: lenet300"),
        ("", "names no network"),
        ("a:b:c", "names no network"),
        (":b", "names no network"),
        ("a:", "names no network"),
    ],
)
def test_texts_that_name_no_fitting_network(spec: str, text: str) -> None:
    with pytest.raises(UsageError, match=text) as caught:
        build(spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spec", ["lenet300", "lenet5", "mlp:784-10"])
def test_builtin_networks_take_no_arguments(spec: str) -> None:
    with pytest.raises(UsageError, match="takes no arguments"):
        build(spec, width="3")


@pytest.mark.parametrize("seed", [-1, True, 1.5])
def test_other_seeds_are_refused(seed: int) -> None:
    with pytest.raises(UsageError):
        build("lenet300", seed=seed)


SOURCE = """
import random
import numpy as np
import torch
from torch import nn

GOT = []

def make(**args):
    GOT.append(args)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

def normed(dtype="float64"):
    layers = nn.Flatten(), nn.LazyLinear(8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 10)
    return nn.Sequential(*layers).to(getattr(torch, dtype))

def scattered():
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    with torch.no_grad():
        model[1].weight += torch.from_numpy(np.random.randn(10, 784)).float()
        model[1].bias += random.random()
    return model

class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(784, 784)
        self.b = nn.Linear(784, 784)
        self.b.weight = self.a.weight
        self.c = nn.Linear(784, 10)
    def forward(self, x):
        return self.c(self.b(self.a(x.flatten(1))))

def tied(): return Tied()
def no_module(): return lambda x: x
def no_class(): return nn.Linear
def three(): return nn.Sequential(nn.Flatten(), nn.Linear(784, 3))
def wrong_input(): return nn.Linear(5, 10)
def without(): return nn.Sequential(nn.Flatten(), nn.AdaptiveAvgPool1d(10))
class Pair(nn.Linear):
    def forward(self, x): return super().forward(x.flatten(1)), x
def pair(): return Pair(784, 10)
def needs(width): return nn.Linear(width, 10)
"""


@pytest.fixture
def _zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zoo_models.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_zoo")
def test_arguments_are_converted() -> None:
    texts = {"a": "3", "b": "-3", "c": "0.5", "d": "1e-3", "e": "true", "f": "False", "g": "relu",
             "h": ""}  # fmt: skip
    build("zoo_models:make", **texts)
    import sys

    values = sys.modules["zoo_models"].GOT[-1]
    expected = {"a": 3, "b": -3, "c": 0.5, "d": 1e-3, "e": True, "f": False, "g": "relu", "h": ""}
    assert values == expected
    assert [type(v) for v in values.values()] == [type(v) for v in expected.values()]


@pytest.mark.usefixtures("_zoo")
@pytest.mark.parametrize("name", ["normed", "scattered", "tied", "make"])
def test_the_users_networks_come_from_the_seed_too(name: str) -> None:
    before = torch.get_rng_state(), str(np.random.get_state()), random.getstate()  # noqa: NPY002
    one, again, other = (weights(build(f"zoo_models:{name}", seed=s)) for s in (1, 1, 2))
    assert all(torch.equal(one[key], again[key]) for key in one)
    assert not all(torch.equal(one[key], other[key]) for key in one)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (str(np.random.get_state()), random.getstate())  # noqa: NPY002


@pytest.mark.usefixtures("_zoo")
def test_float32_eval_mode_lazy_layers_and_buffers() -> None:
    model = build("zoo_models:normed")
    assert not any(module.training for module in model.modules())
    assert {t.dtype for t in weights(model).values()} == {torch.float32}
    assert shapes(model)["1.weight"] == (8, 784)
    found = buffers(model)
    assert set(found) == {"2.running_mean", "2.running_var", "2.num_batches_tracked"}
    # looking at zeros leaves no trace in running statistics
    assert found["2.running_mean"].tolist() == [0.0] * 8
    assert found["2.running_var"].tolist() == [1.0] * 8
    assert int(found["2.num_batches_tracked"]) == 0


@pytest.mark.usefixtures("_zoo")
def test_tied_weights_appear_once() -> None:
    assert set(weights(build("zoo_models:tied"))) == {
        "a.weight", "a.bias", "b.bias", "c.weight", "c.bias",
    }  # fmt: skip


@pytest.mark.usefixtures("_zoo")
@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("no_module", InputError, "must return a torch.nn.Module, got function"),
        ("no_class", InputError, "must return a torch.nn.Module, got type"),
        ("three", UsageError, r"gives \(2, 3\) for 2 inputs, the data ask for \(2, 10\)"),
        ("pair", UsageError, "gives tuple"),
        ("wrong_input", UsageError, "does not take inputs of shape"),
        ("without", UsageError, "has no parameters"),
        ("needs", InputError, "raised TypeError: .*width"),
        ("absent", InputError, "no function absent"),
    ],
)
def test_what_is_no_fitting_network_is_refused_in_one_line(
    name: str, error: type[PacBayesError], text: str
) -> None:
    with pytest.raises(error, match=text) as caught:
        build(f"zoo_models:{name}")
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("_zoo")
def test_randomness_is_restored_after_an_error() -> None:
    before = torch.get_rng_state(), str(np.random.get_state()), random.getstate()  # noqa: NPY002
    with pytest.raises(UsageError):
        build("zoo_models:three")
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (str(np.random.get_state()), random.getstate())  # noqa: NPY002
