"""Every way to save one network, read back as the same ticket."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from pacbayes.checkpoints import inspect, read_ticket
from pacbayes.errors import InputError, UsageError
from pacbayes.tickets import Mask, Ticket
from tests.networks import build, convnet, mlp, normed

Net = dict[str, Tensor]


@pytest.fixture
def state() -> Net:
    return {name: t.detach() for name, t in build(mlp).state_dict().items()}


def save(path: Path, value: Any) -> Path:
    save_file(value, path) if path.suffix == ".safetensors" else torch.save(value, path)
    return path


def shapes(state: Net) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def half_mask(state: Net) -> Net:
    """A mask that removes every other entry of the weight arrays."""
    return {
        name: (torch.arange(t.numel()) % 2 == 0).reshape(t.shape)
        for name, t in state.items()
        if t.ndim > 1
    }


def test_plain_state_dict(tmp_path: Path, state: Net) -> None:
    ticket = read_ticket(save(tmp_path / "a.pt", OrderedDict(state)))
    assert list(ticket.trained) == list(state)
    assert all(torch.equal(ticket.trained[name], state[name]) for name in state)
    assert ticket.mask == Mask.full(state)
    assert (ticket.init, ticket.buffers, ticket.level, ticket.dense) == (None, {}, 0, None)


def test_a_foreign_file_says_nothing_about_what_it_saw(tmp_path: Path, state: Net) -> None:
    origin = read_ticket(save(tmp_path / "a.pt", state)).provenance
    assert (origin.data, origin.init, origin.mask, origin.trained, origin.buffers) == (None,) * 5
    assert len(origin.seen("mask", total=7)) == 7


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "model_state_dict", "net", "params"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model.", "net.",
                                    "module._orig_mod.", "_orig_mod.module.model."])  # fmt: skip
def test_wrappers_and_prefixes(tmp_path: Path, state: Net, wrapper: str, prefix: str) -> None:
    plain = read_ticket(save(tmp_path / "plain.safetensors", state))
    inner = {prefix + name: tensor for name, tensor in state.items()}
    path = save(tmp_path / "a.pt", {"epoch": 3, wrapper: inner, "note": "x", "best": 0.5})
    found = read_ticket(path)
    assert found.digest == plain.digest
    assert found.notes["source"]["wrapper"] == wrapper
    assert found.notes["source"].get("prefix", "") == prefix
    assert (inspect(path).wrapper, inspect(path).prefix) == (wrapper, prefix)


def test_prefix_of_some_names_stays(tmp_path: Path, state: Net) -> None:
    some = {("module." if name.startswith("0") else "") + name: t for name, t in state.items()}
    assert set(read_ticket(save(tmp_path / "a.pt", some)).trained) == set(some)


def test_prefix_that_is_part_of_the_network_stays(tmp_path: Path, state: Net) -> None:
    real = {"net." + name: tensor for name, tensor in state.items()}
    both = {"module." + name: tensor for name, tensor in real.items()}
    for saved in (real, both):
        path = save(tmp_path / "a.pt", saved)
        assert set(read_ticket(path, parameter_shapes=shapes(real)).trained) == set(real)
    # Without the network's names there is no telling; then the usual wrappers come off.
    assert set(read_ticket(path).trained) == set(state)


def test_two_candidates_are_named(tmp_path: Path, state: Net) -> None:
    other = {name: tensor + 1 for name, tensor in state.items()}
    path = save(tmp_path / "a.pt", {"net": state, "model": other})
    with pytest.raises(InputError, match="model, net"):
        read_ticket(path)
    assert torch.equal(read_ticket(path, key="model").trained["0.bias"], other["0.bias"])
    with pytest.raises(InputError, match="under ema; there are some under net, model"):
        read_ticket(path, key="ema")


def test_averaged_weights_only_on_request(tmp_path: Path, state: Net) -> None:
    averaged = {name: tensor / 2 for name, tensor in state.items()}
    path = save(tmp_path / "a.pt", {"state_dict_ema": averaged, "state_dict": state})
    assert torch.equal(read_ticket(path).trained["0.bias"], state["0.bias"])
    assert "state_dict_ema" in " ".join(inspect(path).notes)
    found = read_ticket(path, key="state_dict_ema")
    assert torch.equal(found.trained["0.bias"], averaged["0.bias"])
    with pytest.raises(InputError, match="--key"):
        read_ticket(save(tmp_path / "b.pt", {"model_ema": averaged, "epoch": 1}))


def test_optimiser_state_instead_of_weights(tmp_path: Path) -> None:
    optimiser = torch.optim.Adam(build(mlp).parameters())
    with pytest.raises(InputError, match="optimiser"):
        read_ticket(save(tmp_path / "a.pt", optimiser.state_dict()))


def test_key_on_a_file_without_wrapper(tmp_path: Path, state: Net) -> None:
    for name in ("a.pt", "a.safetensors"):
        with pytest.raises(InputError, match="model"):
            read_ticket(save(tmp_path / name, state), key="model")


def test_tied_weights_are_kept_once(tmp_path: Path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.head = nn.Linear(4, 4), nn.Linear(4, 4)
            self.head.weight = self.embed.weight

    net = build(Tied)
    names = {name: tuple(p.shape) for name, p in net.named_parameters()}
    path = save(tmp_path / "a.pt", net.state_dict())
    for known in (None, names):
        found = read_ticket(path, parameter_shapes=known)
        assert set(found.trained) == set(names)
        assert found.notes["source"]["aliases"] == {"head.weight": "embed.weight"}


def test_equal_values_are_not_tied(tmp_path: Path) -> None:
    path = save(tmp_path / "a.pt", {"a": torch.ones(2, 2), "b": torch.ones(2, 2)})
    assert set(read_ticket(path).trained) == {"a", "b"}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("name", ["a.pt", "a.safetensors"])
def test_other_precisions_become_float32(
    tmp_path: Path, state: Net, dtype: torch.dtype, name: str
) -> None:
    cast = {key: tensor.to(dtype) for key, tensor in state.items()}
    ticket = read_ticket(save(tmp_path / name, cast))
    assert all(torch.equal(ticket.trained[k], cast[k].float()) for k in cast)
    assert {t.dtype for t in ticket.trained.values()} == {torch.float32}
    assert "rounded_to_float32" not in ticket.notes


def test_rounding_of_float64_is_noted(tmp_path: Path) -> None:
    path = save(tmp_path / "a.pt", {"a": torch.tensor([0.1], dtype=torch.float64),
                                    "b": torch.tensor([0.5], dtype=torch.float64)})  # fmt: skip
    assert read_ticket(path).notes["rounded_to_float32"] == ["a"]


def test_permuted_weights_keep_their_entries(tmp_path: Path) -> None:
    weights = {
        "c": torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(1)).to(
            memory_format=torch.channels_last
        ),
        "t": torch.arange(6.0).reshape(2, 3).t(),
    }
    ticket = read_ticket(save(tmp_path / "a.pt", weights))
    for name, tensor in weights.items():
        assert torch.equal(ticket.trained[name], tensor)
        assert ticket.trained[name].is_contiguous()


def pruned(*, bias: bool) -> tuple[nn.Module, Net, Net]:
    """A pruned network, its unmasked weights and its masks."""
    net = build(mlp)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        prune.random_unstructured(net[0], "weight", 0.5)
        if bias:
            prune.random_unstructured(net[2], "bias", 0.4)
    masks = {name.removesuffix("_mask"): b.bool() for name, b in net.named_buffers()}
    return net, before, masks


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", ["a.pt", "a.safetensors"])
@pytest.mark.parametrize("known", [False, True])
def test_torch_prune(tmp_path: Path, bias: bool, name: str, known: bool) -> None:
    net, before, masks = pruned(bias=bias)
    path = save(tmp_path / name, {"module." + k: v for k, v in net.state_dict().items()})
    ticket = read_ticket(path, parameter_shapes=shapes(before) if known else None)
    assert set(ticket.trained) == set(before)
    for key, tensor in before.items():
        kept = masks.get(key, torch.ones_like(tensor, dtype=torch.bool))
        assert torch.equal(ticket.trained[key], torch.where(kept, tensor, 0.0))
        assert torch.equal(ticket.mask.of(key, tensor), kept)
    assert ticket.notes["kept_whole"] == ["2.weight"]


def test_removed_pruning_leaves_zeros_that_must_be_asked_for(tmp_path: Path) -> None:
    net, _, masks = pruned(bias=False)
    folded = read_ticket(save(tmp_path / "a.pt", net.state_dict()))
    prune.remove(net[0], "weight")
    path = save(tmp_path / "b.pt", net.state_dict())
    assert read_ticket(path).mask.density == 1.0
    found = read_ticket(path, mask_from_zeros=True)
    assert torch.equal(found.mask["0.weight"], masks["0.weight"])
    assert found.digest == folded.digest
    assert any("mask-from-zeros" in text for text in inspect(path).missing)


def test_shrinkbench_masks(tmp_path: Path, state: Net) -> None:
    masks = half_mask(state)
    trained = Mask(masks).apply(state)
    beside = {f"{name}_mask": mask.float() for name, mask in masks.items()}
    ticket = read_ticket(save(tmp_path / "a.pt", {**trained, **beside}))
    assert ticket.mask == Mask(masks)
    assert set(ticket.trained) == set(state)


def test_a_mask_that_is_no_mask(tmp_path: Path) -> None:
    orig = {"w_orig": torch.ones(2, 2)}
    for beside in ({}, {"w_mask": torch.full((2, 2), 0.5)}, {"w_mask": torch.ones(4)},
                   {"w_mask": torch.ones(2, 2), "w": torch.ones(2, 2)}):  # fmt: skip
        with pytest.raises(InputError, match=r"prune\.remove"):
            read_ticket(save(tmp_path / "a.pt", {**orig, **beside}))
    # A tensor that happens to be called so is an ordinary tensor.
    ordinary = {"w": torch.ones(2, 2), "w_mask": torch.full((2, 2), 0.5)}
    assert set(read_ticket(save(tmp_path / "a.pt", ordinary)).trained) == set(ordinary)


def test_parametrizations_are_refused_with_advice(tmp_path: Path) -> None:
    net = parametrizations.weight_norm(nn.Linear(3, 3))
    with pytest.raises(InputError, match="remove_parametrizations"):
        read_ticket(save(tmp_path / "a.pt", net.state_dict()))


@pytest.mark.parametrize("dtype", [torch.bool, torch.int32, torch.uint8, torch.float32])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_separate_files(tmp_path: Path, state: Net, dtype: torch.dtype, suffix: str) -> None:
    masks = half_mask(state)
    trained = {name: tensor * 2 for name, tensor in Mask(masks).apply(state).items()}
    ticket = read_ticket(
        save(tmp_path / f"trained{suffix}", trained),
        init=save(tmp_path / f"init{suffix}", {"module." + k: v for k, v in state.items()}),
        mask=save(tmp_path / f"mask{suffix}", {k: v.to(dtype) for k, v in masks.items()}),
    )
    expected = Ticket(init=state, mask=Mask(masks), trained=trained)
    assert ticket.digest == expected.digest


def test_one_tensor_may_be_the_mask_of_several(tmp_path: Path) -> None:
    ones = torch.ones(2, 2, dtype=torch.int32)
    weights = {"a": torch.full((2, 2), 3.0), "b": torch.full((2, 2), 4.0)}
    ticket = read_ticket(
        save(tmp_path / "w.pt", weights), mask=save(tmp_path / "m.pt", {"a": ones, "b": ones})
    )
    assert set(ticket.mask) == {"a", "b"}


@pytest.mark.parametrize(
    ("odd", "match"),
    [
        ({"9.weight": torch.ones(2, 2)}, r"9\.weight"),
        ({"0.weight": torch.ones(6, 5)}, r"\(6, 5\)"),
        ({"0.weight": torch.full((5, 6), 2)}, "zeros and ones"),
        ({"0.weight": torch.full((5, 6), 0.5)}, "zeros and ones"),
        ({"0.weight": torch.full((5, 6), float("nan"))}, "zeros and ones"),
    ],
)
def test_masks_that_do_not_fit(tmp_path: Path, state: Net, odd: Net, match: str) -> None:
    with pytest.raises(InputError, match=match):
        read_ticket(save(tmp_path / "a.pt", state), mask=save(tmp_path / "m.pt", odd))


def test_mask_of_another_run(tmp_path: Path, state: Net) -> None:
    masks = half_mask(state)
    trained = save(tmp_path / "a.pt", Mask(masks).apply(state))
    other = save(tmp_path / "m.pt", {name: ~mask for name, mask in masks.items()})
    with pytest.raises(InputError, match=r"not zero where the mask removes: 0\.weight \(15\)"):
        read_ticket(trained, mask=other)


def test_masked_init_is_recognised(tmp_path: Path, state: Net) -> None:
    masks = half_mask(state)
    trained = Mask(masks).apply({name: tensor * 2 for name, tensor in state.items()})
    files = {
        "path": save(tmp_path / "trained.pt", trained),
        "mask": save(tmp_path / "mask.pt", masks),
    }
    masked = save(tmp_path / "init_model.pt", Mask(masks).apply(state))
    with pytest.raises(InputError, match=r"already masked .* give the unmasked one \(level_0\)"):
        read_ticket(**files, init=masked)
    # One masked tensor among several is enough; biases, which start at zero, are no sign of it.
    partly = {**state, "0.weight": Mask(masks).apply(state)["0.weight"]}
    with pytest.raises(InputError, match="already masked"):
        read_ticket(**files, init=save(tmp_path / "partly.pt", partly))
    zero_head = {**state, "2.weight": torch.zeros(3, 5), "0.bias": torch.zeros(5)}
    found = read_ticket(**files, init=save(tmp_path / "zero.pt", zero_head))
    assert found.init is not None


def test_init_of_a_pruned_file_is_taken_unmasked(tmp_path: Path) -> None:
    net, before, _ = pruned(bias=False)
    path = save(tmp_path / "a.pt", net.state_dict())
    ticket = read_ticket(path, init=path)
    assert ticket.init is not None
    assert torch.equal(ticket.init["0.weight"], before["0.weight"])


def test_init_must_fit(tmp_path: Path, state: Net) -> None:
    path = save(tmp_path / "a.pt", state)
    odd = {"0.weight": state["0.weight"].t(), "0.bias": state["0.bias"], "extra": torch.ones(1)}
    with pytest.raises(InputError) as caught:
        read_ticket(path, init=save(tmp_path / "init.pt", odd))
    for text in ("missing 2.weight, 2.bias", "unexpected extra", "0.weight is transposed"):
        assert text in str(caught.value)


def test_names_and_shapes_must_be_those_of_the_network(tmp_path: Path, state: Net) -> None:
    wanted = shapes(state)
    assert set(read_ticket(save(tmp_path / "a.pt", state), parameter_shapes=wanted).trained) == set(
        wanted
    )
    odd = dict(state)
    odd["0.weight"] = odd["0.weight"].t()
    odd["renamed.bias"] = odd.pop("0.bias")
    with pytest.raises(InputError) as caught:
        read_ticket(save(tmp_path / "b.pt", odd), parameter_shapes=wanted)
    message = str(caught.value)
    for text in ("missing 0.bias", "unexpected renamed.bias", "0.weight is transposed: (6, 5)"):
        assert text in message
    assert len(message.splitlines()) == 1


def test_buffers_are_told_by_name(tmp_path: Path) -> None:
    state = {"w": torch.ones(2, 2), "table": torch.arange(3.0), "steps": torch.tensor(4)}
    path = save(tmp_path / "a.pt", state)
    ticket = read_ticket(path, parameter_shapes={"w": (2, 2)}, buffer_names=["table", "steps"])
    assert set(ticket.trained) == {"w"}
    assert torch.equal(ticket.buffers["table"], state["table"])
    assert ticket.buffers["steps"].dtype == torch.int64
    with pytest.raises(InputError, match="unexpected table"):
        read_ticket(path, parameter_shapes={"w": (2, 2)}, buffer_names=["steps"])
    with pytest.raises(InputError, match="missing other"):
        read_ticket(path, parameter_shapes={"w": (2, 2)}, buffer_names=["steps", "table", "other"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_running_statistics_are_buffers_in_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).to(dtype)
    path = save(tmp_path / "a.pt", net.state_dict())
    names = {f"1.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")}
    shapes = {name: tuple(p.shape) for name, p in net.named_parameters()}
    for ticket in (
        read_ticket(path),
        read_ticket(path, init=path, parameter_shapes=shapes, buffer_names=names),
    ):
        assert set(ticket.trained) == set(shapes)
        assert set(ticket.buffers) == names
        assert ticket.buffers["1.running_var"].dtype == torch.float32
        assert ticket.buffers["1.num_batches_tracked"].dtype == torch.int64
    assert set(inspect(path).buffers) == names


@pytest.mark.parametrize("factory", [mlp, convnet, normed])
def test_real_networks(tmp_path: Path, factory: Any) -> None:
    net = build(factory)
    found = read_ticket(
        save(tmp_path / "a.pt", net.state_dict()),
        parameter_shapes={name: tuple(p.shape) for name, p in net.named_parameters()},
    )
    assert all(torch.equal(found.trained[name], p) for name, p in net.named_parameters())


def test_options_that_contradict_each_other(tmp_path: Path, state: Net) -> None:
    path = save(tmp_path / "a.pt", state)
    with pytest.raises(UsageError, match="not both"):
        read_ticket(path, mask=path, mask_from_zeros=True)
    pruned_net, _, _ = pruned(bias=False)
    beside = save(tmp_path / "b.pt", pruned_net.state_dict())
    with pytest.raises(UsageError, match="masks of its own"):
        read_ticket(beside, mask_from_zeros=True)


@pytest.mark.parametrize(
    ("name", "data", "match"),
    [
        ("m.onnx", b"\x08\x07\x12\x07pytorch", "ONNX"),
        ("m.tar", b"\0" * 257 + b"ustar" + b"\0" * 300, "torch before 1.6"),
        ("m.pt", b"", "empty"),
        ("m.pt", b"GIF89a", "neither"),
        ("m.npz", b"\x93NUMPY", "neither"),
    ],
)
def test_other_formats_are_refused_with_a_remedy(
    tmp_path: Path, name: str, data: bytes, match: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=match):
        read_ticket(tmp_path / name)


def test_old_serialisation_is_refused_with_a_remedy(tmp_path: Path, state: Net) -> None:
    torch.save(state, tmp_path / "a.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(InputError, match=r"torch before 1\.6"):
        read_ticket(tmp_path / "a.pt")


def test_folders_that_are_no_tickets(tmp_path: Path, state: Net) -> None:
    with pytest.raises(InputError, match=r"no ticket\.json"):
        read_ticket(tmp_path)
    save(tmp_path / "weights.safetensors", state)
    with pytest.raises(InputError, match=r"weights\.safetensors"):
        read_ticket(tmp_path)
    for name in (".metadata", "__0_0.distcp"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match="dcp_to_torch"):
        inspect(tmp_path)
