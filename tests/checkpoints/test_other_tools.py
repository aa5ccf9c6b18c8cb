"""Files of other tools, made by the tool where it is installed, else laid out key for key."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize
from torch.optim.swa_utils import AveragedModel

from pacbayes.checkpoints import convert, inspect, read_ticket
from pacbayes.checkpoints import large_file as large
from pacbayes.data.vision import torchvision
from pacbayes.errors import InputError
from pacbayes.tickets import Mask
from tests.checkpoints.hostile import saved, zipped
from tests.checkpoints.runs import lth_pacbayes
from tests.networks import build, mlp

Net = dict[str, Tensor]
SHAPES = {name: tuple(p.shape) for name, p in build(mlp).named_parameters()}


@pytest.fixture
def state() -> Net:
    return {name: t.detach() for name, t in build(mlp).state_dict().items()}


def digest(path: Path, **options: Any) -> str:
    return read_ticket(path, parameter_shapes=SHAPES, **options).digest


@pytest.fixture
def plain(tmp_path: Path, state: Net) -> str:
    torch.save(state, tmp_path / "plain.pt")
    return digest(tmp_path / "plain.pt")


# --- parametrizations


class Masked(nn.Module):
    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.mask


def test_masks_of_parametrizations_are_folded(tmp_path: Path) -> None:
    net = build(mlp)
    before = net[0].weight.detach().clone()
    mask = (torch.arange(30).reshape(5, 6) % 3 > 0).float()
    parametrize.register_parametrization(net[0], "weight", Masked(mask))
    for name, prefix in (("a.pt", ""), ("b.pt", "module.")):
        torch.save({prefix + k: v for k, v in net.state_dict().items()}, tmp_path / name)
        ticket = read_ticket(tmp_path / name, parameter_shapes=SHAPES)
        assert torch.equal(ticket.mask["0.weight"], mask.bool())
        assert torch.equal(ticket.trained["0.weight"], torch.where(mask.bool(), before, 0.0))


def test_a_parametrization_of_the_top_module(tmp_path: Path) -> None:
    layer = nn.Linear(3, 2)
    parametrize.register_parametrization(layer, "weight", Masked(torch.eye(2, 3)))
    torch.save(layer.state_dict(), tmp_path / "a.pt")
    assert set(read_ticket(tmp_path / "a.pt").trained) == {"weight", "bias"}


def _sparsified(module: nn.Module) -> nn.Module:
    from torch.ao.pruning import WeightNormSparsifier

    net = nn.Sequential(module)
    sparsifier = WeightNormSparsifier(sparse_block_shape=(1, 1))
    sparsifier.prepare(net, config=None)
    sparsifier.step()
    return net


def _masked_by(module: nn.Module, mask: Tensor) -> nn.Module:
    parametrize.register_parametrization(module, "weight", Masked(mask), unsafe=True)
    return module


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (parametrizations.weight_norm, "weight norm"),
        (parametrizations.spectral_norm, "spectral norm"),
        (_sparsified, "squash_mask"),
        (lambda m: _masked_by(m, torch.full((3, 3), 0.5)), "no mask of zeros and ones"),
        (lambda m: _masked_by(m, torch.ones(3)), "no mask of zeros and ones"),
    ],
)
def test_other_parametrizations_are_refused(tmp_path: Path, make: Any, match: str) -> None:
    torch.save(make(nn.Linear(3, 3)).state_dict(), tmp_path / "a.pt")
    for look in (read_ticket, inspect, convert):
        with pytest.raises(InputError, match=match) as caught:
            look(tmp_path / "a.pt")
        assert "before saving" in str(caught.value)


def test_squashed_masks_are_zeros(tmp_path: Path) -> None:
    from torch.ao.pruning import WeightNormSparsifier

    net = nn.Sequential(nn.Linear(8, 8))
    sparsifier = WeightNormSparsifier(sparse_block_shape=(1, 1))
    sparsifier.prepare(net, config=None)
    sparsifier.step()
    sparsifier.squash_mask()
    torch.save(net.state_dict(), tmp_path / "a.pt")
    assert read_ticket(tmp_path / "a.pt", mask_from_zeros=True).mask.density == 0.5


# --- training files


def lightning(state: Net, **more: Any) -> dict[str, Any]:
    return {
        "epoch": 3, "global_step": 120, "pytorch-lightning_version": "2.5.5",
        "state_dict": {"model." + name: t for name, t in state.items()},
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 1}}}},
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_score": None}},
        "optimizer_states": [{"state": {}, "param_groups": [{"lr": 0.1, "params": [0]}]}],
        "lr_schedulers": [], "hparams_name": "kwargs", "hyper_parameters": {"width": 5}, **more,
    }  # fmt: skip


TRAINING = {
    "Lightning": lightning,
    "torchvision reference": lambda state: {
        "model": state, "optimizer": {"state": {}, "param_groups": []}, "epoch": 9,
        "lr_scheduler": {"base_lrs": [0.1]}, "args": argparse.Namespace(lr=0.1, model="x"),
        "scaler": {"scale": 65536.0},
    },
    "timm": lambda state: {
        "epoch": 4, "arch": "resnet18", "state_dict": state, "version": 2, "metric": 71.5,
        "optimizer": {"state": {}, "param_groups": []}, "args": argparse.Namespace(model="x"),
        "amp_scaler": {},
    },
    "nanoGPT": lambda state: {
        "model": {"_orig_mod." + name: t for name, t in state.items()}, "iter_num": 7,
        "optimizer": {"state": {}, "param_groups": []}, "model_args": {"n_layer": 1},
        "best_val_loss": torch.tensor(2.0), "config": {},
    },
}  # fmt: skip


@pytest.mark.parametrize("tool", list(TRAINING))
def test_training_files(tmp_path: Path, state: Net, plain: str, tool: str) -> None:
    path = tmp_path / "a.ckpt"
    torch.save(TRAINING[tool](state), path)
    assert digest(path) == plain
    assert tool in " ".join(inspect(path).notes)
    assert tool in " ".join(read_ticket(path).notes["source"]["remarks"])


def test_hyper_parameters_of_any_class_are_named(tmp_path: Path, state: Net) -> None:
    torch.save(lightning(state, hyper_parameters={"path": Path("x")}), tmp_path / "a.ckpt")
    with pytest.raises(InputError, match=r"pathlib.*checkpoint\['state_dict'\]"):
        read_ticket(tmp_path / "a.ckpt")


def test_averaged_weights_of_torchvision_only_on_request(
    tmp_path: Path, state: Net, plain: str
) -> None:
    averaged = AveragedModel(build(mlp))
    with torch.no_grad():
        averaged.module[0].weight.add_(1)
    value = {**TRAINING["torchvision reference"](state), "model_ema": averaged.state_dict()}
    torch.save(value, tmp_path / "a.pt")
    assert digest(tmp_path / "a.pt") == plain
    assert any("--key model_ema" in note for note in inspect(tmp_path / "a.pt").notes)
    found = read_ticket(tmp_path / "a.pt", key="model_ema", parameter_shapes=SHAPES)
    assert torch.equal(found.trained["0.weight"], averaged.module[0].weight)
    assert any("averaged" in text for text in found.notes["source"]["remarks"])


def test_a_tensor_called_n_averaged_stays(tmp_path: Path) -> None:
    torch.save({"n_averaged": torch.tensor(1), "w": torch.ones(2, 2)}, tmp_path / "a.pt")
    assert "n_averaged" in read_ticket(tmp_path / "a.pt").buffers


@pytest.mark.parametrize("times", [1, 3])
def test_shrinkbench_masks_are_multiplied_in(tmp_path: Path, state: Net, times: int) -> None:
    mask = (torch.arange(30).reshape(5, 6) % 2).float()
    inner = {**state, "0.weight_mask": mask, "0.bias_mask": torch.ones(5)}
    inner["0.weight"] = inner["0.weight"] * times
    torch.save({"model_state_dict": inner, "optim_state_dict": {}}, tmp_path / "a.pt")
    ticket = read_ticket(tmp_path / "a.pt", parameter_shapes=SHAPES)
    assert torch.equal(ticket.mask["0.weight"], mask.bool())
    expected = torch.where(mask.bool(), inner["0.weight"], 0.0)
    assert torch.equal(ticket.trained["0.weight"], expected)


# --- Hugging Face


def hugging_face(folder: Path, state: Net, *, suffix: str = "safetensors") -> Path:
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "x"}')
    stem = "model" if suffix == "safetensors" else "pytorch_model"
    shards: dict[str, Net] = {}
    for k, name in enumerate(state):
        shards.setdefault(f"{stem}-0000{k % 2 + 1}-of-00002.{suffix}", {})[name] = state[name]
    for file, tensors in shards.items():
        save_file(tensors, folder / file) if suffix == "safetensors" else torch.save(
            tensors, folder / file
        )
    weight_map = {name: file for file, tensors in shards.items() for name in tensors}
    (folder / f"{stem}.{suffix}.index.json").write_text(
        json.dumps({"metadata": {"total_size": 240}, "weight_map": weight_map})
    )
    return folder


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_shards(tmp_path: Path, state: Net, plain: str, suffix: str) -> None:
    folder = hugging_face(tmp_path / "model", state, suffix=suffix)
    index = next(folder.glob("*.index.json"))
    for path in (folder, index):
        assert digest(path) == plain
        assert inspect(path).format == "Hugging Face shards"
        assert {t.name for t in inspect(path).tensors} == set(state)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_folder_with_one_file(tmp_path: Path, state: Net, plain: str, name: str) -> None:
    (tmp_path / "model").mkdir()
    path = tmp_path / "model" / name
    save_file(state, path) if name.endswith("safetensors") else torch.save(state, path)
    assert digest(tmp_path / "model") == plain
    zeros = read_ticket(tmp_path / "model", mask_from_zeros=True)
    assert zeros.mask.density == 1


def change(folder: Path, **entries: Any) -> None:
    index = folder / "model.safetensors.index.json"
    value = json.loads(index.read_text())
    value["weight_map"].update(entries)
    index.write_text(json.dumps(value))


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        ({"0.bias": "../secret.safetensors"}, "not a file"),
        ({"0.bias": "/etc/x.safetensors"}, "not a file"),
        ({"0.bias": "x.py"}, "not a file"),
        ({"0.bias": 3}, "not a file"),
        ({"0.bias": ".hidden.safetensors"}, "not a file"),
        ({"0.bias": "absent.safetensors"}, "no such file"),
        ({"0.bias": "model-00001-of-00002.safetensors"}, "lacks 0.bias"),
        ({"more": "model-00001-of-00002.safetensors"}, "lacks more"),
        ({"a\x1b[1m": "model-00001-of-00002.safetensors"}, "tensor name"),
    ],
)
def test_an_index_that_does_not_fit(
    tmp_path: Path, state: Net, entries: dict[str, Any], match: str
) -> None:
    folder = hugging_face(tmp_path / "model", state)
    change(folder, **entries)
    with pytest.raises(InputError, match=match):
        read_ticket(folder)


def test_a_shard_with_more_than_assigned(tmp_path: Path, state: Net) -> None:
    folder = hugging_face(tmp_path / "model", state)
    index = folder / "model.safetensors.index.json"
    value = json.loads(index.read_text())
    del value["weight_map"]["0.bias"]
    index.write_text(json.dumps(value))
    with pytest.raises(InputError, match=r"has besides 0\.bias"):
        read_ticket(folder)


@pytest.mark.parametrize("text", ["{}", '{"weight_map": []}', '{"weight_map": {}}', "[", "\xff"])
def test_an_index_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputError):
        read_ticket(tmp_path)


def test_whole_file_and_index_are_ambiguous(tmp_path: Path, state: Net) -> None:
    folder = hugging_face(tmp_path / "model", state)
    save_file(state, folder / "model.safetensors")
    with pytest.raises(InputError, match="name one of them"):
        read_ticket(folder)


# --- npz


def test_npz(tmp_path: Path, state: Net, plain: str) -> None:
    arrays = {name: t.numpy() for name, t in state.items()}
    np.savez(tmp_path / "a.npz", **arrays)
    assert digest(tmp_path / "a.npz") == plain
    assert inspect(tmp_path / "a.npz").format == "NumPy archive"
    turned = {name: np.asfortranarray(array) for name, array in arrays.items()}
    np.savez(tmp_path / "b.npz", **turned)
    assert digest(tmp_path / "b.npz") == plain


def test_npz_as_mask_and_init(tmp_path: Path, state: Net) -> None:
    masks = {name: (torch.arange(t.numel()) % 2 == 0).reshape(t.shape)
             for name, t in state.items() if t.ndim > 1}  # fmt: skip
    torch.save(Mask(masks).apply(state), tmp_path / "a.pt")
    np.savez(tmp_path / "init.npz", **{name: t.numpy() for name, t in state.items()})
    for dtype in ("bool", "int32", "uint8", "float32"):
        np.savez(tmp_path / "mask.npz", **{k: v.numpy().astype(dtype) for k, v in masks.items()})
        found = read_ticket(
            tmp_path / "a.pt", mask=tmp_path / "mask.npz", init=tmp_path / "init.npz"
        )
        assert found.mask == Mask(masks)


def npy(header: str, data: bytes = b"", *, magic: bytes = b"\x93NUMPY\x01\x00") -> bytes:
    text = header.encode("latin-1")
    return magic + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    ("members", "match"),
    [
        ([("a.npy", npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"))], "dtype"),
        ([("a.npy", npy("{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}", b"1234"))],
         "little-endian"),
        ([("a.npy", npy("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", bytes(8)))],
         "dtype"),
        ([("a.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,)}"))],
         "does not fit"),
        ([("a.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0,)}"))], "positive"),
        ([("a.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", bytes(4)))],
         "positive"),
        ([("a.npy", npy("{'descr': '|b1', 'fortran_order': False, 'shape': (1,)}", b"\x02"))],
         "truth values"),
        ([("a.npy", npy("[" * 5000))], "malformed header"),
        ([("a.npy", npy("__import__('os').system('x')"))], "malformed header"),
        ([("a.npy", b"")], "malformed header"),
        ([("a.npy", b"\x93NUMPY\x09\x00")], "malformed header"),
        ([("a.txt", b"x")], "member named"),
        ([("../a.npy", b"x")], "member named"),
        ([("a.npy", b"x"), ("a.npy", b"x")], "two members"),
    ],
)  # fmt: skip
def test_bad_npz(tmp_path: Path, members: list[tuple[str, bytes]], match: str) -> None:
    (tmp_path / "a.npz").write_bytes(zipped(members))
    for look in (read_ticket, inspect):
        with pytest.raises(InputError, match=match):
            look(tmp_path / "a.npz")


def test_compressed_npz_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", a=np.ones((4, 4), np.float32))
    with pytest.raises(InputError, match=r"compressed.*numpy\.savez"):
        read_ticket(tmp_path / "a.npz")


# --- refusals


def test_exported_programs_are_refused(tmp_path: Path) -> None:
    entries = [("a/archive_format", b"pt2"), ("a/data.pkl", b"")]
    (tmp_path / "a.pt2").write_bytes(zipped(entries))
    with pytest.raises(InputError, match="carries code"):
        read_ticket(tmp_path / "a.pt2")


def test_refusals_name_a_remedy_in_one_line(tmp_path: Path) -> None:
    torch.save(build(mlp), tmp_path / "module.pt")
    torch.jit.script(nn.Linear(2, 2)).save(str(tmp_path / "script.pt"))
    (tmp_path / "net.onnx").write_bytes(b"\x08\x07")
    (tmp_path / "dcp").mkdir()
    for name in (".metadata", "__0_0.distcp"):
        (tmp_path / "dcp" / name).write_bytes(b"")
    for name, remedy in [("module.pt", "state_dict"), ("script.pt", "state_dict"),
                         ("net.onnx", "state_dict"), ("dcp", "dcp_to_torch")]:  # fmt: skip
        with pytest.raises(InputError, match=remedy) as caught:
            read_ticket(tmp_path / name)
        assert len(str(caught.value).splitlines()) == 1


# --- convert


def written(path: Path, tensors: Any) -> Path:
    save_file({k: t.contiguous() for k, t in tensors.items()}, path)
    return path


@pytest.mark.parametrize("make", ["plain", "lightning", "run", "prune"])
def test_converted_files_give_the_same_ticket(tmp_path: Path, state: Net, make: str) -> None:
    source = tmp_path / "a.ckpt"
    if make == "run":
        source = lth_pacbayes(tmp_path) / "replicate_0" / "level_2"
    elif make == "prune":
        mask = (torch.arange(30).reshape(5, 6) % 2).float()
        pruned = {("0.weight_orig" if k == "0.weight" else k): t for k, t in state.items()}
        source.write_bytes(saved({**pruned, "0.weight_mask": mask}))
    else:
        source.write_bytes(saved(lightning(state) if make == "lightning" else state))
    found = convert(source)
    parts = {"mask": found.mask, "init": found.init}
    files = {k: written(tmp_path / f"{k}.safetensors", v) for k, v in parts.items() if v}
    again = read_ticket(written(tmp_path / "a.safetensors", found.weights), **files)
    assert again.digest == read_ticket(source).digest
    assert (set(files) == {"mask", "init"}) == (make == "run")


def test_convert_keeps_running_statistics(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    torch.save(net.state_dict(), tmp_path / "a.pt")
    assert set(convert(tmp_path / "a.pt").weights) == set(net.state_dict())


def test_convert_refuses_what_is_not_finite(tmp_path: Path) -> None:
    torch.save({"w": torch.tensor([[1.0, float("nan")]])}, tmp_path / "a.pt")
    with pytest.raises(InputError, match=r"w\[0, 1\] is nan"):
        convert(tmp_path / "a.pt")


# --- large files


def test_large_files_are_read_tensor_by_tensor(
    tmp_path: Path, state: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({"model": {"module." + k: t for k, t in state.items()}}, tmp_path / "a.pt")
    save_file({**state, "steps": torch.tensor(3)}, tmp_path / "a.safetensors")
    small = {name: inspect(tmp_path / name) for name in ("a.pt", "a.safetensors")}
    monkeypatch.setattr(large, "LARGE", 10)
    for name, known in small.items():
        found = inspect(tmp_path / name)
        assert (found.wrapper, found.prefix, found.sha256) == (
            known.wrapper, known.prefix, known.sha256,
        )  # fmt: skip
        assert {(t.name, t.role, t.shape, t.dtype) for t in found.tensors} == {
            (t.name, t.role, t.shape, t.dtype) for t in known.tensors
        }
    known = {t.name: t.density for t in small["a.safetensors"].tensors}
    found = inspect(tmp_path / "a.safetensors")
    assert {t.name: t.density for t in found.tensors} == known
    assert "values not read" in inspect(tmp_path / "a.pt").to_text()


def test_large_files_show_nan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "LARGE", 10)
    save_file(
        {"a": torch.ones(9), "b": torch.tensor([1.0, float("inf")])}, tmp_path / "a.safetensors"
    )
    assert inspect(tmp_path / "a.safetensors").problems == ("parameter b[1] is inf",)


# --- the real libraries, where they are installed


def test_lightning_itself(tmp_path: Path) -> None:
    torchvision()  # which Lightning would load in vain beside a CPU build of torch
    library = pytest.importorskip("pytorch_lightning")

    class Module(library.LightningModule):
        def __init__(self, width: int = 5) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.model = build(mlp)

        def training_step(self, batch: Any, _: int) -> Tensor:
            return self.model(batch[0]).square().mean()

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters())

    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(8, 6)), 4)
    trainer = library.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False, default_root_dir=tmp_path,
    )  # fmt: skip
    module = Module()
    trainer.fit(module, data)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    ticket = read_ticket(tmp_path / "a.ckpt", parameter_shapes=SHAPES)
    for name, parameter in module.model.named_parameters():
        assert torch.equal(ticket.trained[name], parameter)
    assert "Lightning" in " ".join(inspect(tmp_path / "a.ckpt").notes)


def test_timm_itself(tmp_path: Path) -> None:
    torchvision()
    library = pytest.importorskip("timm.utils")
    net = build(mlp)
    net.pretrained_cfg = {"architecture": "mlp"}
    averaged = library.ModelEmaV3(net, decay=0.5)
    saver = library.CheckpointSaver(
        model=net, optimizer=torch.optim.SGD(net.parameters(), lr=0.1), model_ema=averaged,
        args=argparse.Namespace(model="mlp"), checkpoint_dir=str(tmp_path),
    )  # fmt: skip
    with torch.no_grad():
        averaged.module[0].weight.add_(1)
    saver.save_checkpoint(3, metric=0.5)
    path = tmp_path / "last.pth.tar"
    ticket = read_ticket(path, parameter_shapes=SHAPES)
    assert torch.equal(ticket.trained["0.weight"], net[0].weight)
    other = read_ticket(path, key="state_dict_ema", parameter_shapes=SHAPES)
    assert torch.equal(other.trained["0.weight"], net[0].weight + 1)
