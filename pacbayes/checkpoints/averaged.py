"""Averaged weights as ``torch.optim.swa_utils.AveragedModel`` saves them."""

from torch import Tensor

from pacbayes.tickets import Tensors

COUNT = "n_averaged"
_INNER = "module."


def without_count(tensors: Tensors) -> tuple[dict[str, Tensor], list[str]]:
    """Return the state dict without the number of models averaged, and a note if there was one.

    The number lies beside names that all start with ``module.``; anywhere else a tensor of this
    name stays.
    """
    others = [name for name in tensors if name != COUNT]
    if COUNT not in tensors or not others or not all(name.startswith(_INNER) for name in others):
        return dict(tensors), []
    note = f"these are averaged weights ({COUNT} beside them)"
    return {name: tensors[name] for name in others}, [note]
