"""Run directories of open_lth and lth-pacbayes, laid out key for key."""

import json
from pathlib import Path

import torch
from torch import Tensor

Net = dict[str, Tensor]


def initial() -> Net:
    generator = torch.Generator().manual_seed(3)
    return {
        "fc.weight": torch.randn(5, 6, generator=generator),
        "fc.bias": torch.randn(5, generator=generator),
        "head.weight": torch.randn(3, 5, generator=generator),
        "head.bias": torch.randn(3, generator=generator),
    }


def mask_of_level(level: int) -> Net:
    """The mask of a level: every further level removes more."""
    weights = {name: t for name, t in initial().items() if t.ndim > 1}
    return {
        name: (t.abs() >= t.abs().flatten().sort().values[5 * level]).to(torch.int32)
        for name, t in weights.items()
    }


def masked(net: Net, mask: Net) -> Net:
    return {name: t * mask[name] if name in mask else t for name, t in net.items()}


def trained(level: int) -> Net:
    return {name: t * 2 + level + 1 for name, t in initial().items()}


def lth_pacbayes(
    root: Path, *, replicates: int = 2, levels: int = 3, finished: bool = True
) -> Path:
    run = root / "ff043db27567f3d00ed1f8ed7c9c7e0e"
    for replicate in range(replicates):
        base = run / f"replicate_{replicate}"
        for level in range(levels):
            folder = base / f"level_{level}"
            folder.mkdir(parents=True)
            mask = mask_of_level(level)
            torch.save(masked(initial(), mask), folder / "init_model.pth")
            torch.save(mask, folder / "mask.pth")
            torch.save(masked(trained(level), mask), folder / "trained_model.pth")
        if finished:
            arguments = {"model_name": "lenet", "rho": 0.05, "random_labels_fraction": None}
            (base / "result.json").write_text(
                json.dumps({"density_list": [1.0], "final_acc_list": [0.9], "args": arguments})
            )
            (base / "level_1" / "result_spike-and-slab_0.json").write_text(
                json.dumps({"bound_list": [0.5, 0.4], "kl_list": [9.0, 8.0], "args": arguments})
            )
    return run


def open_lth(root: Path, *, replicates: int = 1, levels: int = 3, rewound: bool = False) -> Path:
    run = root / "lottery_0123456789abcdef0123456789abcdef"
    start = (1, 5) if rewound else (0, 0)
    for replicate in range(1, replicates + 1):
        base = run / f"replicate_{replicate}"
        if rewound:
            pretrain = base / "level_pretrain" / "main"
            pretrain.mkdir(parents=True)
            torch.save(initial(), pretrain / "model_ep0_it0.pth")
            torch.save(trained(-1), pretrain / "model_ep1_it5.pth")
        for level in range(levels):
            folder = base / f"level_{level}" / "main"
            folder.mkdir(parents=True)
            mask = mask_of_level(level)
            first = trained(-1) if rewound else initial()
            torch.save(masked(first, mask), folder / f"model_ep{start[0]}_it{start[1]}.pth")
            # The last step is saved before the mask is applied again.
            torch.save(trained(level), folder / "model_ep10_it0.pth")
            torch.save(masked(trained(level), mask), folder / "model_ep9_it7.pth")
            torch.save(mask, folder / "mask.pth")
            (folder / "sparsity_report.json").write_text('{"total": 45, "unpruned": 40}')
            (folder / "hparams.log").write_text("Lottery Runner\n")
    return run
