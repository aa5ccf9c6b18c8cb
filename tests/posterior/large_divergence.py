"""A program: ``write FILE`` a posterior of 10^8 weights, or ``read FILE`` and print its divergence.

Ten tensors of 10^7 entries, means 0.0125 from the prior's, scales half of its.
"""

import json
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

from pacbayes.posterior import Prior, StoredPosterior, divergence
from pacbayes.tickets import IndexSet, Mask

NAMES = [f"layer{place}.weight" for place in range(10)]
SHAPE = (2500, 4000)
SIGMA = 0.125


def write(path: Path) -> None:
    groups = {"mean": 0.0125, "scale": SIGMA / 2, "inclusion": 1.0}
    tensors = {f"{g}/{name}": torch.full(SHAPE, v) for g, v in groups.items() for name in NAMES}
    save_file(tensors, path)


def read(path: Path) -> dict[str, float | str]:
    mean = {name: torch.zeros(SHAPE) for name in NAMES}
    prior = Prior(
        kind="given",
        mean=mean,
        mask=Mask.full(mean),
        mask_price="free",
        scale=dict.fromkeys(NAMES, SIGMA),
        grid=None,
        grid_index={},
        seen=IndexSet.none(10),
        mask_seen=IndexSet.none(10),
    )
    begin = time.perf_counter()
    nats = divergence(StoredPosterior(path=path), prior).total
    return {"nats": nats, "seconds": time.perf_counter() - begin}


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]))
    else:
        sys.stdout.write(json.dumps(read(Path(sys.argv[2]))))
