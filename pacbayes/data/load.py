"""From the text of ``--data`` to examples."""

import os
from pathlib import Path
from typing import Final

from pacbayes.data import vision
from pacbayes.data.cifar import RELEASES, has_cifar, load_cifar
from pacbayes.data.dataset import Data
from pacbayes.data.digits import load_digits
from pacbayes.data.imagefolder import load_image_folder
from pacbayes.data.known import Blobs
from pacbayes.data.mnist import FOLDERS, has_mnist, load_mnist
from pacbayes.data.npz import load_npz
from pacbayes.data.signal_noise import SignalNoise
from pacbayes.data.userdata import load_user_data
from pacbayes.errors import InputError, UsageError

ACCEPTED: Final = (
    "digits, mnist, fashion-mnist, cifar10, cifar100, imagefolder:DIR, npz:FILE, "
    "synthetic[:KEY=VALUE,...], signal-noise[:KEY=VALUE,...], module:function"
)
ROOT_VARIABLE: Final = "PACBAYES_DATA"


def load_data(
    spec: str,
    *,
    root: Path | str | None = None,
    normalize: str = "none",
    download: bool = False,
    quiet: bool = False,
) -> Data:
    """Return the data that a text names.

    Args:
        spec: ``digits``, ``mnist``, ``fashion-mnist``, ``cifar10``, ``cifar100``,
            ``imagefolder:DIR``, ``npz:FILE``,
            ``synthetic[:n=2000,dim=20,classes=2,separation=2,seed=0,test=1000]``,
            ``signal-noise[:n=150,dim=6000,classes=2,signal=1,noise=1,seed=0,test=500]`` or
            ``module:function``.
        root: folder of ``mnist``, ``fashion-mnist`` and CIFAR; by default the environment
            variable ``PACBAYES_DATA``.
        normalize: ``none``, or constants ``MEAN,STD`` declared by the user.
        download: fetch missing files of these into ``root``.
        quiet: no progress on stderr.

    Raises:
        UsageError: the text names no data, or the options don't fit it.
        InputError: the data are missing or malformed.
        UnsoundError: examples change from one reading to the next (V10).

    Example:
        >>> data = load_data("synthetic:n=100,seed=3")
        >>> len(data.train), data.shape, data.classes
        (100, (20,), 2)
    """
    name = spec.partition(":")[0]
    if spec in FOLDERS or spec in RELEASES:
        folder = _folder(spec, root, download=download)
        load = load_mnist if spec in FOLDERS else load_cifar
        return load(spec, root=folder, normalize=normalize)
    if download:
        known = ", ".join([*FOLDERS, *RELEASES])
        raise UsageError(f"--download is for {known}, not for {spec}")
    if spec == "digits":
        return load_digits(normalize=normalize)
    if name == "imagefolder" and spec.partition(":")[2]:
        return load_image_folder(spec, normalize=normalize, quiet=quiet)
    if name == "npz" and spec != name:
        return load_npz(spec, normalize=normalize)
    if name in ("synthetic", "signal-noise"):
        if normalize != "none":
            raise UsageError(f"--normalize is not for {name} data, whose law is known")
        return (
            Blobs.parse(spec).data(spec) if name == "synthetic" else SignalNoise.parse(spec).data()
        )
    if name and spec.count(":") == 1:
        return load_user_data(spec, normalize=normalize)
    raise UsageError(f"--data {spec!r} names no data; accepted: {ACCEPTED}")


def _folder(spec: str, root: Path | str | None, *, download: bool) -> Path:
    chosen = root or os.environ.get(ROOT_VARIABLE)
    if not chosen:
        raise InputError(f"{spec} needs its folder: give --data-root or set {ROOT_VARIABLE}")
    folder = Path(chosen)
    there = has_mnist(spec, folder) if spec in FOLDERS else has_cifar(spec, folder)
    if download and not there:
        vision.download(spec, folder)
    return folder
