"""Normalisation constants: where they come from and what they cost."""

from collections.abc import Mapping
from decimal import Decimal

import torch

from pacbayes.certificate import Choice
from pacbayes.data import Data
from pacbayes.tickets import IndexSet


def is_charged(data: Data, declare: Mapping[str, str]) -> bool:
    """Return whether the constants are paid for: given by the user and not declared as fixed."""
    return data.transform.source != "fixed" and "V6" not in declare


def choices(data: Data, declare: Mapping[str, str]) -> list[Choice]:
    """Return the union entries of the constants: as many as can be written in their format.

    A mean and a standard deviation in [0, 1) with d decimals are one of ``10^(2 d)`` pairs, which
    costs ``2 d ln 10`` nats per channel. Digits before the point and a sign cost as well.
    """
    if not is_charged(data, declare):
        return []
    entries = []
    for channel, (mean, std) in enumerate(
        zip(data.transform.mean, data.transform.std, strict=True)
    ):
        purpose = f"normalisation of channel {channel}"
        entries.append(Choice(purpose=purpose, choices=_writable(mean) * _writable(std)))
    return entries


def constants_of(data: Data, part: IndexSet) -> bool:
    """Return whether all constants equal the part's own statistics, as far as they are written."""
    mean = torch.tensor([float(text) for text in data.transform.mean], dtype=torch.float64)
    std = torch.tensor([float(text) for text in data.transform.std], dtype=torch.float64)
    inputs = data.train.inputs[torch.from_numpy(part.indices.copy())].double()
    axes = [axis for axis in range(inputs.ndim) if axis != 1 or len(mean) == 1]
    spread, centre = torch.std_mean(inputs, dim=axes)
    ours = centre.reshape(-1) * std + mean, spread.reshape(-1) * std
    written = (data.transform.mean, data.transform.std)
    return all(
        abs(float(value) - float(text)) <= 10.0 ** -min(_decimals(text), 6)
        for values, texts in zip(ours, written, strict=True)
        for value, text in zip(values, texts, strict=True)
    )


def _writable(text: str) -> int:
    """Return how many numbers have the sign and the digits of a text, and no more of them."""
    whole = int(abs(Decimal(text)))
    digits = _decimals(text) + (len(str(whole)) if whole else 0)
    return int(10**digits) * (2 if text.startswith("-") else 1)


def _decimals(text: str) -> int:
    exponent = Decimal(text).as_tuple().exponent
    return max(1, -int(exponent))
