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
        "references": References(
            holdout_errors=640, zero_kl=(33000, 150000), mask_price=mask_nats(), test=(213, 10000)
        ),
        "environment": {"python": "3.11.7", "threads": 1},
        "tool": ToolFacts(version="0.1.0", source_sha256=sha("source")),
    }
    return base | changes


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


CASES: dict[str, Callable[..., dict[str, Any]]] = {
    "split": evidence,
    "grid": on_grid,
    "vacuous": vacuous,
    "all wrong": lambda: evidence(
        draws=DrawFacts(draws=5, errors=149999, trials=150000), references=References()
    ),
    "no errors": lambda: evidence(
        draws=DrawFacts(draws=1, errors=0, trials=30000),
        references=References(holdout_errors=0, zero_kl=(0, 30000)),
        confidence=Confidence(Fraction(1, 1000)),
        constant="xi",
    ),
}
