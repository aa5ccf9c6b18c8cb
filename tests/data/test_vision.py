"""torchvision is imported in one place, also beside the CPU build of torch."""

import subprocess
import sys
from pathlib import Path

import pytest

from pacbayes.data import load_data, vision
from pacbayes.errors import InputError

ROOT = Path(__file__).parents[2]


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_datasets_models_and_transforms_load_in_a_fresh_process() -> None:
    pytest.importorskip("torch")
    code = """
from pacbayes.data.vision import torchvision
tv = torchvision()
assert tv is torchvision()
import torchvision.datasets, torchvision.models, torchvision.transforms.v2
print(tv.datasets.MNIST.__name__, tv.models.resnet18.__name__)
"""
    assert run(code) == "MNIST resnet18"


def test_a_failed_import_before_does_no_harm() -> None:
    code = """
try:
    import torchvision
except RuntimeError as error:
    pass
from pacbayes.data.vision import torchvision
print(torchvision().__name__)
"""
    assert run(code) == "torchvision"


def test_reading_needs_no_torchvision() -> None:
    code = "import sys; from pacbayes.data import load_data; load_data('digits'); "
    assert run(code + "print('torchvision' in sys.modules)") == "False"


def test_what_can_not_be_downloaded_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="mnist can't be downloaded") as caught:
        load_data("mnist", root=tmp_path / "file", download=True)
    assert "\n" not in str(caught.value)


def test_what_is_there_is_not_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("downloaded")

    monkeypatch.setattr(vision, "download", refuse)
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    (tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte").write_bytes(b"")
    with pytest.raises(InputError, match="not an IDX file"):
        load_data("mnist", root=tmp_path, download=True)
    with pytest.raises(AssertionError, match="downloaded"):
        load_data("fashion-mnist", root=tmp_path, download=True)
