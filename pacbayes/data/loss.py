"""The 0-1 loss, in which ties and non-finite logits are errors."""

import torch
from torch import Tensor


def is_right(logits: Tensor, labels: Tensor) -> Tensor:
    """Return which rows are right: all logits finite and the label's the single largest.

    Args:
        logits: scores.  # (B, classes)
        labels: true classes, int64.  # (B,)

    Returns:
        One bool per row.  # (B,)

    Example:
        >>> logits = torch.tensor([[0.0, 1.0], [1.0, 1.0], [float("nan"), 1.0]])
        >>> is_right(logits, torch.tensor([1, 1, 1])).tolist()
        [True, False, False]
    """
    top = logits.max(dim=1, keepdim=True).values
    single = (logits == top).sum(dim=1) == 1
    hit = (logits.gather(1, labels[:, None]) == top).squeeze(1)
    return torch.isfinite(logits).all(dim=1) & single & hit
