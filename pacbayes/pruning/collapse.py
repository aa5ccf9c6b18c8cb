"""What a mask keeps of each tensor, and the alarm for a tensor of which nothing is left."""

from pacbayes.tickets import Mask


def kept_counts(mask: Mask) -> dict[str, tuple[int, int]]:
    """Return kept and all entries of each tensor, by name.

    Example:
        >>> import torch
        >>> kept_counts(Mask({"w": torch.tensor([[True, False]])}))
        {'w': (1, 2)}
    """
    return {name: (int(tensor.sum()), tensor.numel()) for name, tensor in mask.items()}


def collapsed(mask: Mask) -> list[str]:
    """Return the names of the tensors of which no entry is kept.

    In a network without skip connections such a tensor cuts the output off from the input.

    Example:
        >>> import torch
        >>> collapsed(Mask({"v": torch.tensor([[True]]), "w": torch.tensor([[False, False]])}))
        ['w']
    """
    return [name for name, (kept, entries) in kept_counts(mask).items() if entries and not kept]
