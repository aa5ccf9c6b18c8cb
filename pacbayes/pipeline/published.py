"""The published lottery-ticket value beside a certificate: an estimate that certifies nothing."""

from pacbayes.certificate import Estimate
from pacbayes.pipeline.stages import Stage
from pacbayes.posterior import Prior, SpikeAndSlab
from pacbayes.posterior.legacy import legacy_value


def published_value(
    stage: Stage, posterior: SpikeAndSlab, prior: Prior, *, risk: float
) -> Estimate | None:
    """Return the value of Sakamoto and Sato (2022) for a subject, or ``None`` where it has none.

    It is defined for a prior at the initial weights and a mask that is not random. The number is
    the one that their code would print for the same posterior, counted risk, n and delta.
    """
    ticket = stage.subject.ticket
    if prior.kind != "init" or posterior.has_gates or ticket.init is None:
        return None
    found = legacy_value(posterior, ticket.init, ticket.mask)
    value = found.value(
        risk=risk,
        n=len(stage.subject.certificate),
        delta=float(stage.confidence.delta),
    )
    return Estimate(
        value=value,
        what=(
            "legacy value of Sakamoto and Sato 2022, not a certificate: a prior variance chosen "
            f"for each weight from the trained ones, {found.kl:.0f} nats of which the mask "
            f"{found.mask:.0f}"
        ),
    )


def remarks(estimate: Estimate | None) -> list[str]:
    """Return the sentence that shows the value beside the certified one, if there is a value."""
    return [] if estimate is None else [str(estimate)]
