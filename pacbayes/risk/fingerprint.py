"""What was counted: the network as a function, and its inputs."""

import hashlib

import torch
from torch import nn
from torch.func import functional_call

from pacbayes import __version__
from pacbayes.data import Examples
from pacbayes.posterior import SpikeAndSlab
from pacbayes.tickets import tensor_digest

ROWS = 1000


@torch.no_grad()
def fingerprint(model: nn.Module, posterior: SpikeAndSlab, sample: Examples) -> str:
    """Return a SHA-256 that changes with the network's code, its constants or the preprocessing.

    The digests of posterior and examples name neither: the same weights in a network with another
    activation, and the same pictures divided by another constant, have other errors. So the logits
    at the means are taken on all inputs, which costs one pass. They also change with the machine's
    rounding; then counts are made anew, which is never wrong.

    Args:
        model: the network, in eval mode.
        posterior: the law whose means are used.
        sample: all examples that are counted.
    """
    state = hashlib.sha256(f"pacbayes/counted/1\n{__version__}\n{model!r}\n".encode())
    for rows in torch.arange(len(sample.labels)).split(ROWS):
        inputs = sample.inputs[rows]
        like = next(iter(posterior.mean.values()))
        logits = functional_call(model, {**posterior.mean, **posterior.buffers}, (inputs.to(like),))
        for tensor in (inputs, sample.labels[rows], logits):
            state.update(tensor_digest(tensor).encode())
    return state.hexdigest()
