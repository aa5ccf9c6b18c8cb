"""What a reader should know about a certificate whose mask is random."""

from pacbayes.posterior import SpikeAndSlab
from pacbayes.tickets import Mask


def remarks(posterior: SpikeAndSlab, mask: Mask) -> list[str]:
    """Return one sentence on how many weights a random mask keeps, none for a fixed mask.

    Args:
        posterior: the law whose gates are counted, over the prunable tensors.
        mask: the ticket's mask, whose density limited the mean inclusion in fitting.
    """
    if not posterior.has_gates:
        return []
    kept = sum(float(posterior.inclusion[name].double().sum()) for name in mask)
    return [
        f"The mask is random: on average {kept:.0f} of {mask.prunable} prunable weights are kept "
        f"(mean inclusion {kept / mask.prunable:.4f}; the ticket keeps {mask.kept}, "
        f"{mask.density:.4f})."
    ]
