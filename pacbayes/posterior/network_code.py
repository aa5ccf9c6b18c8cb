"""The code of one quantised network: bytes that decode to its weights bit for bit."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal

import torch
from torch import Tensor

from pacbayes.errors import InputError
from pacbayes.posterior.arithmetic import Decoder, Encoder, Frequencies

LEVELS, STEPS = 16, 128
"""Sizes of the two header fields: positive levels 0 to 15, step sizes 2^(-j/8) for j < 128."""

_SHORT = Context(prec=17, rounding=ROUND_CEILING)
_UP = Context(prec=60, rounding=ROUND_CEILING)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QuantisedTensor:
    """One tensor whose entries are integers times a step.

    Attributes:
        symbols: integers in [-levels, levels], zero for removed entries; int8.
        levels: largest magnitude, 0 to 15; with 0 the tensor is zero.
        step_index: the step is ``2^(-step_index / 8)``, 0 to 127.
    """

    symbols: Tensor
    levels: int
    step_index: int

    def __post_init__(self) -> None:
        largest = int(self.symbols.abs().max()) if self.symbols.numel() else 0
        if not largest <= self.levels < LEVELS or not 0 <= self.step_index < STEPS:
            raise InputError("quantised tensor: levels or step index are out of range")

    @property
    def weights(self) -> Tensor:
        """The float32 entries: one product of two float32 numbers each."""
        return self.symbols.float() * torch.tensor(step(self.step_index), dtype=torch.float32)


def step(index: int) -> float:
    """Return the step size of an index."""
    return float(2.0 ** (-index / 8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """What one tensor costs, in nats (ideal lengths, for the itemised account)."""

    mask: float
    values: float
    header: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkCode:
    """Bytes of a network and their price.

    Attributes:
        data: the bytes; with the names and shapes they decode to the network.
        lengths: what each tensor contributed.
    """

    data: bytes
    lengths: dict[str, Length]

    @property
    def nats(self) -> Decimal:
        """Upper value of ``-ln P(bytes)``.

        The prior is ``P(b bytes) = 256^-b / ((b + 1) (b + 2))``, which sums to one over all byte
        strings; so whatever the coder does, Kraft's inequality holds.
        """
        size = len(self.data)
        bits = _UP.multiply(Decimal(8 * size), _UP.next_plus(_UP.ln(Decimal(2))))
        length = _UP.next_plus(_UP.ln(Decimal((size + 1) * (size + 2))))
        return _UP.add(bits, length)


def encode(network: Mapping[str, QuantisedTensor]) -> NetworkCode:
    """Return the code of a network: tensors in the order of their names, header first.

    Each tensor: its number of levels and step index, uniformly; which entries are zero, by adaptive
    counts; sign and magnitude of the others, by adaptive counts.
    """
    encoder, lengths = Encoder(), {}
    for name in sorted(network):
        tensor = network[name]
        encoder.put((tensor.levels, tensor.levels + 1, LEVELS))
        encoder.put((tensor.step_index, tensor.step_index + 1, STEPS))
        spent, models = [0.0, 0.0], _models(tensor.levels)
        for symbol in tensor.symbols.flatten().tolist() if tensor.levels else ():
            for which, part in enumerate(_parts(symbol, tensor.levels)):
                interval = models[which].interval(part)
                encoder.put(interval)
                spent[which] -= math.log((interval[1] - interval[0]) / interval[2])
                models[which].see(part)
        header = math.log(LEVELS * STEPS)
        lengths[name] = Length(mask=spent[0], values=spent[1], header=header)
    return NetworkCode(data=encoder.finish(), lengths=lengths)


def decode(data: bytes, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Return the weights that some bytes stand for, float32, by name.

    Args:
        data: the bytes.
        shapes: shape of every tensor of the network.
    """
    decoder, weights = Decoder.of(data), {}
    for name in sorted(shapes):
        levels = decoder.get(Frequencies.of(LEVELS))
        step_index = decoder.get(Frequencies.of(STEPS))
        models, size = _models(levels), math.prod(shapes[name])
        symbols = [_symbol(decoder, models, levels) for _ in range(size)] if levels else [0] * size
        tensor = QuantisedTensor(
            symbols=torch.tensor(symbols, dtype=torch.int8).reshape(shapes[name]),
            levels=levels,
            step_index=step_index,
        )
        weights[name] = tensor.weights
    return weights


def _models(levels: int) -> tuple[Frequencies, Frequencies]:
    """Return the counts for "is it zero" and for the non-zero symbols."""
    return Frequencies.of(2), Frequencies.of(max(1, 2 * levels))


def _parts(symbol: int, levels: int) -> tuple[int, ...]:
    """Return the parts of an integer: 0 for zero; else 1, then its place among the others."""
    if symbol == 0:
        return (0,)
    return 1, symbol + levels if symbol < 0 else symbol + levels - 1


def _symbol(decoder: Decoder, models: tuple[Frequencies, Frequencies], levels: int) -> int:
    kept = decoder.get(models[0])
    models[0].see(kept)
    if not kept:
        return 0
    place = decoder.get(models[1])
    models[1].see(place)
    return place - levels if place < levels else place - levels + 1


def itemised(code: NetworkCode) -> dict[str, dict[str, str]]:
    """Return nats for ``mask``, ``mean`` (values) and ``scale`` (header) of each tensor.

    They are the ideal lengths; what the bytes and their length cost beyond is added to the header
    of the first tensor, so that the items add up to the price of the code.
    """
    items = {
        name: {
            "mask": _plain(length.mask),
            "mean": _plain(length.values),
            "scale": _plain(length.header),
        }
        for name, length in code.lengths.items()
    }
    first = min(items)
    missing = _UP.add(code.nats, Decimal(items[first]["scale"]))
    for parts in items.values():
        for nats in parts.values():
            missing = _UP.subtract(missing, Decimal(nats))  # exact: few digits behind the point
    items[first]["scale"] = format(_SHORT.plus(missing), "f")
    return items


def _plain(nats: float) -> str:
    return format(Decimal(f"{nats:.6f}"), "f")
