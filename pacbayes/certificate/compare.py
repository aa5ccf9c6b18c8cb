"""Comparing certificates: every row re-evaluated from its own evidence at its part of delta."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from pacbayes.certificate.decimals import plain
from pacbayes.certificate.document import Certificate
from pacbayes.certificate.pricing import Pricing
from pacbayes.certificate.spending import kl_items
from pacbayes.certificate.verify import read_verified
from pacbayes.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One certificate in a comparison; risks are upper values at delta / (number of rows).

    Attributes:
        name: subject of the claim.
        role: last part of the name.
        predictor: ``gibbs`` or ``single`` (one network).
        theorem: identifier of the bound.
        prior: kind of the prior.
        data: name of the data.
        data_sha256: digest of all its examples.
        sparsity: fraction of removed weights.
        n: examples that the claim rests on.
        errors: wrong (example, draw) pairs.
        trials: counted pairs.
        draws_upper: upper value of the predictor's risk on the certificate part.
        kl_upper: nats of the divergence, in total.
        kl_mask: the part of them spent on the mask.
        kl_mean: the part spent on the means.
        kl_scale: the part spent on the scales.
        bound: certified upper value of the risk.
        holdout: bound of the deterministic prior network, or ``None``.
        mask_price: nats of the mask's code, paid or not, or ``None``.
        test: (errors, trials) on a test set, or ``None``.
        delta: failure probability of the file's own claim.
        own_bound: the file's own claim.
    """

    name: str
    role: str
    predictor: str
    theorem: str
    prior: str
    data: str
    data_sha256: str
    sparsity: float
    n: int
    errors: int
    trials: int
    draws_upper: str
    kl_upper: str
    kl_mask: str
    kl_mean: str
    kl_scale: str
    bound: str
    holdout: str | None
    mask_price: str | None
    test: tuple[int, int] | None
    delta: str
    own_bound: str

    @property
    def draws_risk(self) -> float:
        """Counted risk on the certificate part; an estimate, not a bound."""
        return self.errors / self.trials

    @property
    def test_risk(self) -> float | None:
        """Counted risk on the test set; an estimate, not a bound."""
        return None if self.test is None else self.test[0] / self.test[1]

    def to_json(self) -> dict[str, Any]:
        """Return the row with strings and integers only."""
        test = None if self.test is None else {"errors": self.test[0], "trials": self.test[1]}
        return {
            "name": self.name,
            "role": self.role,
            "predictor": self.predictor,
            "theorem": self.theorem,
            "prior": self.prior,
            "data": self.data,
            "sparsity": f"{self.sparsity:.6f}",
            "n": self.n,
            "errors": self.errors,
            "trials": self.trials,
            "draws_upper": self.draws_upper,
            "kl": {
                "total": self.kl_upper,
                "mask": self.kl_mask,
                "mean": self.kl_mean,
                "scale": self.kl_scale,
            },
            "bound": self.bound,
            "holdout": self.holdout,
            "mask_price": self.mask_price,
            "test": test,
            "delta_of_file": self.delta,
            "bound_of_file": self.own_bound,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A table whose claims hold together.

    Attributes:
        rows: in the order given.
    """

    rows: tuple[Row, ...]

    @property
    def delta(self) -> Fraction:
        """Failure probability of all rows together: the mean of the files' own."""
        return sum((Fraction(row.delta) for row in self.rows), start=Fraction(0)) / len(self.rows)

    @property
    def header(self) -> str:
        """How delta was divided, and what the numbers are about."""
        count = len(self.rows)
        gibbs = all(row.predictor == "gibbs" for row in self.rows)
        who = "randomised (Gibbs) classifier" if gibbs else "predictor named in each row"
        text = f"risk of the {who}, 0-1 loss, labels as given; "
        if count == 1:
            return text + f"certified at delta = {self.rows[0].delta}"
        deltas = " or ".join(sorted({row.delta for row in self.rows}))
        return text + (
            f"each of {count} rows re-evaluated from its own evidence at delta/{count} "
            f"(delta = {deltas}), so all rows hold together at that delta"
        )

    @property
    def findings(self) -> tuple[str, ...]:
        """What follows about the rows, compared with the first one; never about true risks."""
        first, *others = self.rows
        return tuple(_finding(row, first) for row in others)

    def to_json(self) -> dict[str, Any]:
        """Return the table with strings and integers only."""
        return {
            "schema": "pacbayes/comparison/1",
            "header": self.header,
            "rows": [row.to_json() for row in self.rows],
            "findings": list(self.findings),
        }


def compare(paths: Sequence[Path | str]) -> Comparison:
    """Return the table of the certificates in some files; all must verify.

    Raises:
        UsageError: no file was given.
        InputError: a file is unreadable or no certificate.
        VerificationError: a certificate does not follow from its evidence.
    """
    return compare_certificates([read_verified(path) for path in paths])


def compare_certificates(certificates: Iterable[Certificate]) -> Comparison:
    """Return the table of verified certificates, each re-evaluated at its part of delta.

    Raises:
        UsageError: there is no certificate.
    """
    given = list(certificates)
    if not given:
        raise UsageError("compare needs at least one certificate")
    return Comparison(rows=tuple(_row(certificate, len(given)) for certificate in given))


def _row(certificate: Certificate, parts: int) -> Row:
    document = certificate.document
    pricing, counts = Pricing.of(certificate).divided_by(parts), document["mc"]
    reference = document["reference"]
    holdout, test = reference["holdout"], reference["test"]
    draws_upper = pricing.draws_upper(counts["errors"], counts["trials"])
    kl_upper = document["posterior"]["kl_upper"]
    items = kl_items(document)
    return Row(
        name=certificate.name,
        role=certificate.role,
        predictor=certificate.predictor,
        theorem=pricing.bound,
        prior=document["prior"]["kind"],
        data=document["data"]["name"],
        data_sha256=document["data"]["items_sha256"],
        sparsity=certificate.sparsity,
        n=certificate.n,
        errors=counts["errors"],
        trials=counts["trials"],
        draws_upper=certificate.document["mc"]["risk_upper"] if parts == 1 else draws_upper,
        kl_upper=kl_upper,
        kl_mask=items["mask"],
        kl_mean=items["mean"],
        kl_scale=items["scale"],
        bound=certificate.risk_upper if parts == 1 else pricing.claim_upper(document),
        holdout=None if holdout is None else pricing.holdout_upper(holdout["errors"]),
        mask_price=_mask_price(document, items["mask"]),
        test=None if test is None else (test["errors"], test["trials"]),
        delta=certificate.delta_total,
        own_bound=certificate.risk_upper,
    )


def _mask_price(document: dict[str, Any], paid: str) -> str | None:
    """Return the nats of the mask's code: what was paid, or what a free mask would have cost."""
    if document["prior"]["mask"]["price"] != "free":
        return paid
    told = document["reference"]["mask_price"]
    return None if told is None else str(told["nats"])


def _finding(row: Row, first: Row) -> str:
    """Return one careful sentence: a lower bound is no lower error, nor a score on other data."""
    if row.data_sha256 != first.data_sha256:
        return f"{row.name}: on other data ({row.data}) than {first.name} ({first.data})"
    gap = Decimal(row.bound) - Decimal(first.bound)
    if gap == 0:
        return f"{row.name}: certified bound equal to that of {first.name}"
    side = "lower" if gap < 0 else "higher"
    return f"{row.name}: certified bound {side} than that of {first.name} by {plain(abs(gap))}"
