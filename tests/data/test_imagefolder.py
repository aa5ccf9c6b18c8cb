"""Pictures in folders: order, decoding, the cache, and files that are no pictures."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pacbayes.data import load_data, vision
from pacbayes.data.decoded import cache_folder
from pacbayes.errors import InputError

CLASSES = ("cat", "dog", "10")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PACBAYES_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def picture(seed: int, *, side: int = 6, mode: str = "RGB") -> Image.Image:
    shape = (side, side, 3) if mode == "RGB" else (side, side)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def encoded(image: Image.Image, form: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "pictures"
    seed = 0
    for part, count in (("train", 3), ("test", 1)):
        for name in CLASSES:
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                seed += 1
                picture(seed).save(root / part / name / f"{9 - number}.png")
    return root


def test_pixels_labels_and_order(folder: Path) -> None:
    data = load_data(f"imagefolder:{folder}")
    assert (data.classes, data.shape, data.name) == (3, (3, 6, 6), "imagefolder:pictures")
    assert data.train.labels.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert data.test is not None
    assert data.test.labels.tolist() == [0, 1, 2]
    assert not data.builtin
    # classes and files by code point: "10" before "cat" before "dog", 7.png before 9.png
    expected = [
        np.asarray(Image.open(path)).transpose(2, 0, 1)
        for name in sorted(CLASSES)
        for path in sorted((folder / "train" / name).iterdir())
    ]
    assert torch.equal(data.train.inputs, torch.from_numpy(np.stack(expected)).float() / 255)


def test_the_order_is_that_of_names_whoever_wrote_first(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "copy"
    files = sorted((path for path in folder.rglob("*.png")), reverse=True)
    for path in files:
        target = other / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    assert load_data(f"imagefolder:{other}").digest == load_data(f"imagefolder:{folder}").digest


def test_jpeg_is_decoded_and_is_an_example_of_its_own(folder: Path) -> None:
    before = load_data(f"imagefolder:{folder}").digest
    path = folder / "train" / "cat" / "9.png"
    lossy = path.with_suffix(".JPG")
    lossy.write_bytes(encoded(Image.open(path), "JPEG"))
    path.unlink()
    data = load_data(f"imagefolder:{folder}")
    found = data.train.inputs[5]
    assert torch.equal(
        found, torch.from_numpy(np.array(Image.open(lossy)).transpose(2, 0, 1)) / 255.0
    )
    assert data.digest != before


def test_grey_pictures_have_one_channel_and_test_may_be_absent(tmp_path: Path) -> None:
    for number, name in enumerate(CLASSES):
        (tmp_path / "grey" / "train" / name).mkdir(parents=True)
        picture(number, mode="L").save(tmp_path / "grey" / "train" / name / "a.png")
    data = load_data(f"imagefolder:{tmp_path / 'grey'}", normalize="0.5,0.5")
    assert (data.shape, data.test) == ((1, 6, 6), None)
    assert float(data.train.inputs.min()) < 0


def test_cifar10_as_jpeg_is_called_so(tmp_path: Path) -> None:
    names = "airplane automobile bird cat deer dog frog horse ship truck".split()
    for seed, name in enumerate(names):
        (tmp_path / "c" / "train" / name).mkdir(parents=True)
        picture(seed, side=32).save(tmp_path / "c" / "train" / name / "0.jpg")
    data = load_data(f"imagefolder:{tmp_path / 'c'}")
    assert data.name == "CIFAR-10 (JPEG)"
    assert "lossy" in data.description


# --- the cache


def test_the_cache_gives_the_same_examples(folder: Path, cache: Path) -> None:
    first = load_data(f"imagefolder:{folder}")
    (made,) = cache.iterdir()
    written = made.stat().st_mtime_ns
    again = load_data(f"imagefolder:{folder}")
    assert torch.equal(again.train.inputs, first.train.inputs)
    assert again.digest == first.digest
    assert made.stat().st_mtime_ns == written


def test_a_changed_file_is_seen_whatever_its_time_stamp(folder: Path) -> None:
    before = load_data(f"imagefolder:{folder}").digest
    path = folder / "train" / "cat" / "9.png"
    stamp = path.stat()
    path.write_bytes(encoded(picture(99), "PNG"))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert load_data(f"imagefolder:{folder}").digest != before


@pytest.mark.parametrize("damage", ["bytes", "truncated", "empty"])
def test_a_damaged_cache_is_made_anew(folder: Path, cache: Path, damage: str) -> None:
    first = load_data(f"imagefolder:{folder}")
    (made,) = cache.iterdir()
    content = bytearray(made.read_bytes())
    content[-1] ^= 1
    made.write_bytes(
        {"bytes": bytes(content), "truncated": bytes(content[:-9]), "empty": b""}[damage]
    )
    assert load_data(f"imagefolder:{folder}").digest == first.digest


def test_a_cache_that_can_not_be_written_is_done_without(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("PACBAYES_CACHE", str(tmp_path / "file" / "cache"))
    assert len(load_data(f"imagefolder:{folder}").train) == 9


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("PACBAYES_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "pacbayes"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "pacbayes"


# --- files that are no pictures

GOOD = encoded(picture(0), "JPEG")
PNG = encoded(picture(0), "PNG")
HUGE = PNG[:16] + (60_000).to_bytes(4, "big") * 2 + PNG[24:]
HOSTILE = {
    "empty": b"",
    "text": b"no picture",
    "half a JPEG": GOOD[: len(GOOD) // 2],
    "half a PNG": PNG[: len(PNG) // 2],
    "a GIF by another name": encoded(picture(0).convert("P"), "GIF"),
    "a palette": encoded(picture(0).convert("P"), "PNG"),
    "transparency": encoded(picture(0).convert("RGBA"), "PNG"),
    "four inks": encoded(picture(0).convert("CMYK"), "JPEG"),
    "60,000 by 60,000 declared": HUGE,
    "another size": encoded(picture(0, side=7), "PNG"),
    "another kind": encoded(picture(0, mode="L"), "PNG"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_by_name(folder: Path, kind: str) -> None:
    path = folder / "train" / "dog" / "8.png"
    path.write_bytes(HOSTILE[kind])
    with pytest.raises(InputError, match=r"dog.8\.png") as caught:
        load_data(f"imagefolder:{folder}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mode", ["first", "pipe", "suffix", "nested"])
def test_what_is_no_picture_file(folder: Path, mode: str) -> None:
    path = folder / "train" / "10" / "0.png"
    if mode == "first":
        path.write_bytes(b"nothing")
    elif mode == "pipe":
        os.mkfifo(path)
    elif mode == "suffix":
        path = path.with_suffix(".tif")
        path.write_bytes(PNG)
    else:
        path.mkdir()
    with pytest.raises(InputError, match=path.name):
        load_data(f"imagefolder:{folder}")


def test_hidden_files_are_left_alone(folder: Path) -> None:
    (folder / "train" / ".DS_Store").write_bytes(b"x")
    (folder / "train" / "cat" / ".hidden.png").write_bytes(b"x")
    assert len(load_data(f"imagefolder:{folder}").train) == 9


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("absent", "can't be read"),
        ("one class", "at least two"),
        ("empty class", "holds no pictures"),
        ("other classes", "must hold the same classes"),
    ],
)
def test_folders_that_do_not_fit(folder: Path, change: str, text: str) -> None:
    def empty(path: Path) -> None:
        for file in path.iterdir():
            file.unlink()

    if change == "absent":
        folder = folder / "nowhere"
    elif change == "one class":
        for name in CLASSES[1:]:
            empty(folder / "train" / name)
            (folder / "train" / name).rmdir()
    elif change == "empty class":
        empty(folder / "train" / "dog")
    else:
        (folder / "test" / "wolf").mkdir()
    with pytest.raises(InputError, match=text) as caught:
        load_data(f"imagefolder:{folder}")
    assert "\n" not in str(caught.value)


def test_download_is_not_for_folders(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pacbayes.errors import UsageError

    monkeypatch.setattr(vision, "download", lambda *_: pytest.fail("downloaded"))
    with pytest.raises(UsageError, match="--download is for mnist"):
        load_data(f"imagefolder:{folder}", download=True)
