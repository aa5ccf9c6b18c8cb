"""Bad masks and initial weights beside a good checkpoint."""

from typing import Any

import torch

from pacbayes.tickets import Mask
from tests.checkpoints.hostile import saved, zipped
from tests.conformance.corpus import Corpus, Net, Site, weights

CORPUS = Corpus("masks")
HALF = {
    name: (torch.arange(t.numel()) % 2 == 0).reshape(t.shape)
    for name, t in weights().items()
    if t.ndim > 1
}


def masked(seed: int = 0) -> Net:
    return dict(Mask(HALF).apply(weights(seed)))


def files(site: Site, *options: Any, model: Any = None, **given: Any) -> list[Any]:
    """A pruned checkpoint with mask or init of the given content."""
    path = site.write("model.pt", saved(masked() if model is None else model))
    flags: list[Any] = []
    for flag, value in given.items():
        data = value if isinstance(value, bytes) else saved(value)
        flags += [f"--{flag}", site.write(f"{flag}.pt", data)]
    return site.certify(path, *flags, *options)


def mask(name: str, match: str, value: Any, code: int = 3) -> None:
    CORPUS.add(name, code, match, lambda s: files(s, mask=value))


def init(name: str, match: str, value: Any, code: int = 3) -> None:
    CORPUS.add(name, code, match, lambda s: files(s, mask=HALF, init=value))


def one(value: torch.Tensor) -> Net:
    return {**HALF, "fc1.weight": value}


mask("a mask of twos", "zeros and ones", one(torch.full((3, 4), 2)))
mask("a mask of halves", "zeros and ones", one(torch.full((3, 4), 0.5)))
mask("a mask of NaN", "zeros and ones", one(torch.full((3, 4), float("nan"))))
mask("a mask of minus ones", "zeros and ones", one(-torch.ones(3, 4, dtype=torch.int32)))
mask("a mask in another shape", r"mask\.pt.*fc1\.weight", one(torch.ones(4, 3)))
mask("a mask of an unknown tensor", r"mask\.pt.*fc9", {"fc9.weight": torch.ones(3, 4)})
mask("a mask of another run", "not zero where the mask removes", {k: ~t for k, t in HALF.items()})
mask("a mask that is code", "pickles objects", saved({"m": Corpus}))
mask("an empty mask", "empty dict", {})
mask("a mask file that is empty", "is empty", b"")
mask("a mask in a list", "holds a list", [torch.ones(3, 4)])
mask("a mask with a stride of zero", "overlapping", one(torch.ones(1).expand(3, 4)))
mask("half a mask file", "truncated", saved(HALF)[:500])
mask("a compressed mask", "compressed", zipped([("a/data.pkl", b"." * 99)], compression=8))
CORPUS.add("a mask that is not there", 3, "no such file",
           lambda s: s.certify(s.good / "model.pt", "--mask", s.folder / "absent"))  # fmt: skip
CORPUS.add("mask and zeros", 2, "not both", lambda s: files(s, "--mask-from-zeros", mask=HALF))
CORPUS.add("a second mask", 2, "masks of its own", lambda s: files(s, mask=HALF, model={
    **{k: t for k, t in weights().items() if k != "fc1.weight"},
    "fc1.weight_orig": torch.ones(3, 4), "fc1.weight_mask": torch.ones(3, 4)}))  # fmt: skip
CORPUS.add("a mask beside that is none", 3, r"prune\.remove", lambda s: files(s, model={
    "fc1.weight_orig": torch.ones(3, 4), "fc1.weight_mask": torch.full((3, 4), 0.5)}))  # fmt: skip

init("an init that is masked", "already masked", masked(1))
init("an init with one masked tensor", "already masked",
     {**weights(1), "fc2.weight": masked(1)["fc2.weight"]})  # fmt: skip
init("an init of another network", "missing.*unexpected", {"a": torch.ones(2, 2)})
init("a transposed init", "transposed", {**weights(1), "fc1.weight": torch.ones(4, 3)})
init("an init with NaN", r"is nan", {**weights(1), "fc1.bias": torch.full((3,), float("nan"))})
init("an init of integers", "floating point", {**weights(1), "fc1.bias": torch.ones(3).long()})
init("an init that is a folder of nothing", "is empty", b"")
CORPUS.add("a prior at init without init", 3, "--init",
           lambda s: s.certify(s.good / "model.pt", "--prior", "init"))  # fmt: skip
