"""What a pipeline hands over to have a certificate issued: counts, nats and digests, no tensors.

All digests are SHA-256 in lower-case hex, all reals decimal strings that were rounded up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["init", "zero", "split", "given", "code"]
Price = Literal["free", "count", "gates", "code"]


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
        mask_price: ``free`` when the mask belongs to the prior, ``count`` when its code is charged,
            ``gates`` when inclusion is learned, ``code`` when the whole network is coded.
        grid: ``ScaleGrid.to_json()`` when scales were chosen on a grid, else ``None``; the union
            entries for it are added by :func:`~pacbayes.certificate.issue.issue`.
        inclusion_grid: the same for the prior's inclusion probabilities, with learned gates.
    """

    kind: Kind
    sha256: str
    seen: Seen
    mask_seen: Seen
    mask_price: Price
    grid: Mapping[str, str | int] | None = None
    inclusion_grid: Mapping[str, str | int] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the section ``prior`` of the certificate."""
        return {
            "kind": self.kind,
            "sha256": self.sha256,
            "seen": self.seen.to_json(),
            "mask": {"source_seen": self.mask_seen.to_json(), "price": self.mask_price},
            "grid": None if self.grid is None else dict(self.grid),
            "inclusion_grid": None if self.inclusion_grid is None else dict(self.inclusion_grid),
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
        prior_scale: standard deviation of the prior, ``repr`` of the double; ``None`` where there
            is not one for the tensor: a code, a fixed network, the last of a chain of posteriors.
        grid_index: its position on the grid, ``None`` without a grid.
        mask: nats for the mask: 0, or the count code ln(d + 1) + ln C(d, k), or those of gates.
        mean: nats for the means; of a code, for the values; of a density ratio, with its sign.
        scale: nats for the scales; of a code, for its header; of a density ratio, with its sign.
        inclusion_index: position of the prior's inclusion on its grid, with learned gates.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    sha256: str
    n_weights: int
    n_active: int
    prior_scale: str | None
    grid_index: int | None
    mask: str
    mean: str
    scale: str
    inclusion_index: int | None = None

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
            "inclusion_index": self.inclusion_index,
            "kl": {"mask": self.mask, "mean": self.mean, "scale": self.scale},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PosteriorFacts:
    """The posterior.

    Attributes:
        sha256: ``SpikeAndSlab.digest``; for a code, the digest of its bytes.
        checkpoint_sha256: digest of the ticket or checkpoint that the claim is about.
        tensors: one entry per parameter.
        network_sha256: digest of the weights of the one network that is certified; ``None`` for a
            Gibbs classifier.
    """

    sha256: str
    checkpoint_sha256: str
    tensors: tuple[TensorFacts, ...]
    network_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawFacts:
    """The evaluation on the certificate part.

    Attributes:
        draws: fresh weight draws per example, fixed beforehand; 1 for one network.
        errors: number of wrong (example, draw) pairs.
        trials: number of pairs, ``draws * n``.
    """

    draws: int
    errors: int
    trials: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFacts:
    """One stage of a recursive bound, on examples that the posterior before it has not seen.

    Attributes:
        n: number of those examples.
        indices_sha256: digest of their indices.
        posterior_sha256: digest of the stage's posterior.
        kl_upper: upper value of KL(this posterior || the one before) in nats.
        gamma: factor of the bound before, a decimal string; ``"0"`` in the first stage.
        trials: counted (example, draw) pairs, a multiple of n.
        errors: in the first stage the errors; later the pairs whose excess loss ``loss - gamma
            loss'`` is at least 0, at least ``1 - gamma``, and 1.
    """

    n: int
    indices_sha256: str
    posterior_sha256: str
    kl_upper: str
    gamma: str
    trials: int
    errors: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """Numbers shown beside the claim; none of them enters it.

    Attributes:
        holdout_errors: errors of the deterministic prior network on the certificate part.
        mask_price: nats of the mask's code, where the mask was free.
        test: (errors, trials) on a test set, informative.
    """

    holdout_errors: int | None = None
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
