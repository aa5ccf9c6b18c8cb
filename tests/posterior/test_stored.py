"""The divergence of a law in a file: the one in memory, whatever the threads, in little memory."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pacbayes.errors import InputError
from pacbayes.posterior import Prior, SpikeAndSlab, StoredPosterior, divergence
from pacbayes.runtime.files import write_tensors
from tests.peaks import peak
from tests.posterior import large_divergence
from tests.posterior.laws import posterior_around, prior_around, random_mask

WEIGHTS = {
    "long": torch.linspace(-1, 1, 5_000_000).reshape(5000, 1000),  # in two parts
    "wide": torch.linspace(0, 1, 300).reshape(1, 300),
    "bias": torch.ones(7),
    "gain": torch.tensor(0.5),
}


def law(density: float) -> tuple[SpikeAndSlab, Prior]:
    mask = random_mask(WEIGHTS, density=density)
    prior = prior_around({k: w + 0.01 for k, w in WEIGHTS.items()}, mask=mask, price="count")
    return posterior_around(WEIGHTS, mask=mask), prior


def stored(posterior: SpikeAndSlab, folder: Path) -> StoredPosterior:
    write_tensors(folder / "posterior.safetensors", posterior.tensors())
    return StoredPosterior(path=folder / "posterior.safetensors")


@pytest.mark.parametrize("density", [1.0, 0.4])
def test_a_file_costs_what_the_law_in_memory_costs(density: float, tmp_path: Path) -> None:
    posterior, prior = law(density)
    assert divergence(stored(posterior, tmp_path), prior) == divergence(posterior, prior)


def test_parts_add_up_to_the_whole() -> None:
    posterior, prior = law(1.0)
    item = {t.name: t for t in divergence(posterior, prior).tensors}["long"]
    scale = posterior.scale["long"].double()
    ratio = scale / prior.scale["long"]
    nats = (0.5 * (ratio.square() - 1) - ratio.log()).sum()
    shift = posterior.mean["long"].double() - prior.mean["long"].double()
    # The upper values allow for (2 entries + 20) roundings of 2^-53, 1.1e-9 for 5 million.
    assert float(item.scale) == pytest.approx(float(nats), rel=3e-9)
    assert float(item.mean) == pytest.approx(
        float((shift / prior.scale["long"]).square().sum() / 2), rel=3e-9
    )
    assert (item.entries, item.kept) == (5_000_000, 5_000_000)


def test_the_number_of_threads_changes_no_digit() -> None:
    posterior, prior = law(1.0)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(divergence(posterior, prior))
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1] == found[2]


def test_buffers_in_the_file_count(tmp_path: Path) -> None:
    posterior, prior = law(1.0)
    tensors = {**posterior.tensors(), "buffers/running": torch.ones(2)}
    with pytest.raises(InputError, match="buffers"):
        divergence(stored(SpikeAndSlab.from_tensors(tensors), tmp_path), prior)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ({"scale/bias": torch.zeros(7)}, "must be positive"),
        ({"mean/bias": torch.full((7,), torch.nan)}, "is nan"),
        ({"mean/bias": torch.ones(7).double()}, "float32"),
        ({"scale/bias": torch.ones(8)}, "shape"),
    ],
)
def test_a_file_that_holds_no_law_is_refused(
    spoil: dict[str, torch.Tensor], message: str, tmp_path: Path
) -> None:
    posterior, prior = law(1.0)
    path = tmp_path / "posterior.safetensors"
    write_tensors(path, {**posterior.tensors(), **spoil})
    with pytest.raises(InputError, match=message):
        divergence(StoredPosterior(path=path), prior)


def test_a_file_without_scales_or_no_file_is_refused(tmp_path: Path) -> None:
    posterior, prior = law(1.0)
    path = tmp_path / "posterior.safetensors"
    write_tensors(path, {k: t for k, t in posterior.tensors().items() if k != "scale/bias"})
    with pytest.raises(InputError, match=r"posterior\.safetensors"):
        divergence(StoredPosterior(path=path), prior)
    path.write_bytes(b"no file of tensors")
    with pytest.raises(InputError, match=r"posterior\.safetensors"):
        divergence(StoredPosterior(path=path), prior)


@pytest.mark.slow
def test_a_hundred_million_weights_stream_in_two_gigabytes(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """The peak is of the whole process, the prior and torch included."""
    path = tmp_path / "posterior.safetensors"
    assert peak("-m", large_divergence.__name__, "write", str(path)).code == 0
    done = peak("-m", large_divergence.__name__, "read", str(path))
    assert done.code == 0, done.output
    found = json.loads(done.output)
    path.unlink()
    record_property("peak in bytes", done.memory)
    record_property("seconds of the divergence", found["seconds"])
    # Each term is ((0.0125 / 0.125)^2 + (1 / 2)^2 - 1) / 2 + ln 2; 0.0125 is not exact in float32.
    each = (0.01 + 0.25 - 1) / 2 + math.log(2)
    assert float(found["nats"]) == pytest.approx(1e8 * each, rel=1e-6)
    assert done.memory < 2e9
