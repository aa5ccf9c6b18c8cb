"""Networks of many tensors and of many weights: certified, and in little memory."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pacbayes.certificate import verify
from pacbayes.models import build_model
from pacbayes.pipeline import certify
from tests.peaks import GIB, Peak, peak
from tests.pipeline.requests import small_certify

CLASSES, EXAMPLES, STEPS = 1000, 40, 10


def test_a_grid_for_each_of_many_tensors_weighs_less_than_a_float_can_hold(tmp_path: Path) -> None:
    sizes = "-".join(["64", *["2"] * 79, "10"])
    network = build_model(f"mlp:{sizes}", in_shape=(1, 8, 8), classes=10, seed=1)
    torch.save(network.state_dict(), tmp_path / "deep.pt")
    request = small_certify(
        tmp_path / "deep.pt",
        tmp_path / "out",
        model=f"mlp:{sizes}",
        init=tmp_path / "deep.pt",
        trained_on="none",
        prior="init",
        epochs=0,
        draws=1,
    )
    (found,) = certify(request)
    # 320^-160 is 1e-401; the smallest double is 5e-324.
    assert [choice["weight"] for choice in found.certificate.document["union"]] == ["1/320"] * 160
    assert verify(found.path).accepted


def certified_resnet50(folder: Path) -> Peak:
    """Return what it costs to fit ResNet-50 in 10 steps and to certify it."""
    shape = (3, 32, 32)
    network = build_model("torchvision:resnet50", in_shape=shape, classes=CLASSES, seed=1)
    init, out = folder / "init.safetensors", folder / "out"
    save_file(network.state_dict(), init)
    pixels = np.random.default_rng(0).integers(0, 256, (EXAMPLES, *shape), dtype=np.uint8)
    labels = np.linspace(0, CLASSES - 1, EXAMPLES).astype(int)
    np.savez(folder / "images.npz", x=pixels, y=labels)
    options = f"""--model torchvision:resnet50 --data npz:{folder / "images.npz"} --init {init}
        --trained-on none --prior init --epochs 1 --batch-size {EXAMPLES // STEPS} --draws 1
        --memory 8G --out {out} --quiet""".split()
    done = peak("-m", "pacbayes", "certify", str(init), *options)
    assert done.code == 0, done.output
    found = verify(out / "certificate.json")
    assert found.accepted
    tensors = found.certificate.document["posterior"]["tensors"]
    assert sum(tensor["n_weights"] for tensor in tensors) == 25_557_032
    return done


@pytest.mark.slow
def test_a_network_of_25_million_weights_is_fitted_and_certified_in_8_gib(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """4.6 GiB and one to two minutes on two cores."""
    done = certified_resnet50(tmp_path)
    record_property("peak in GiB", done.memory / GIB)
    assert done.memory < 8 * GIB
