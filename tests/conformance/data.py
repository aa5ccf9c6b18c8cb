"""Bad data: .npz files, MNIST in IDX files, splits, functions of the user."""

import gzip
import io
import json
import struct
from typing import Any

import numpy as np
from PIL import Image

from tests.checkpoints.hostile import zipped
from tests.conformance.corpus import MODEL, Corpus, Site, arrays

CORPUS = Corpus("data")
GOOD = arrays()


def packed(compressed: bool = False, **members: Any) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **members)
    return buffer.getvalue()


def npz(name: str, match: str, content: bytes, code: int = 3, model: str = MODEL) -> None:
    CORPUS.add(f"npz: {name}", code, match, lambda s: s.find(network=[
        "--model", model, "--data", f"npz:{s.write('bad.npz', content)}", "-q"]))  # fmt: skip


X, Y = GOOD["x"], GOOD["y"]
WHOLE = packed(**GOOD)
npz("empty", "usable", b"")
npz("half a file", "usable", WHOLE[: len(WHOLE) // 2])
npz("no archive", "usable", b"x,y\n1,2\n")
npz("other names", "expected x_train", packed(a=X))
npz("labels missing", "expected x_train", packed(x=X))
npz("fewer labels", "80 inputs and 79 labels", packed(x=X, y=Y[:-1]))
npz("objects", "objects", packed(x=np.array([object()] * 80), y=Y))
npz("negative labels", "negative", packed(x=X, y=Y - 1))
npz("labels from one", "label 0", packed(x=X, y=Y + 1))
npz("labels as floats", "integers", packed(x=X, y=Y.astype(float)))
npz("labels in columns", "shape", packed(x=X, y=np.stack([Y, Y], 1)))
npz("NaN", "nan|finite", packed(x=np.where(X == X[3, 1], np.nan, X), y=Y))
npz("infinite", "inf|finite", packed(x=np.where(X == X[3, 1], np.inf, X), y=Y))
npz("too large for float32", "inf|finite", packed(x=X.astype(float) * 1e300, y=Y))
npz("no examples", "no labels|no examples|empty", packed(x=X[:0], y=Y[:0]))
npz("inputs without axes", "shape|axes", packed(x=X[:, 0], y=Y))
npz("integers", "uint8 or floating", packed(x=X.astype(np.int32), y=Y))
npz("complex", "uint8 or floating", packed(x=X.astype(np.complex64), y=Y))
npz("texts", "uint8 or floating", packed(x=X.astype("U8"), y=Y))
npz(
    "a bomb of zeros",
    "unpack to",
    packed(compressed=True, x=np.zeros((80, 500_000), np.uint8), y=Y),
)
npz("two members of one name", "two members|same name", zipped([("x.npy", b""), ("x.npy", b"")]))
npz("a declared size", "declares", zipped([
    ("x.npy", b"\x93NUMPY\x01\x00\x46\x00"
     + b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 4)}".ljust(70)),
    ("y.npy", b"")]))  # fmt: skip
npz("a header that is code", "malformed", zipped([
    ("x.npy", b"\x93NUMPY\x01\x00\x10\x00" + b"__import__('os')"), ("y.npy", b"")]))  # fmt: skip
npz("test inputs of another dtype", "dtype", packed(
    x_train=X, y_train=Y, x_test=X.astype(np.float64), y_test=Y))  # fmt: skip
npz("test inputs of another shape", "shape", packed(
    x_train=X, y_train=Y, x_test=X[:, :3], y_test=Y))  # fmt: skip
npz("a network of other classes", "classes", packed(x=X, y=np.arange(80) % 3), code=2)
npz("a network of other inputs", "inputs", packed(x=X[:, :3], y=Y), code=2)


def duplicated(site: Site) -> list[Any]:
    content = packed(x=np.tile(X[:8], (10, 1)), y=np.tile(Y[:8], 10))
    network = ["--model", MODEL, "--data", f"npz:{site.write('d.npz', content)}", "-q"]
    return site.certify(site.good / "model.pt", "--prior", "zero", network=network)


CORPUS.add("every example ten times", 4, "V9", duplicated)
CORPUS.add("npz that is not there", 3, "No such file", lambda s: s.find(network=[
    "--model", MODEL, "--data", f"npz:{s.folder}/absent.npz", "-q"]))  # fmt: skip
CORPUS.add("npz that is a folder", 3, "can't be read|regular file", lambda s: s.find(network=[
    "--model", MODEL, "--data", f"npz:{s.folder}", "-q"]))  # fmt: skip


# --- IDX
def idx(array: np.ndarray) -> bytes:
    head = struct.pack(">BBBB", 0, 0, 8, array.ndim)
    return head + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()


IMAGES, LABELS = np.arange(20 * 784).reshape(20, 28, 28) % 256, np.arange(20) % 10


def mnist(name: str, match: str, code: int = 3, **files: bytes | None) -> None:
    """MNIST with one file replaced; ``images`` and ``labels`` are those of the training part."""

    def make(site: Site) -> list[Any]:
        for part in ("train", "t10k"):
            whole = {
                f"{part}-images-idx3-ubyte": idx(IMAGES),
                f"{part}-labels-idx1-ubyte": idx(LABELS),
            }
            for file, data in whole.items():
                site.write(f"MNIST/raw/{file}", data)
        for word, data in files.items():
            path = (
                site.folder
                / "MNIST"
                / "raw"
                / f"train-{word}-idx{3 if word == 'images' else 1}-ubyte"
            )
            path.unlink()
            if data is not None:
                packed_name = path.name + (".gz" if data[:2] == b"\x1f\x8b" else "")
                site.write(f"MNIST/raw/{packed_name}", data)
        spec = ["--model", "lenet300", "--data", "mnist", "--data-root"]
        return site.find(network=[*spec, site.folder, "-q"])

    CORPUS.add(f"idx: {name}", code, match, make)


mnist("missing labels", "missing", labels=None)
mnist("missing images", "no MNIST/raw/train-images", images=None)
mnist("truncated images", "truncated", images=idx(IMAGES)[:-1])
mnist("longer than declared", "goes on", images=idx(IMAGES) + b"x")
mnist("another magic number", "not an IDX", images=b"\x00\x00\x0d\x03" + idx(IMAGES)[4:])
mnist("empty", "not an IDX|truncated", images=b"")
mnist("an image file as labels", "axes", labels=idx(IMAGES))
mnist("fewer labels than images", "labels", labels=idx(LABELS[:19]))
mnist("declares 2^64 entries", "at most|truncated",
      images=struct.pack(">BBBBIII", 0, 0, 8, 3, 2**32 - 1, 2**16, 2**16))  # fmt: skip
mnist("a damaged gzip file", "damaged", images=gzip.compress(idx(IMAGES))[:200])
mnist("labels beyond the classes", "label|class", labels=idx(LABELS + 200))
CORPUS.add("mnist without its folder", 3, "--data-root", lambda s: s.find(network=[
    "--model", "lenet300", "--data", "mnist", "-q"]))  # fmt: skip
CORPUS.add("mnist in an empty folder", 3, "mnist", lambda s: s.find(network=[
    "--model", "lenet300", "--data", "mnist", "--data-root", s.folder, "-q"]))  # fmt: skip


# --- pictures in folders
def picture(side: int = 4, form: str = "JPEG", mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (side, side)).save(buffer, form)
    return buffer.getvalue()


def pictures(name: str, match: str, content: bytes, file: str = "b.jpg") -> None:
    def make(s: Site) -> list[Any]:
        for label in ("cat", "dog"):
            s.write(f"pictures/train/{label}/a.jpg", picture())
        s.write(f"pictures/train/dog/{file}", content)
        data = f"imagefolder:{s.folder / 'pictures'}"
        return s.find(network=["--model", "mlp:48-2", "--data", data, "-q"])

    CORPUS.add(f"pictures: {name}", 3, match, make)


pictures("empty", r"b\.jpg: is no usable picture", b"")
pictures("half a file", r"b\.jpg: is no usable picture", picture()[:-200])
pictures("a text", r"b\.jpg: is no usable picture", b"<svg/>")
pictures("a bitmap by another name", r"b\.jpg: is no usable picture", picture(form="BMP"))
pictures("four inks", r"b\.jpg: has mode CMYK", picture(mode="CMYK"))
pictures("another size", r"b\.jpg: has .* must be alike", picture(side=5))
pictures("grey among coloured", r"b\.jpg: has .* must be alike", picture(mode="L"))
pictures("another suffix", r"b\.bmp: is no \.jpg", picture(), file="b.bmp")
CORPUS.add("pictures: no folder", 3, "absent.train: can't be read", lambda s: s.find(network=[
    "--model", "mlp:48-2", "--data", f"imagefolder:{s.folder / 'absent'}", "-q"]))  # fmt: skip
CORPUS.add("cifar10 in an empty folder", 3, "cifar-10-batches-bin", lambda s: s.find(network=[
    "--model", "resnet20", "--data", "cifar10", "--data-root", s.folder, "-q"]))  # fmt: skip


# --- splits
def split(name: str, match: str, content: Any, code: int = 3) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    CORPUS.add(f"split: {name}", code, match, lambda s: s.certify(
        s.good / "model.pt", "--trained-on", "prior-part", "--split-file",
        s.write("split.json", text)))  # fmt: skip


split("not JSON", "JSON", "prior: 1")
split("a list missing", "prior and certificate", {"prior": [1]})
split("overlap", "V1|overlap|share", {"prior": [1, 2], "certificate": [2, 3]}, code=4)
split("beyond the data", "integers in", {"prior": [1], "certificate": [80]})
split("negative", "integers in", {"prior": [-1], "certificate": [2]})
split("texts", "integers", {"prior": ["1"], "certificate": [2]})
split("fractions", "integers", {"prior": [1.5], "certificate": [2]})
split("truth values", "integers", {"prior": [True], "certificate": [2]})
split("an index twice", "twice|repeated|distinct|duplicate", {"prior": [1], "certificate": [2, 2]})
split("nothing to certify", "empty", {"prior": [1], "certificate": []})
split("a key twice", "duplicate key", '{"prior": [1], "prior": [2], "certificate": [3]}')
split("deep brackets", "JSON|nested|depth", '{"prior": ' + "[" * 100_000)
CORPUS.add("split file that is not there", 3, "No such file", lambda s: s.certify(
    s.good / "model.pt", "--split-file", s.folder / "absent.json"))  # fmt: skip
