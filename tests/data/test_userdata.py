"""The user's own data, read twice where it could change."""

from pathlib import Path

import pytest
import torch

from pacbayes.data import load_data
from pacbayes.errors import InputError, UnsoundError, UsageError

SOURCE = """
import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, TensorDataset

X = torch.arange(24, dtype=torch.float32).reshape(6, 4)
Y = torch.tensor([0, 1, 2, 0, 1, 2])

def tensors():
    return (X, Y), (X[:2], Y[:2])

def arrays():
    return [X.numpy(), Y.numpy()], None

def tensor_datasets():
    return TensorDataset(X, Y), TensorDataset(X[:2], Y[:2])

class Augmented(Dataset):
    def __init__(self, noise):
        self.noise = noise
    def __len__(self):
        return 6
    def __getitem__(self, i):
        return X[i] + self.noise(i), int(Y[i])

def augmented():
    return Augmented(lambda i: torch.rand(4)), None

def seldom():
    seen = []
    def noise(i):
        seen.append(i)
        return 1.0 if len(seen) == 10 else 0.0
    return Augmented(noise), None

def test_augmented():
    return TensorDataset(X, Y), Augmented(lambda i: torch.rand(4))

def deterministic():
    return Augmented(lambda i: i / 8), None

class Shrinking(Augmented):
    size = 7
    def __len__(self):
        Shrinking.size = max(4, Shrinking.size - 1)
        return Shrinking.size

def shrinking():
    return Shrinking(lambda i: 0.0), None

class Labels(Augmented):
    def __getitem__(self, i):
        return X[i], np.random.randint(3)

def random_labels():
    return Labels(None), None

class Pictures(Dataset):
    def __init__(self, mode):
        self.mode = mode
    def __len__(self):
        return 6
    def __getitem__(self, i):
        grey = Image.fromarray((np.arange(20).reshape(4, 5) * 10 + i).astype(np.uint8))
        return grey.convert(self.mode), np.int64(i % 3)

def grey():
    return Pictures("L"), None

def colour():
    return Pictures("RGB"), None

class Stream(IterableDataset):
    def __iter__(self):
        return iter([(X[0], 0)])

def stream(): return Stream(), None
def nothing(): return None
def single(): return X
def only_test(): return None, (X, Y)
def triple(): return X, Y, None
def lists(): return ([1, 2], [0, 1]), None
def vector(): return (X[:, 0], Y), None
def ragged(): return [(X[0], 0)] , None
def integers(): return (X.long(), Y), None
def shifted(): return (X, Y + 1), None
def floats(): return TensorDataset(X, Y.float()), None
def images_last(): return (torch.zeros(6, 8, 8, 3), Y), None
def nan(): return (X / 0, Y), None
def empty(): return TensorDataset(X[:0], Y[:0]), None
def mixed(): return (X, Y), (X.double(), Y)
class Ragged(Augmented):
    def __getitem__(self, i): return X[i, : 1 + i % 2], 0
def ragged_dataset(): return Ragged(None), None
class Triples(Augmented):
    def __getitem__(self, i): return X[i], 0, 0
def triples(): return Triples(None), None
def broken(): raise OSError("disk on fire")
def late():
    class Late(Augmented):
        def __getitem__(self, i):
            import zoo_late_helper
    return Late(None), None
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "zoo_data.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_tensors_arrays_and_datasets_are_the_same_data() -> None:
    x = torch.arange(24, dtype=torch.float32).reshape(6, 4)
    found = [load_data(f"zoo_data:{name}") for name in ("tensors", "arrays", "tensor_datasets")]
    for data in found:
        assert torch.equal(data.train.inputs, x)
        assert data.train.labels.tolist() == [0, 1, 2, 0, 1, 2]
        assert (data.classes, data.builtin, data.transform.text) == (3, False, "as given")
    assert len({data.digest for data in found}) == 1
    assert found[1].test is None
    assert found[2].test is not None
    assert torch.equal(found[2].test.inputs, x[:2])
    assert found[0].name == found[0].spec == "zoo_data:tensors"


@pytest.mark.parametrize(
    ("name", "count"),
    [("augmented", 6), ("seldom", 1), ("test_augmented", 6), ("random_labels", None)],
)
def test_random_augmentation_is_unsound(name: str, count: int | None) -> None:
    with pytest.raises(UnsoundError, match=r"\[V10\] .* differ between two readings") as caught:
        load_data(f"zoo_data:{name}")
    assert "\n" not in str(caught.value)
    assert count is None or f"{count} of 6 items" in str(caught.value)
    if name == "seldom":
        assert "item 3 first" in str(caught.value)


def test_a_dataset_that_changes_its_length_is_unsound() -> None:
    with pytest.raises((UnsoundError, InputError)):
        load_data("zoo_data:shrinking")


def test_deterministic_processing_is_fine() -> None:
    x = torch.arange(24, dtype=torch.float32).reshape(6, 4)
    data = load_data("zoo_data:deterministic")
    assert torch.equal(data.train.inputs, x + torch.arange(6)[:, None] / 8)


@pytest.mark.parametrize(("name", "shape"), [("grey", (1, 4, 5)), ("colour", (3, 4, 5))])
def test_pictures_are_pixels_with_channels_first(name: str, shape: tuple[int, ...]) -> None:
    data = load_data(f"zoo_data:{name}")
    assert data.shape == shape
    assert data.transform.text == "pixels/255"
    expected = (torch.arange(20).reshape(4, 5) * 10 + 2) / 255
    assert all(torch.equal(channel, expected) for channel in data.train.inputs[2])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("stream", "dataset with a length"),
        ("nothing", "must return a pair"),
        ("single", "must return a pair"),
        ("only_test", "must return a pair"),
        ("triple", "must return a pair"),
        ("lists", "pair of arrays"),
        ("vector", "shape"),
        ("ragged", "pair of arrays"),
        ("integers", "uint8 or floating"),
        ("shifted", "count classes from 0"),
        ("floats", "one integer"),
        ("nan", "not finite"),
        ("empty", "empty"),
        ("mixed", "differ in dtype"),
        ("ragged_dataset", "item 1 has another shape"),
        ("triples", "must be a pair"),
        ("broken", "raised OSError: disk on fire"),
        ("late", "zoo_late_helper"),
        ("missing", "no function missing"),
    ],
)
def test_what_is_no_data_is_refused_in_one_line(name: str, text: str) -> None:
    with pytest.raises(InputError, match=text) as caught:
        load_data(f"zoo_data:{name}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "spec", ["", "mnits", "digits:x", "npz", "npz:", "imagefolder", "imagefolder:", ":f", "a:b:c"]
)
def test_texts_that_name_no_data(spec: str) -> None:
    with pytest.raises((UsageError, InputError)):
        load_data(spec)


def test_download_and_normalize_where_they_make_no_sense() -> None:
    with pytest.raises(UsageError, match="--download"):
        load_data("digits", download=True)
    with pytest.raises(UsageError, match="--normalize"):
        load_data("synthetic", normalize="0,1")
