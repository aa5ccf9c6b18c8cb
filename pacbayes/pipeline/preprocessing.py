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
    """Return the union entries of the constants: ``10^(2 d)`` values per channel, d decimals.

    A mean and a standard deviation in [0, 1] with d decimals are one of ``10^(2 d)`` pairs, which
    costs ``2 d ln 10`` nats per channel.
    """
    if not is_charged(data, declare):
        return []
    entries = []
    for channel, (mean, std) in enumerate(
        zip(data.transform.mean, data.transform.std, strict=True)
    ):
        decimals = _decimals(mean) + _decimals(std)
        purpose = f"normalisation of channel {channel}"
        entries.append(Choice(purpose=purpose, choices=10**decimals))
    return entries


def constants_of(data: Data, part: IndexSet) -> bool:
    """Return whether all constants equal the part's own statistics, as far as they are written."""
    mean = torch.tensor([float(text) for text in data.transform.mean], dtype=torch.float64)
    std = torch.tensor([float(text) for text in data.transform.std], dtype=torch.float64)
    inputs = data.train.inputs[torch.from_numpy(part.indices.copy())].double()
    axes = [0, *range(2, inputs.ndim)]
    ours = inputs.mean(dim=axes) * std + mean, inputs.std(dim=axes) * std
    written = (data.transform.mean, data.transform.std)
    return all(
        abs(float(value) - float(text)) <= 10.0 ** -min(_decimals(text), 6)
        for values, texts in zip(ours, written, strict=True)
        for value, text in zip(values, texts, strict=True)
    )


def _decimals(text: str) -> int:
    exponent = Decimal(text).as_tuple().exponent
    return max(1, -int(exponent))
