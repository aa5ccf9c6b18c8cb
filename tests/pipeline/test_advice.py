"""A loose certificate comes with the one sentence that would make it useful."""

from types import SimpleNamespace

import pytest

from pacbayes.pipeline.advice import advice


def certificate(bound: float, *, risk: float, **nats: float) -> SimpleNamespace:
    kl = {item: str(nats.get(item, 0.0)) for item in ("mask", "mean", "scale")}
    document = {
        "data": {"classes": 10, "n": 1000},
        "mc": {"risk_upper": str(risk)},
        "posterior": {"tensors": [{"kl": kl}]},
    }
    return SimpleNamespace(risk_upper=str(bound), document=document)


@pytest.mark.parametrize(
    ("bound", "risk", "nats", "words"),
    [
        (1.0, 0.1, {"mask": 5000.0, "mean": 90.0}, "positions of the mask cost 5000 nats"),
        (0.6, 0.1, {"mask": 700.0, "mean": 90.0}, "positions of the mask cost 700 nats"),
        (0.95, 0.3, {"mean": 4000.0}, "Moving the weights away from the prior costs 4000"),
        (0.93, 0.92, {"mean": 1.0}, "fit it longer"),
    ],
)
def test_the_sentence_names_what_was_spent(
    bound: float, risk: float, nats: dict[str, float], words: str
) -> None:
    (sentence,) = advice(certificate(bound, risk=risk, **nats))
    assert words in sentence


def test_a_tight_certificate_needs_no_advice() -> None:
    assert advice(certificate(0.12, risk=0.1, mean=20.0)) == []
