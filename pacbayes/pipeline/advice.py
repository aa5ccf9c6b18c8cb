"""What would make a loose certificate useful, in one sentence."""

from pacbayes.certificate import Certificate

AFFORDABLE = 0.1
"""Nats per example up to which a divergence leaves room for a useful bound."""

LOOSE = 0.2
"""Distance between bound and counted risk above which a way out is shown."""


def advice(certificate: Certificate) -> list[str]:
    """Return one sentence if the bound is near guessing or far above the counted risk."""
    document = certificate.document
    chance = 1 - 1 / document["data"]["classes"]
    bound = float(certificate.risk_upper)
    if bound < chance and bound - float(document["mc"]["risk_upper"]) < LOOSE:
        return []
    nats = {
        item: sum(float(t["kl"][item]) for t in document["posterior"]["tensors"])
        for item in ("mask", "mean", "scale")
    }
    n = document["data"]["n"]
    largest = max(nats, key=lambda item: nats[item])
    if sum(nats.values()) <= AFFORDABLE * n:
        return [
            "The bound is no better than guessing because the Gibbs classifier itself errs too "
            "often here: train or fit it longer (--epochs)."
        ]
    room = f"{AFFORDABLE * n:.0f}"
    spent = f"{nats[largest]:.0f} nats, and {n} examples can pay for about {room} in all"
    if largest == "mask":
        return [
            f"The positions of the mask cost {spent}: find the mask on a prior part, where it "
            "costs nothing (pacbayes find --split 0.5, or here --prior split --split 0.5)."
        ]
    return [
        f"Moving the weights away from the prior costs {spent}: use a prior trained on a part "
        "of the data (--prior split --split 0.5), or start fitting at the prior (--start prior)."
    ]
