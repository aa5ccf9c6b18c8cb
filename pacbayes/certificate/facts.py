"""What a pipeline hands over to have a certificate issued: counts, nats and digests, no tensors.

All digests are SHA-256 in lower-case hex, all reals decimal strings that were rounded up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["init", "zero", "split", "given"]
Price = Literal["free", "count"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A set of training examples, by size and digest (``IndexSet.digest``)."""

    count: int
    indices_sha256: str

    def to_json(self) -> dict[str, Any]:
        """Return the entry of the certificate."""
        return {"count": self.count, "indices_sha256": self.indices_sha256}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """The data that the claim is about.

    Attributes:
        name: short name, for example ``mnist``.
        description: the distribution in words; must not be empty.
        total: number of training examples that all index sets refer to.
        n: number of distinct examples in the certificate part.
        classes: number of labels.
        items_sha256: digest of all training items in order.
        certificate_sha256: digest of the sorted items of the certificate part.
        indices_sha256: ``IndexSet.digest`` of the certificate part.
        duplicates_within: examples of the certificate part that repeat an earlier one.
        duplicates_across: examples of the certificate part that are also in the prior part.
        transform: preprocessing in words, for example ``pixels/255``.
        transform_mean: constants subtracted per channel, as decimal strings.
        transform_std: constants divided by per channel, as decimal strings.
        transform_source: ``fixed`` beforehand or ``declared`` by the user.
        label_noise: facts about injected label noise, or ``None``.
    """

    name: str
    description: str
    total: int
    n: int
    classes: int
    items_sha256: str
    certificate_sha256: str
    indices_sha256: str
    duplicates_within: int
    duplicates_across: int
    transform: str
    transform_mean: tuple[str, ...] = ()
    transform_std: tuple[str, ...] = ()
    transform_source: Literal["fixed", "declared"] = "fixed"
    label_noise: Mapping[str, str | int] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the section ``data`` of the certificate."""
        return {
            "name": self.name,
            "description": self.description,
            "total": self.total,
            "n": self.n,
            "classes": self.classes,
            "items_sha256": self.items_sha256,
            "certificate_sha256": self.certificate_sha256,
            "indices_sha256": self.indices_sha256,
            "duplicates": {"within": self.duplicates_within, "across": self.duplicates_across},
            "transform": {
                "text": self.transform,
                "mean": list(self.transform_mean),
                "std": list(self.transform_std),
                "source": self.transform_source,
            },
            "label_noise": None if self.label_noise is None else dict(self.label_noise),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorFacts:
    """The prior: where it comes from and whom it has seen.

    Attributes:
        kind: where the means come from.
        sha256: digest of the prior, its chosen scales included.
        seen: indices that means, fixed scales, buffers and a free mask have seen.
        mask_seen: indices that the mask has seen.
        mask_price: ``free`` when the mask belongs to the prior, ``count`` when its code is charged.
        grid: ``ScaleGrid.to_json()`` when scales were chosen on a grid, else ``None``; the union
            entries for it are added by :func:`~pacbayes.certificate.issue.issue`.
    """

    kind: Kind
    sha256: str
    seen: Seen
    mask_seen: Seen
    mask_price: Price
    grid: Mapping[str, str | int] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the section ``prior`` of the certificate."""
        return {
            "kind": self.kind,
            "sha256": self.sha256,
            "seen": self.seen.to_json(),
            "mask": {"source_seen": self.mask_seen.to_json(), "price": self.mask_price},
            "grid": None if self.grid is None else dict(self.grid),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorFacts:
    """One parameter: its identity and the nats spent on it (``TensorDivergence``).

    Attributes:
        name: parameter name.
        dtype: for example ``float32``.
        shape: its shape; ``()`` for a scalar.
        sha256: ``tensor_digest`` of the posterior mean.
        n_weights: number of entries.
        n_active: number of entries that can be non-zero.
        prior_scale: standard deviation of the prior, ``repr`` of the double.
        grid_index: its position on the grid, ``None`` without a grid.
        mask: nats for the mask: 0, or the count code ln(d + 1) + ln C(d, k).
        mean: nats for the means.
        scale: nats for the scales.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    sha256: str
    n_weights: int
    n_active: int
    prior_scale: str
    grid_index: int | None
    mask: str
    mean: str
    scale: str

    @property
    def items(self) -> tuple[str, str, str]:
        """The three amounts of nats."""
        return self.mask, self.mean, self.scale

    def to_json(self) -> dict[str, Any]:
        """Return the entry of the certificate."""
        return {
            "name": self.name,
            "dtype": self.dtype,
            "shape": list(self.shape),
            "sha256": self.sha256,
            "n_weights": self.n_weights,
            "n_active": self.n_active,
            "prior_scale": self.prior_scale,
            "grid_index": self.grid_index,
            "kl": {"mask": self.mask, "mean": self.mean, "scale": self.scale},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PosteriorFacts:
    """The posterior.

    Attributes:
        sha256: ``SpikeAndSlab.digest``.
        checkpoint_sha256: digest of the ticket or checkpoint that the claim is about.
        tensors: one entry per parameter.
    """

    sha256: str
    checkpoint_sha256: str
    tensors: tuple[TensorFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawFacts:
    """The evaluation of the Gibbs classifier on the certificate part.

    Attributes:
        draws: fresh weight draws per example, fixed beforehand.
        errors: number of wrong (example, draw) pairs.
        trials: number of pairs, ``draws * n``.
    """

    draws: int
    errors: int
    trials: int


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """Numbers shown beside the claim; none of them enters it.

    Attributes:
        holdout_errors: errors of the deterministic prior network on the certificate part.
        zero_kl: (errors, trials) of the evaluation with the prior as posterior.
        mask_price: nats of the mask's code, where the mask was free; a charged mask fills it.
        test: (errors, trials) on a test set, informative.
    """

    holdout_errors: int | None = None
    zero_kl: tuple[int, int] | None = None
    mask_price: str | None = None
    test: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One choice among several on the prior's side, each with the weight 1/choices.

    Attributes:
        purpose: what was chosen.
        choices: among how many.
    """

    purpose: str
    choices: int

    def to_json(self) -> dict[str, Any]:
        """Return the entry of the certificate."""
        return {
            "purpose": self.purpose,
            "choices": self.choices,
            "weight": f"1/{self.choices}",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFacts:
    """The program that issued the certificate."""

    version: str
    source_sha256: str
    name: str = "pacbayes"

    def to_json(self) -> dict[str, Any]:
        """Return the section ``tool`` of the certificate."""
        return {"name": self.name, "version": self.version, "source_sha256": self.source_sha256}
