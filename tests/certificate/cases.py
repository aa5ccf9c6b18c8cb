"""Synthetic evidence from which valid certificates are issued."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

from pacbayes.bounds import Confidence, count_prior_upper
from pacbayes.certificate import (
    TITLES,
    Choice,
    Condition,
    DataFacts,
    DrawFacts,
    PosteriorFacts,
    PriorFacts,
    References,
    Seen,
    StageFacts,
    TensorFacts,
    ToolFacts,
    checked,
    declared,
)
from pacbayes.certificate.decimals import kl_total

GRID = {"top": "1.0", "steps_per_octave": 32, "size": 320}


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def all_conditions() -> list[Condition]:
    told = {
        "V8": "by the publisher of the data",
        "V11": "nothing tuned",
        "V14": "one posterior",
        "V16": "first certificate",
        "V28": "no pre-training",
    }
    return [declared(v, told[v]) if v in told else checked(v) for v in TITLES]


def data_facts(**changes: Any) -> DataFacts:
    facts = DataFacts(
        name="toy",
        description="images of digits, labels as published",
        total=60000,
        n=30000,
        classes=10,
        items_sha256=sha("items"),
        certificate_sha256=sha("certificate part"),
        indices_sha256=sha("indices"),
        duplicates_within=0,
        duplicates_across=0,
        transform="pixels/255",
    )
    return replace(facts, **changes)


def prior_facts(**changes: Any) -> PriorFacts:
    facts = PriorFacts(
        kind="split",
        sha256=sha("prior"),
        seen=Seen(count=30000, indices_sha256=sha("prior part")),
        mask_seen=Seen(count=30000, indices_sha256=sha("prior part")),
        mask_price="free",
    )
    return replace(facts, **changes)


def tensor_facts(**changes: Any) -> TensorFacts:
    facts = TensorFacts(
        name="fc1.weight",
        dtype="float32",
        shape=(300, 784),
        sha256=sha("fc1.weight"),
        n_weights=235200,
        n_active=23520,
        prior_scale="0.05",
        grid_index=None,
        mask="0",
        mean="41.25",
        scale="113.0625",
    )
    return replace(facts, **changes)


def tensors(grid: bool = False, charged: bool = False) -> tuple[TensorFacts, ...]:
    shapes = {"fc1.weight": (300, 784), "fc1.bias": (300,), "fc2.weight": (10, 300)}
    found = []
    for index, (name, shape) in enumerate(shapes.items()):
        weights = math.prod(shape)
        active = weights if len(shape) == 1 else weights // 10
        on_grid = 100 + 7 * index
        found.append(
            TensorFacts(
                name=name,
                dtype="float32",
                shape=shape,
                sha256=sha(name),
                n_weights=weights,
                n_active=active,
                prior_scale=repr(2.0 ** (-on_grid / 32)) if grid else "0.05",
                grid_index=on_grid if grid else None,
                mask=count_prior_upper(weights, active) if charged and active < weights else "0",
                mean=["41.25", "0", "1.0000000000000001"][index],
                scale=["113.0625", "0.3333333333333334", "1e-12"][index],
            )
        )
    return tuple(found)


def mask_nats() -> str:
    """Price of the masks of :func:`tensors`, were they charged."""
    pairs = [(t.n_weights, t.n_active) for t in tensors() if t.n_active < t.n_weights]
    return kl_total([count_prior_upper(*pair) for pair in pairs])


def posterior_facts(parts: tuple[TensorFacts, ...] | None = None) -> PosteriorFacts:
    return PosteriorFacts(
        sha256=sha("posterior"),
        checkpoint_sha256=sha("ticket"),
        tensors=tensors() if parts is None else parts,
    )


def evidence(**changes: Any) -> dict[str, Any]:
    """Arguments of ``issue`` for a split prior with everything beside it."""
    base: dict[str, Any] = {
        "name": "lenet300/toy/ticket",
        "confidence": Confidence("0.05"),
        "data": data_facts(),
        "prior": prior_facts(),
        "posterior": posterior_facts(),
        "draws": DrawFacts(draws=5, errors=3312, trials=150000),
        "conditions": all_conditions(),
        "references": References(holdout_errors=640, mask_price=mask_nats(), test=(213, 10000)),
        "environment": {"python": "3.11.7", "threads": 1},
        "tool": ToolFacts(version="0.1.0", source_sha256=sha("source")),
    }
    return base | changes


def plain_prior(**changes: Any) -> dict[str, Any]:
    """Arguments for a prior at the initial weights with nothing beside the claim."""
    nothing = Seen(count=0, indices_sha256=sha("nothing"))
    prior = prior_facts(kind="init", seen=nothing, mask_seen=nothing)
    return evidence(prior=prior, references=References()) | changes


def on_grid(**changes: Any) -> dict[str, Any]:
    """Arguments for a prior at the initial weights: grid, charged mask, several priors tried."""
    nothing = Seen(count=0, indices_sha256=sha("nothing"))
    everything = Seen(count=60000, indices_sha256=sha("everything"))
    prior = prior_facts(
        kind="init", seen=nothing, mask_seen=everything, mask_price="count", grid=GRID
    )
    base = evidence(
        name="lenet300/toy/all",
        data=data_facts(n=60000),
        prior=prior,
        posterior=posterior_facts(tensors(grid=True, charged=True)),
        draws=DrawFacts(draws=3, errors=9000, trials=180000),
        references=References(),
        priors_tried=3,
        union=[Choice(purpose="learning rate of the prior", choices=7)],
    )
    return base | changes


def vacuous(**changes: Any) -> dict[str, Any]:
    """Arguments for a claim of 1: far too many nats for 50 examples."""
    base = evidence(
        name="mlp/toy/dense",
        data=data_facts(n=50, total=50),
        prior=prior_facts(
            kind="zero",
            seen=Seen(count=0, indices_sha256=sha("nothing")),
            mask_seen=Seen(count=0, indices_sha256=sha("nothing")),
        ),
        posterior=posterior_facts((tensor_facts(mean="1e9", n_active=235200),)),
        draws=DrawFacts(draws=1, errors=4, trials=50),
        references=References(),
    )
    return base | changes


def gates(**changes: Any) -> dict[str, Any]:
    """Arguments for learned gates: inclusion on a grid of its own for the pruned tensors."""
    parts = tuple(
        replace(t, inclusion_index=None if t.name.endswith("bias") else 40, mask="310.5")
        if not t.name.endswith("bias")
        else t
        for t in tensors(grid=True)
    )
    nothing = Seen(count=0, indices_sha256=sha("nothing"))
    prior = prior_facts(
        kind="init",
        seen=nothing,
        mask_seen=nothing,
        mask_price="gates",
        grid=GRID,
        inclusion_grid={"top": "1", "steps_per_octave": 4, "size": 64},
    )
    base = evidence(
        name="lenet300/toy/gates",
        data=data_facts(n=60000),
        prior=prior,
        posterior=posterior_facts(parts),
        draws=DrawFacts(draws=3, errors=9000, trials=180000),
        references=References(),
    )
    return base | changes


def one_network(parts: tuple[TensorFacts, ...], **changes: Any) -> dict[str, Any]:
    """Arguments for a bound on one network."""
    base = evidence(
        name="lenet300/toy/one",
        posterior=PosteriorFacts(
            sha256=sha("posterior"),
            checkpoint_sha256=sha("ticket"),
            network_sha256=sha("network"),
            tensors=parts,
        ),
        draws=DrawFacts(draws=1, errors=600, trials=30000),
        references=References(),
    )
    return base | changes


def disintegrated(**changes: Any) -> dict[str, Any]:
    """One network drawn from the posterior, its density ratio with a negative item."""
    first, *others = tensors()
    parts = (replace(first, mean="41.25", scale="-12.5"), *others)
    beside = References(holdout_errors=700)
    return one_network(parts, bound="disintegrated", references=beside) | changes


def coded(**changes: Any) -> dict[str, Any]:
    """One network with a code: positions, values and header, nothing else in the prior."""
    parts = tuple(
        replace(t, prior_scale=None, mask="510.25", mean="800.5", scale="12.375") for t in tensors()
    )
    nothing = Seen(count=0, indices_sha256=sha("nothing"))
    prior = prior_facts(kind="code", seen=nothing, mask_seen=nothing, mask_price="code")
    base = one_network(
        parts,
        bound="occam",
        data=data_facts(n=60000),
        prior=prior,
        draws=DrawFacts(draws=1, errors=1200, trials=60000),
    )
    return base | changes


def unseen(**changes: Any) -> dict[str, Any]:
    """One network that has not seen the certificate part."""
    parts = tuple(replace(t, prior_scale=None, mask="0", mean="0", scale="0") for t in tensors())
    return one_network(parts, bound="test-set", prior=prior_facts(kind="given")) | changes


def recursive(**changes: Any) -> dict[str, Any]:
    """A chain of three posteriors."""
    parts = tuple(replace(t, prior_scale=None) for t in tensors())
    posterior = posterior_facts(parts)
    nothing = Seen(count=0, indices_sha256=sha("nothing"))
    kl_upper = kl_total([item for part in parts for item in part.items])
    stages = [
        StageFacts(
            n=n,
            indices_sha256=sha("indices" if n == 60000 else f"part {n}"),
            posterior_sha256=posterior.sha256 if n == 15000 else sha(f"posterior {n}"),
            kl_upper=kl_upper if n == 15000 else "812.5",
            gamma="0" if n == 60000 else "0.5",
            trials=2 * n,
            errors=(6000,) if n == 60000 else (2 * n - 500, n // 20, n // 50),
        )
        for n in (60000, 30000, 15000)
    ]
    base = evidence(
        name="lenet300/toy/recursive",
        data=data_facts(n=60000),
        prior=prior_facts(kind="init", seen=nothing, mask_seen=nothing),
        posterior=posterior,
        draws=DrawFacts(draws=1, errors=1800, trials=60000),
        references=References(),
        bound="recursive",
        stages=stages,
    )
    return base | changes


CASES: dict[str, Callable[..., dict[str, Any]]] = {
    "split": evidence,
    "grid": on_grid,
    "vacuous": vacuous,
    "gates": gates,
    "catoni": lambda: evidence(
        bound="catoni", parameter="1.5", union=[Choice(purpose="constant C", choices=20)]
    ),
    "disintegrated": disintegrated,
    "occam": coded,
    "test-set": unseen,
    "recursive": recursive,
    "all wrong": lambda: evidence(
        draws=DrawFacts(draws=5, errors=149999, trials=150000),
        references=References(holdout_errors=30000),
    ),
    "no errors": lambda: evidence(
        draws=DrawFacts(draws=1, errors=0, trials=30000),
        references=References(holdout_errors=0),
        confidence=Confidence(Fraction(1, 1000)),
    ),
}
