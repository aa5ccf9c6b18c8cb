"""Whole run directories: every level and replicate, and the true initial weights."""

import shutil
from pathlib import Path

import pytest
import torch

from pacbayes.checkpoints import inspect, read_ticket
from pacbayes.errors import InputError, UsageError
from pacbayes.models import build_model
from pacbayes.tickets import Mask, Ticket
from tests.checkpoints.runs import initial, lth_pacbayes, mask_of_level, masked, open_lth, trained

SHAPES = {name: tuple(t.shape) for name, t in initial().items()}


def expected(level: int) -> Ticket:
    mask = Mask({name: t.bool() for name, t in mask_of_level(level).items()})
    return Ticket(init=initial(), mask=mask, trained=mask.apply(trained(level)))


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_level_of_lth_pacbayes_has_the_init_of_level_0(tmp_path: Path, level: int) -> None:
    run = lth_pacbayes(tmp_path)
    ticket = read_ticket(run / "replicate_1" / f"level_{level}", parameter_shapes=SHAPES)
    assert ticket.digest == expected(level).digest
    assert ticket.level == level
    assert ticket.provenance.data is None
    assert ticket.notes["run"]["args"]["model_name"] == "lenet"
    assert ticket.notes["run"]["replicate"] == 1


def test_the_stored_init_of_a_later_level_is_the_trap(tmp_path: Path) -> None:
    run = lth_pacbayes(tmp_path)
    level = run / "replicate_0" / "level_2"
    files = {"mask": level / "mask.pth", "init": level / "init_model.pth"}
    with pytest.raises(InputError, match="already masked"):
        read_ticket(level / "trained_model.pth", **files)


def test_their_figures_are_kept_as_estimates(tmp_path: Path) -> None:
    run = lth_pacbayes(tmp_path)
    notes = read_ticket(run / "replicate_0" / "level_1").notes["run"]
    assert notes["their_estimates"] == {
        "result_spike-and-slab_0.json": {"bound_list": 0.4, "kl_list": 8.0}
    }


def test_an_unfinished_run_has_no_arguments_and_is_read(tmp_path: Path) -> None:
    run = lth_pacbayes(tmp_path, finished=False)
    ticket = read_ticket(run / "replicate_0" / "level_2")
    assert ticket.digest == expected(2).digest
    assert "args" not in ticket.notes["run"]


def test_without_level_0_there_is_no_init(tmp_path: Path) -> None:
    run = lth_pacbayes(tmp_path)
    shutil.rmtree(run / "replicate_0" / "level_0")
    ticket = read_ticket(run / "replicate_0" / "level_2")
    assert ticket.init is None
    assert "masked" in ticket.notes["run"]["init"]
    assert any("masked" in text for text in inspect(run / "replicate_0" / "level_2").missing)


@pytest.mark.parametrize("rewound", [False, True])
@pytest.mark.parametrize("level", [0, 2])
@pytest.mark.parametrize("branch", ["", "main"])
def test_a_level_of_open_lth(tmp_path: Path, level: int, branch: str, rewound: bool) -> None:
    """The last step as a number, not as a text; the mask multiplied in as their network does."""
    run = open_lth(tmp_path, rewound=rewound)
    folder = run / "replicate_1" / f"level_{level}" / branch
    ticket = read_ticket(folder, parameter_shapes=SHAPES)
    assert ticket.digest == expected(level).digest
    assert ticket.level == level
    assert ticket.notes["run"]["step"] == "model_ep10_it0.pth"


def test_rewound_weights_are_never_the_init(tmp_path: Path) -> None:
    """Without the pretraining, the first step of level 0 has seen data."""
    run = open_lth(tmp_path, rewound=True)
    shutil.rmtree(run / "replicate_1" / "level_pretrain")
    ticket = read_ticket(run / "replicate_1" / "level_2")
    assert ticket.init is None
    assert "seen data" in ticket.notes["run"]["init"]


def test_branches(tmp_path: Path) -> None:
    run = open_lth(tmp_path)
    level = run / "replicate_1" / "level_1"
    shutil.copytree(level / "main", level / "randomly_reinitialize_abc")
    assert read_ticket(level / "main").digest == expected(1).digest
    assert read_ticket(level / "randomly_reinitialize_abc").notes["run"]["branch"]
    with pytest.raises(InputError, match="name one"):
        read_ticket(level)


@pytest.mark.parametrize("make", [open_lth, lth_pacbayes])
def test_all_levels_and_replicates_are_listed(tmp_path: Path, make) -> None:  # noqa: ANN001
    run = make(tmp_path, replicates=2, levels=2)
    first = 1 if make is open_lth else 0
    with pytest.raises(InputError) as caught:
        read_ticket(run)
    message = str(caught.value)
    assert f"replicate {first}: levels 0, 1; replicate {first + 1}: levels 0, 1" in message
    assert len(message.splitlines()) == 1
    found = inspect(run)
    assert found.kind == "run"
    assert len(found.facts) == 4
    assert "2 replicates, 4 levels" in found.to_text()
    densities = [text.split(",")[0] for text in found.facts.values()]
    assert densities[0] == densities[2] == "density 1.0000"
    kept = sum(int(t.sum()) for t in mask_of_level(1).values())
    assert densities[1] == f"density {kept / 45:.4f}"
    one = inspect(run / f"replicate_{first}" / "level_1")
    assert {t.role for t in one.tensors} == {"parameter", "mask", "init"}


def test_one_level_alone_needs_no_name(tmp_path: Path) -> None:
    run = open_lth(tmp_path, levels=1)
    assert read_ticket(run).digest == expected(0).digest


def test_options_for_files_are_refused(tmp_path: Path) -> None:
    run = open_lth(tmp_path, levels=1)
    with pytest.raises(UsageError, match="--mask-from-zeros: goes with a file"):
        read_ticket(run, mask_from_zeros=True)


def test_checkpoint_of_open_lth(tmp_path: Path) -> None:
    mask = mask_of_level(2)
    buffers = {"mask_" + name.replace(".", "___"): t.float() for name, t in mask.items()}
    state = {"model." + name: t for name, t in trained(2).items()}
    value = {"ep": 3, "it": 0, "model_state_dict": {**state, **buffers},
             "optimizer_state_dict": {}, "logger": "epoch,1"}  # fmt: skip
    torch.save(value, tmp_path / "checkpoint.pth")
    ticket = read_ticket(tmp_path / "checkpoint.pth", parameter_shapes=SHAPES)
    assert ticket.mask == expected(2).mask
    assert torch.equal(ticket.trained["fc.weight"], expected(2).trained["fc.weight"])
    assert "open_lth" in " ".join(ticket.notes["source"]["remarks"])


def test_a_level_without_an_end_is_refused(tmp_path: Path) -> None:
    run = open_lth(tmp_path)
    folder = run / "replicate_1" / "level_1" / "main"
    for name in ("model_ep9_it7.pth", "model_ep10_it0.pth"):
        (folder / name).unlink()
    with pytest.raises(InputError, match="no end yet"):
        read_ticket(folder)


def test_malformed_records_of_a_run_are_refused(tmp_path: Path) -> None:
    run = lth_pacbayes(tmp_path)
    (run / "replicate_0" / "result.json").write_text('{"args": NaN}')
    with pytest.raises(InputError, match=r"result\.json is not valid JSON"):
        read_ticket(run / "replicate_0" / "level_1")


def test_a_mask_of_another_network_is_refused(tmp_path: Path) -> None:
    run = lth_pacbayes(tmp_path)
    level = run / "replicate_0" / "level_1"
    torch.save({"other.weight": torch.ones(2, 2, dtype=torch.int32)}, level / "mask.pth")
    with pytest.raises(InputError, match=r"mask\.pth"):
        read_ticket(level)


def test_masked_helper_is_the_product() -> None:
    mask = mask_of_level(1)
    assert torch.equal(masked(initial(), mask)["fc.weight"] != 0, mask["fc.weight"].bool())


def test_a_run_of_resnet20_with_its_statistics(tmp_path: Path) -> None:
    """The published code saves buffers in every file; those of the trained network count."""
    model = build_model("resnet20", in_shape=(3, 32, 32), classes=10, seed=1)
    begun = {name: t.clone() for name, t in model.state_dict().items()}
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    kept_ones = {name: (begun[name] > 0).int() for name, shape in shapes.items() if len(shape) > 1}
    ended = {
        name: t * kept_ones.get(name, 1) + (name not in kept_ones) for name, t in begun.items()
    }
    for level in range(2):
        folder = tmp_path / "run" / "replicate_0" / f"level_{level}"
        folder.mkdir(parents=True)
        kept = kept_ones if level else {name: torch.ones_like(m) for name, m in kept_ones.items()}
        first = {name: t * kept.get(name, 1) for name, t in begun.items()}
        torch.save(first, folder / "init_model.pth")
        torch.save(kept, folder / "mask.pth")
        torch.save(ended, folder / "trained_model.pth")
    ticket = read_ticket(
        tmp_path / "run" / "replicate_0" / "level_1",
        parameter_shapes=shapes,
        buffer_names=[name for name in begun if name not in shapes],
    )
    assert len(ticket.mask) == 22
    assert len(ticket.buffers) == 3 * 21
    assert set(ticket.trained) == set(shapes)
    assert ticket.init is not None
    assert set(ticket.init) == set(shapes)
    assert torch.equal(ticket.init["conv1.weight"], begun["conv1.weight"])
    assert torch.equal(ticket.buffers["bn1.running_mean"], begun["bn1.running_mean"] + 1)
