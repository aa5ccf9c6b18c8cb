"""Counting how a posterior errs beside the one before it, each with fresh weights."""

import copy
import hashlib
from dataclasses import dataclass

import torch
from torch import nn

from pacbayes.data import Examples
from pacbayes.data.loss import is_right
from pacbayes.errors import UsageError
from pacbayes.posterior import SpikeAndSlab
from pacbayes.risk.designs import design_for
from pacbayes.risk.noise import BLOCK, BlockNoise
from pacbayes.runtime.progress import progress


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCounts:
    """How often the excess loss ``loss(h) - gamma loss(h')`` reaches each of its values.

    Attributes:
        trials: (example, draw) pairs.
        at_least_zero: all but those where only the one before errs.
        errors: those where the posterior errs: at least ``1 - gamma``.
        alone: those where it alone errs: 1.
    """

    trials: int
    at_least_zero: int
    errors: int
    alone: int

    @property
    def counts(self) -> tuple[int, int, int]:
        """The three counts, in the order of rising values."""
        return self.at_least_zero, self.errors, self.alone


@torch.no_grad()
def evaluate_pairs(
    posterior: SpikeAndSlab,
    before: SpikeAndSlab,
    model: nn.Module,
    sample: Examples,
    *,
    draws: int,
    root: int,
    quiet: bool = False,
) -> PairCounts:
    """Return the counts of ``draws`` passes with fresh weights of both for every pair.

    Given the sample the pairs are independent, so each count is a sum of independent Bernoulli
    variables.

    Args:
        posterior: law of h.
        before: law of h', independent of h.
        model: the network; it is copied, put in eval mode and not modified.
        sample: examples that neither ``before`` nor its training has seen.
        draws: pairs of weights per example, fixed beforehand.
        root: integer of the SHA-256 that names the evaluation.
        quiet: no progress on stderr.

    Raises:
        UsageError: there are no draws or no examples.
    """
    if draws < 1 or len(sample.labels) < 1:
        raise UsageError("evaluation needs at least one draw and one example")
    network = copy.deepcopy(model).eval()
    other = int(hashlib.sha256(f"before {root}".encode()).hexdigest(), 16)
    laws = [
        (law_root, design_for(network, law, sample.inputs[:4]))
        for law_root, law in ((root, posterior), (other, before))
    ]
    size = min(design.chunk for _, design in laws)
    found = [0, 0, 0]
    blocks = torch.arange(len(sample.labels)).split(BLOCK)
    with progress("evaluate pairs", len(blocks), quiet=quiet) as bar:
        for block, rows in enumerate(blocks):
            noises = [
                [
                    BlockNoise(root=r, draw=draw, block=block, names=design.names)
                    for r, design in laws
                ]
                for draw in range(draws)
            ]
            for chunk in rows.split(size):
                forwards = [design.forward(sample.inputs[chunk]) for _, design in laws]
                for pair in noises:
                    wrong, wrong_before = (
                        ~is_right(forward(noise), sample.labels[chunk])
                        for forward, noise in zip(forwards, pair, strict=True)
                    )
                    found[0] += int((wrong_before & ~wrong).sum())
                    found[1] += int(wrong.sum())
                    found[2] += int((wrong & ~wrong_before).sum())
            bar.advance(1)
    trials = draws * len(sample.labels)
    return PairCounts(
        trials=trials, at_least_zero=trials - found[0], errors=found[1], alone=found[2]
    )
