"""What a law may be, and that storing it is the identity."""

from dataclasses import replace

import pytest
import torch

from pacbayes.errors import InputError
from pacbayes.posterior import SpikeAndSlab
from tests.networks import build, mlp
from tests.posterior.laws import posterior_around, random_mask, weights_of


def law() -> SpikeAndSlab:
    weights = weights_of(build(mlp))
    return posterior_around(weights, mask=random_mask(weights, density=0.5))


def changed(what: str, value: float, *, where: bool) -> dict[str, torch.Tensor]:
    """Return one group of the law with an entry changed, kept or removed."""
    given = law()
    tensors = {name: t.clone() for name, t in getattr(given, what).items()}
    position = torch.nonzero(given.kept("0.weight") == where)[0]
    tensors["0.weight"][tuple(position)] = value
    return tensors


def test_storing_and_reading_is_the_identity() -> None:
    given = law()
    again = SpikeAndSlab.from_tensors(given.tensors())
    assert again.digest == given.digest


@pytest.mark.parametrize("what", ["mean", "scale", "inclusion"])
def test_one_ulp_changes_the_digest(what: str) -> None:
    given = law()
    tensors = {name: t.clone() for name, t in given.tensors().items()}
    flat = tensors[f"{what}/2.bias"].view(-1)
    if what == "inclusion":
        tensors[f"{what}/2.bias"] = flat * 0
        tensors["mean/2.bias"] = flat * 0
        tensors["scale/2.bias"] = flat * 0
    else:
        flat[0] = torch.nextafter(flat[0], torch.tensor(9.0))
    assert SpikeAndSlab.from_tensors(tensors).digest != given.digest


@pytest.mark.parametrize(
    ("what", "value", "where"),
    [
        ("scale", 0.0, True),
        ("scale", -0.1, True),
        ("scale", 0.1, False),
        ("mean", 0.1, False),
        ("mean", float("nan"), True),
        ("scale", float("inf"), True),
        ("inclusion", 0.1, True),
        ("inclusion", 1.5, True),
        ("inclusion", -0.5, True),
    ],
)
def test_what_is_no_law_is_refused(what: str, value: float, where: bool) -> None:
    with pytest.raises(InputError):
        replace(law(), **{what: changed(what, value, where=where)})


def test_wrong_names_shapes_and_types_are_refused() -> None:
    given = law()
    with pytest.raises(InputError, match="names"):
        replace(given, scale={"0.weight": given.scale["0.weight"]})
    with pytest.raises(InputError, match="shape"):
        replace(given, scale={k: s.reshape(-1, 1) for k, s in given.scale.items()})
    with pytest.raises(InputError, match="float32"):
        replace(given, mean={k: m.double() for k, m in given.mean.items()})
    with pytest.raises(InputError, match="unknown tensor"):
        SpikeAndSlab.from_tensors({"spread/w": torch.ones(1)})
