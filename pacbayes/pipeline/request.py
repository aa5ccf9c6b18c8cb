"""Everything that a user can ask of ``certify``."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from pacbayes.certificate import TITLES
from pacbayes.errors import UsageError
from pacbayes.posterior.objectives import ObjectiveName
from pacbayes.risk import MEMORY
from pacbayes.runtime.devices import CPU, Place

PriorChoice = Literal["split", "init", "zero"]
TrainedOn = Literal["all", "prior-part", "none"]
Start = Literal["prior", "trained"]
BatchNorm = Literal["prior-split", "fold", "charge"]
GatesChoice = Literal["none", "learned"]
GATED_BOUNDS: Final = ("kl", "catoni", "best")
"""Theorems on the randomised classifier, whose divergence prices gates."""
COUNTED_BOUNDS: Final = (*GATED_BOUNDS, "all")
"""Choices of theorem under which draws of the randomised classifier are counted once."""
BoundChoice = Literal[
    "kl", "catoni", "best", "all", "recursive", "disintegrated", "test-set", "occam"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifyRequest:
    """Options of one certification; the command line fills them one by one.

    Attributes:
        path: ticket folder or checkpoint.
        model: text that builds the network.
        model_args: arguments for it.
        data: text that names the data.
        data_root: folder of the data.
        download: fetch missing files of the data.
        normalize: ``none`` or ``MEAN,STD``.
        out: folder that everything is written to.
        init: file with the initial weights of a foreign checkpoint.
        mask: file with its mask.
        key: which entry of a wrapped checkpoint holds the weights.
        mask_from_zeros: take exact zeros of the weights as the mask.
        trained_on: what a foreign checkpoint has seen of these data.
        split: share of the training examples in the prior part.
        split_file: index lists, instead of ``split``.
        prior: centre of the prior; ``None`` chooses by what is there.
        prior_scale: scales of a trained prior, relative to the root mean square of its weights.
        all_data: certify on all examples and charge the mask.
        batchnorm: what becomes of running statistics.
        gates: ``learned`` makes the ticket's mask random: its inclusion probabilities are fitted,
            and charged against those of a prior that knows no mask.
        dense: certify the dense twin too; the path of its ticket, or ``True`` for the one that
            the ticket names.
        start: where fitting starts; ``None`` chooses by the source of the ticket.
        delta: failure probability, as written.
        bound: the theorem; ``best`` pays for the choice among kl and Catoni, ``all`` certifies by
            kl and shows the others; the last three are about one network: drawn once, the prior's
            own, or quantised and coded.
        parts: number of stages of a recursive bound.
        gamma: factor of the bound before in a recursive bound, in (0, 1), fixed beforehand.
        code_levels: largest integer magnitude of a weight in a code.
        catoni: constant of Catoni's bound: a number fixed beforehand, ``grid``, or ``prior-part``.
        objective: what fitting minimises.
        epochs: fitting epochs; ``None`` chooses by the prior.
        prior_epochs: training epochs where a fresh prior must be trained.
        lr: peak learning rate of the means.
        batch_size: examples per fitting step.
        draws: weight draws per example; ``None`` chooses by shapes.
        slack: what the draws may add to the counted risk; chooses ``draws`` by a guess of the risk.
        memory: bytes that weights drawn at once may take.
        device: where fitting and counting draws compute: ``cpu``, ``cuda`` or ``cuda:N``.
        dtype: type in which draws are counted: ``float32`` or ``float64``.
        priors_tried: how many priors were tried, this one included.
        declare: conditions declared by the user, by identifier.
        name: subject of the certificate; ``None`` makes MODEL/DATA/ROLE.
        seed: randomness of finding and fitting.
        force: replace what another request left in ``out``.
        quiet: no progress.
    """

    path: Path
    model: str
    data: str
    out: Path
    model_args: dict[str, str] = field(default_factory=dict)
    data_root: Path | None = None
    download: bool = False
    normalize: str = "none"
    init: Path | None = None
    mask: Path | None = None
    key: str | None = None
    mask_from_zeros: bool = False
    trained_on: TrainedOn = "all"
    split: float | None = None
    split_file: Path | None = None
    prior: PriorChoice | None = None
    prior_scale: float = 0.05
    all_data: bool = False
    batchnorm: BatchNorm = "prior-split"
    gates: GatesChoice = "none"
    dense: Path | bool = False
    start: Start | None = None
    delta: str = "0.05"
    bound: BoundChoice = "kl"
    catoni: str = "grid"
    parts: int = 4
    gamma: str = "0.5"
    code_levels: int = 3
    objective: ObjectiveName = "kl"
    epochs: int | None = None
    prior_epochs: int = 20
    lr: float | None = None
    batch_size: int = 250
    draws: int | None = None
    slack: float | None = None
    memory: int = MEMORY
    device: str = "cpu"
    dtype: str = "float32"
    priors_tried: int = 1
    declare: dict[str, str] = field(default_factory=dict)
    name: str | None = None
    seed: int = 1
    force: bool = False
    quiet: bool = False

    def __post_init__(self) -> None:
        if self.split is not None and self.split_file is not None:
            raise UsageError("give --split or --split-file, not both")
        if self.split is not None and not 0 <= self.split < 1:
            raise UsageError(f"--split must lie in [0, 1), got {self.split}")
        if self.priors_tried < 1:
            raise UsageError(f"--priors-tried must be at least 1, got {self.priors_tried}")
        self._require_draws()
        self._require_place()
        if self.bound == "occam" and self.prior not in (None, "zero"):
            raise UsageError("--bound occam has no prior on weights: leave --prior out")
        if self.all_data and self.prior == "split":
            raise UsageError(
                "--all-data takes every example for the certificate; --prior split "
                "needs some for the prior: give one of them"
            )
        if self.gates == "learned" and self.prior == "split":
            raise UsageError(
                "--gates learned prices a random mask under a prior that knows no mask; a mask "
                "from a prior part is free already: give --prior init or --prior zero"
            )
        if self.gates == "learned" and self.bound not in GATED_BOUNDS:
            raise UsageError(
                f"--gates learned speaks of the randomised classifier; --bound {self.bound} does "
                f"not: take one of {', '.join(GATED_BOUNDS)}"
            )
        _require_positive("--lr", self.lr)
        _require_positive("--prior-scale", self.prior_scale)
        if self.prior_epochs < 0:
            raise UsageError(f"--prior-epochs must be at least 0, got {self.prior_epochs}")
        if self.catoni not in ("grid", "prior-part"):
            _require_constant(self.catoni)
        unknown = [key for key in self.declare if key not in TITLES]
        if unknown:
            raise UsageError(f"--declare takes V1 to V{len(TITLES)}, got {unknown[0]!r}")

    def _require_draws(self) -> None:
        if self.draws is not None and self.draws < 1:
            raise UsageError(f"--draws must be at least 1, got {self.draws}")
        if self.draws is not None and self.slack is not None:
            raise UsageError("give --draws or --slack, not both")
        if self.slack is not None and not 0 < self.slack < 1:
            raise UsageError(f"--slack must lie in (0, 1), got {self.slack}")
        if self.memory < 1:
            raise UsageError(f"--memory must be at least 1 byte, got {self.memory}")

    def _require_place(self) -> None:
        if self.place == CPU:
            return
        if self.bound not in COUNTED_BOUNDS:
            raise UsageError(
                f"--bound {self.bound} computes in float32 on the CPU: leave --device and --dtype "
                f"out, or take one of {', '.join(COUNTED_BOUNDS)}"
            )
        if self.gates == "learned" and self.place.device != CPU.device:
            raise UsageError("--gates learned are fitted on the CPU: leave --device out")

    @property
    def place(self) -> Place:
        """Where draws are counted.

        Raises:
            UsageError: there is no such device here, or no such type.
        """
        return Place.of(self.device, self.dtype)


def _require_positive(flag: str, value: float | None) -> None:
    if value is not None and not 0 < value < math.inf:
        raise UsageError(f"{flag} must be a positive number, got {value}")


def _require_constant(text: str) -> None:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise UsageError(f"--catoni takes a positive number, grid or prior-part, got {text!r}")
