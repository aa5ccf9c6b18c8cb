"""The code of a network: back bit for bit, near the entropy, and Kraft over all byte strings."""

import math
from decimal import Decimal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pacbayes.errors import InputError
from pacbayes.posterior.arithmetic import Decoder, Encoder, Frequencies
from pacbayes.posterior.network_code import (
    NetworkCode,
    QuantisedTensor,
    decode,
    encode,
    itemised,
    step,
)


def quantised(symbols: list[int], levels: int, step_index: int = 20) -> QuantisedTensor:
    return QuantisedTensor(
        symbols=torch.tensor(symbols, dtype=torch.int8), levels=levels, step_index=step_index
    )


networks = st.dictionaries(
    st.sampled_from(["a.weight", "a.bias", "b.weight"]),
    st.integers(0, 15).flatmap(
        lambda levels: st.builds(
            quantised,
            st.lists(st.integers(-levels, levels), min_size=1, max_size=60),
            st.just(levels),
            st.integers(0, 127),
        )
    ),
    min_size=1,
)


@given(networks)
def test_every_network_comes_back_bit_for_bit(network: dict[str, QuantisedTensor]) -> None:
    code = encode(network)
    back = decode(code.data, {name: tuple(t.symbols.shape) for name, t in network.items()})
    assert back.keys() == network.keys()
    assert all(torch.equal(back[name], network[name].weights) for name in network)


@given(networks)
def test_items_add_up_to_the_price(network: dict[str, QuantisedTensor]) -> None:
    code = encode(network)
    items = itemised(code)
    total = sum(Decimal(text) for parts in items.values() for text in parts.values())
    assert code.nats <= total <= code.nats * (1 + Decimal("1e-15"))
    assert all(Decimal(text) >= 0 for parts in items.values() for text in parts.values())


@given(st.binary(max_size=40))
def test_any_bytes_decode_to_something(data: bytes) -> None:
    weights = decode(data, {"w": (3, 4)})
    assert weights["w"].shape == (3, 4)
    assert torch.isfinite(weights["w"]).all()


def test_the_prior_over_byte_strings_sums_to_one() -> None:
    """256^b strings of b bytes share 1 / ((b + 1) (b + 2)): the partial sums are b / (b + 1)."""
    mass = 0.0
    for size in range(200):
        nats = NetworkCode(data=bytes(size), lengths={}).nats
        mass += math.exp(8 * size * math.log(2) - float(nats))
        assert mass < 1
    assert mass == pytest.approx(200 / 201, abs=1e-9)


def test_the_length_is_that_of_the_adaptive_counts() -> None:
    """Positions alone: the Krichevsky-Trofimov length of k ones in d, by hand from factorials."""
    d, k = 400, 37
    symbols = [1 if i * k % d < k else 0 for i in range(d)]
    code = encode({"w": quantised(symbols, 1)})
    ones = sum(symbols)
    log_kt = (
        math.lgamma(ones + 0.5) + math.lgamma(d - ones + 0.5) - math.log(math.pi)
        - math.lgamma(d + 1)
    )  # fmt: skip
    assert code.lengths["w"].mask == pytest.approx(-log_kt, rel=1e-12)
    ideal = sum(getattr(code.lengths["w"], part) for part in ("mask", "values", "header"))
    # Ending takes at most two bits, padding to bytes at most seven.
    assert ideal - 1e-6 <= 8 * len(code.data) * math.log(2) <= ideal + 9 * math.log(2)


def test_a_flipped_bit_is_another_network() -> None:
    network = {"w": quantised([0, 3, -2, 0, 1, 1, -3, 0] * 20, 3)}
    code = encode(network)
    changed = bytes([code.data[0] ^ 4]) + code.data[1:]
    assert not torch.equal(decode(changed, {"w": (160,)})["w"], network["w"].weights)


def test_symbols_beyond_the_levels_are_refused() -> None:
    with pytest.raises(InputError, match="out of range"):
        quantised([4], 3)
    with pytest.raises(InputError, match="out of range"):
        quantised([1], 3, 128)


def test_steps_fall_by_octaves() -> None:
    assert (step(0), step(8), step(16)) == (1.0, 0.5, 0.25)


@given(st.lists(st.integers(0, 4), max_size=300))
def test_the_coder_alone(symbols: list[int]) -> None:
    encoder, model = Encoder(), Frequencies.of(5)
    for symbol in symbols:
        encoder.put(model.interval(symbol))
        model.see(symbol)
    decoder, model = Decoder.of(encoder.finish()), Frequencies.of(5)
    found = []
    for _ in symbols:
        found.append(decoder.get(model))
        model.see(found[-1])
    assert found == symbols
