"""Options that several commands share."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from pacbayes.errors import UsageError

Command = Callable[..., Any]


class Bytes(click.ParamType[int]):
    """A number of bytes, with K, M or G behind it for powers of 1000."""

    name = "BYTES"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number of bytes."""
        text = str(value)
        factor = {"K": 10**3, "M": 10**6, "G": 10**9}.get(text[-1:].upper(), 1)
        digits = text if factor == 1 else text[:-1]
        if not digits.isdecimal() or int(digits) == 0:
            self.fail(f"{text!r} is no number of bytes such as 600M", param, ctx)
        return int(digits) * factor


def network_options(command: Command) -> Command:
    """Add the options that name network and data."""
    options = [
        click.option(
            "--model",
            required=True,
            help="lenet300, lenet5, conv2, conv4, conv6, resnet20, vgg16, mlp:A-B-C, "
            "torchvision:NAME, module:function",
        ),
        click.option(
            "--model-args",
            multiple=True,
            metavar="K=V",
            help="argument of the network, e.g. norm=group for resnet20 and vgg16",
        ),
        click.option(
            "--data",
            required=True,
            help="digits, mnist, fashion-mnist, cifar10, cifar100, imagefolder:DIR, npz:FILE, "
            "synthetic, module:function",
        ),
        click.option(
            "--data-root",
            type=click.Path(path_type=Path),
            envvar="PACBAYES_DATA",
            help="folder of the data (or PACBAYES_DATA)",
        ),
        click.option(
            "--download", is_flag=True, help="fetch missing MNIST or CIFAR files into --data-root"
        ),
        click.option(
            "--normalize",
            default="none",
            show_default=True,
            metavar="MEAN,STD",
            help="constants after pixels/255; charged at their precision unless declared (V6)",
        ),
    ]
    return _decorate(command, options)


def run_options(command: Command) -> Command:
    """Add seed, force, quick and quiet."""
    options = [
        click.option("--seed", type=int, default=1, show_default=True, help="finding and fitting"),
        click.option("--force", is_flag=True, help="replace what another request left in --out"),
        click.option("--quick", is_flag=True, help="fewer epochs and levels, the same conditions"),
        click.option("-q", "--quiet", is_flag=True, help="no progress on stderr"),
    ]
    return _decorate(command, options)


def _decorate(command: Command, options: Sequence[Callable[[Command], Command]]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def pairs(texts: tuple[str, ...], *, flag: str) -> dict[str, str]:
    """Return ``K=V`` texts as a dict.

    Raises:
        UsageError: a text has no ``=`` or a key is given twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key or key in found:
            raise UsageError(f"{flag} takes KEY=VALUE with each key once, got {text!r}")
        found[key] = value
    return found
