"""Our networks have the sizes and names that the papers and their code give them."""

import pytest
import torch
from torch import nn

from pacbayes.errors import UsageError
from pacbayes.models import buffers, build_model, weights
from pacbayes.tickets import Mask

CIFAR = (3, 32, 32)


def build(spec: str, *, shape: tuple[int, ...] = CIFAR, seed: int = 1, **args: str) -> nn.Module:
    return build_model(spec, in_shape=shape, classes=10, args=args, seed=seed)


def sizes(model: nn.Module) -> tuple[int, int]:
    """Return the numbers of parameters, and of weights in convolutions."""
    found = weights(model)
    convolutions = [
        f"{name}.weight" for name, part in model.named_modules() if isinstance(part, nn.Conv2d)
    ]
    return sum(t.numel() for t in found.values()), sum(found[k].numel() for k in convolutions)


@pytest.mark.parametrize(
    ("name", "printed", "of_convolutions"),
    # Frankle and Carbin (2019), figure 2, prints 4.3 M / 38 K, 2.4 M / 260 K and 1.7 M / 1.1 M.
    # The layer sizes beside them give 2.26 M for Conv-6 (Zhou et al. 2019: 2,261,184 weights).
    [("conv2", 4.3e6, 38e3), ("conv4", 2.4e6, 260e3), ("conv6", 2.26e6, 1.1e6)],
)
def test_conv_nets_have_the_published_sizes(
    name: str, printed: float, of_convolutions: float
) -> None:
    total, convolutions = sizes(build(name))
    # figures printed with two or three digits, rounded or cut
    assert abs(total / printed - 1) < 0.02
    assert abs(convolutions / of_convolutions - 1) < 0.05


def test_conv_nets_to_the_last_weight() -> None:
    totals = [sizes(build(name))[0] for name in ("conv2", "conv4", "conv6")]
    # by hand: 1792 + 36928, + 73856 + 147584, + 295168 + 590080 and the three linear layers
    assert totals == [4_301_642, 2_425_930, 2_262_602]
    bias = sum(t.numel() for n, t in weights(build("conv6")).items() if n.endswith("bias"))
    assert totals[2] - bias == 2_261_184
    # on MNIST, papers.md: 3,316,800 prunable weights in 5 tensors
    mask = Mask.full(weights(build("conv2", shape=(1, 28, 28))))
    assert (mask.prunable, len(mask)) == (3_316_800, 5)


def test_resnet20_is_the_one_of_the_published_code() -> None:
    model = build("resnet20")
    assert sizes(model)[0] == 272_474
    mask = Mask.full(weights(model))
    assert (mask.prunable, len(mask)) == (270_896, 22)
    # The first published code has 128 keys in its state dicts, 6 tensors in each of 2 shortcuts.
    names = set(model.state_dict())
    assert len(names) == 128
    assert {
        "conv1.weight",
        "bn1.running_mean",
        "layer1.0.conv1.weight",
        "layer3.2.bn2.weight",
    } <= names
    assert {"layer2.0.shortcut.0.weight", "layer3.0.shortcut.1.running_var", "fc.bias"} <= names
    assert sum("shortcut" in name for name in weights(model)) == 6
    shortcuts = [t.numel() for name, t in weights(model).items() if "shortcut" in name]
    assert sum(shortcuts) == 2_752


def test_vgg16_has_the_published_number_of_weights() -> None:
    total, convolutions = sizes(build("vgg16"))
    assert convolutions == 14_710_464
    # 13 pairs of gains and shifts for 4,224 channels, and 512 to 10
    assert total == 14_710_464 + 2 * 4_224 + 5_130


@pytest.mark.parametrize("name", ["resnet20", "vgg16"])
def test_group_norm_has_the_same_parameters_and_no_statistics(name: str) -> None:
    batch, group = build(name), build(name, norm="group")
    shapes = {k: v.shape for k, v in weights(batch).items()}
    assert {k: v.shape for k, v in weights(group).items()} == shapes
    assert all(torch.equal(t, weights(group)[k]) for k, t in weights(batch).items())
    assert buffers(batch)
    assert not buffers(group)


def test_a_group_norm_network_treats_its_examples_alone() -> None:
    model = build("resnet20", norm="group", groups="4")
    kinds = {type(part) for part in model.modules() if isinstance(part, nn.GroupNorm)}
    assert kinds == {nn.GroupNorm}
    assert {p.num_groups for p in model.modules() if isinstance(p, nn.GroupNorm)} == {4}
    x = torch.randn(3, *CIFAR, generator=torch.Generator().manual_seed(0))
    # float32 sums of at most a few thousand terms in another order
    assert torch.allclose(model(x)[:1], model(x[:1]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["conv2", "conv6", "resnet20", "vgg16"])
def test_weights_come_from_the_seed(name: str) -> None:
    one, again, other = (weights(build(name, seed=s)) for s in (1, 1, 2))
    assert all(torch.equal(one[k], again[k]) for k in one)
    drawn = [k for k, t in one.items() if t.ndim > 1]
    assert not any(torch.equal(one[k], other[k]) for k in drawn)


@pytest.mark.parametrize("name", ["resnet20", "conv4"])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 40, 24), (2, 4, 4)])
def test_other_images(name: str, shape: tuple[int, ...]) -> None:
    assert build(name, shape=shape)(torch.zeros(2, *shape)).shape == (2, 10)


@pytest.mark.parametrize(
    ("name", "shape", "args", "text"),
    [
        ("conv6", (3, 7, 32), {}, "conv6 takes images of at least 8 by 8 pixels"),
        ("vgg16", (3, 28, 28), {}, "vgg16 takes images of at least 32 by 32"),
        ("resnet20", (784,), {}, "resnet20 takes images"),
        ("conv2", CIFAR, {"norm": "group"}, "conv2 takes no arguments"),
        ("resnet20", CIFAR, {"norm": "layer"}, "norm must be batch or group, got 'layer'"),
        ("resnet20", CIFAR, {"width": "3"}, "takes --model-args norm, groups, got 'width'"),
        ("resnet20", CIFAR, {"norm": "group", "groups": "0"}, "groups must be a positive"),
        ("vgg16", CIFAR, {"norm": "group", "groups": "5"}, "5 groups do not divide 64"),
    ],
)
def test_what_a_network_does_not_take(
    name: str, shape: tuple[int, ...], args: dict[str, str], text: str
) -> None:
    with pytest.raises(UsageError, match=text) as caught:
        build(name, shape=shape, **args)
    assert "\n" not in str(caught.value)


# --- torchvision


def test_a_network_of_torchvision() -> None:
    model = build("torchvision:resnet18", shape=(3, 64, 64))
    again = build("torchvision:resnet18", shape=(3, 64, 64))
    # He et al. (2016): 11,689,512 parameters with 1000 classes, of which 990 * 513 are not here
    assert sizes(model)[0] == 11_689_512 - 990 * 513
    assert all(torch.equal(t, weights(again)[k]) for k, t in weights(model).items())


@pytest.mark.parametrize(
    ("name", "args", "text"),
    [
        ("resnet19", {}, "is none of torchvision.models.list_models"),
        ("", {}, "names no network"),
        ("resnet18", {"weights": "DEFAULT"}, "pre-trained weights have seen data"),
        ("resnet18", {"depth": "3"}, "does not take these arguments"),
    ],
)
def test_what_torchvision_does_not_have(name: str, args: dict[str, str], text: str) -> None:
    with pytest.raises(UsageError, match=text) as caught:
        build(f"torchvision:{name}", **args)
    assert "\n" not in str(caught.value)
