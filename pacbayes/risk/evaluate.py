"""Counting the errors of the Gibbs classifier."""

import copy
import math
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from threading import Event

import torch
from torch import Tensor, nn

from pacbayes.bounds import binomial_upper
from pacbayes.data import Examples
from pacbayes.data.loss import is_right
from pacbayes.errors import UsageError
from pacbayes.posterior import SpikeAndSlab, after_fixed_layers
from pacbayes.risk.counts import Counts
from pacbayes.risk.designs import MEMORY, Design, design_for
from pacbayes.risk.fingerprint import fingerprint
from pacbayes.risk.journal import Journal
from pacbayes.risk.noise import BLOCK
from pacbayes.risk.placed import PlacedNoise
from pacbayes.runtime.devices import CPU, Place, repeatable
from pacbayes.runtime.lanes import in_lanes
from pacbayes.runtime.processes import Shard, add_up, shard
from pacbayes.runtime.progress import progress

TRIALS = 600_000
NORMALS = 5_000_000_000
JOURNAL_PERIOD = 5.0
"""Seconds between two states of an evaluation on disk."""


def draws_for_slack(
    slack: float, *, risk_guess: float, n: int, delta: Fraction, most: int = 10_000
) -> int:
    """Return the least number of draws per example whose upper value is within a slack.

    The slack is what the draws alone add: the binomial upper value less the counted risk, if the
    count comes out as guessed. The guess must not come from draws that are counted.

    Args:
        slack: what the draws may add to the risk, in (0, 1).
        risk_guess: the risk as far as it is known beforehand.
        n: number of examples.
        delta: failure probability of the draws.
        most: no more than this.

    Raises:
        UsageError: the slack is out of range, or needs more than the largest number of draws.

    Example:
        >>> draws_for_slack(0.001, risk_guess=0.02, n=30_000, delta=Fraction(1, 100))
        4
    """
    if not 0 < slack < 1:
        raise UsageError(f"--slack must lie in (0, 1), got {slack}")

    def added(draws: int) -> float:
        errors = math.ceil(risk_guess * n * draws)
        return binomial_upper(errors=errors, trials=n * draws, delta=delta) - risk_guess

    if added(most) > slack:
        raise UsageError(f"--slack {slack} needs more than {most} draws; give a larger one")
    low, high = 0, 1
    while added(high) > slack:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if added(middle) > slack else (low, middle)
    return high


def default_draws(model: nn.Module, posterior: SpikeAndSlab, sample: Examples) -> int:
    """Return the number of draws per example, from shapes alone.

    Enough for 600,000 trials, or for 5e9 normal numbers where weights are really drawn; at least
    one. It depends on no risk that was counted, so it is fixed before the first draw.
    """
    design = design_for(model, posterior, sample.inputs[:4])
    trials = min(TRIALS, NORMALS // max(design.normals, 1))
    return max(1, math.ceil(trials / len(sample.labels)) if trials > len(sample.labels) else 1)


@torch.no_grad()
def evaluate(
    posterior: SpikeAndSlab,
    model: nn.Module,
    sample: Examples,
    *,
    draws: int,
    root: int,
    journal: Path | None = None,
    memory: int = MEMORY,
    place: Place = CPU,
    quiet: bool = False,
) -> Counts:
    """Return the errors of ``draws`` passes with fresh weights for every (example, draw).

    The trials are independent Bernoulli variables whose mean is the Gibbs risk on the sample
    (design ``fresh-weights``). A tie for the top logit and a non-finite logit count as errors.
    The counts depend on the root, not on the order of execution; finished blocks are kept in
    ``journal`` and a killed run goes on from there. Several processes share the blocks. Noise
    depends on no device, so counts of one root differ by rounding alone between them.

    Args:
        posterior: the law of the weights.
        model: the network; it is copied, put in eval mode and not modified.
        sample: the certificate part, in the order of its indices.
        draws: weight draws per example, fixed beforehand.
        root: integer of the SHA-256 that names the evaluation.
        journal: file for the counts of finished blocks, or ``None``.
        memory: bytes that weights drawn at once may take.
        place: where and in which type the network computes; the examples are kept there.
        quiet: no progress on stderr.

    Raises:
        UsageError: there are no draws or no examples.
    """
    found = evaluate_shard(
        posterior,
        model,
        sample,
        shard(),
        draws=draws,
        root=root,
        journal=journal,
        memory=memory,
        place=place,
        quiet=quiet,
    )
    errors = torch.tensor(sum(found.values()))
    add_up(errors)
    return Counts(errors=int(errors), trials=draws * len(sample.labels))


@torch.no_grad()
def evaluate_shard(
    posterior: SpikeAndSlab,
    model: nn.Module,
    sample: Examples,
    part: Shard,
    *,
    draws: int,
    root: int,
    journal: Path | None = None,
    memory: int = MEMORY,
    place: Place = CPU,
    quiet: bool = False,
) -> dict[int, int]:
    """Return the errors of each block of a shard, by number of the block.

    Args:
        posterior: as all arguments that are not named here, of :func:`evaluate`.
        model: the network.
        sample: the whole certificate part.
        part: which blocks to count.
        draws: weight draws per example.
        root: what the noise starts from.
        journal: file of the whole evaluation; a shard has one of its own beside it.
        memory: bytes that weights drawn at once may take.
        place: where and in which type the network computes; the examples are kept there.
        quiet: no progress on stderr.
    """
    if draws < 1 or len(sample.labels) < 1:
        raise UsageError("evaluation needs at least one draw and one example")
    with repeatable():
        return _counted(
            posterior.to(place),
            copy.deepcopy(model).eval().to(place.device, place.dtype),
            sample,
            part,
            draws=draws,
            root=root,
            journal=journal,
            memory=memory,
            place=place,
            quiet=quiet,
        )


def _counted(
    posterior: SpikeAndSlab,
    network: nn.Module,
    sample: Examples,
    part: Shard,
    *,
    draws: int,
    root: int,
    journal: Path | None,
    memory: int,
    place: Place,
    quiet: bool,
) -> dict[int, int]:
    """Count, with the law and the network at their place."""
    inputs, labels = place.put(sample.inputs), place.put(sample.labels)
    rest = after_fixed_layers(network, posterior.buffers, inputs, labels)
    law = replace(posterior, buffers=rest.buffers)
    blocks = torch.arange(len(sample.labels)).split(BLOCK)
    mine = part.of(range(len(blocks)))
    kept = None
    if journal is not None:
        counted_by = fingerprint(network, posterior, sample)
        kept = Journal.of(journal, part, root=root, draws=draws, counted_by=counted_by)
    done = {} if kept is None else kept.read(len(blocks))
    done = {block: errors for block, errors in done.items() if block in mine}
    missing = [block for block in mine if block not in done]
    design = design_for(rest.model, law, rest.inputs[:4], memory=memory)
    lanes = _lanes(design, len(missing), place)

    def counter(left: Event) -> Callable[[int], int]:
        own = design
        if lanes > 1:
            # Calling a module puts other parameters into it for that time: each lane needs its own.
            model = copy.deepcopy(rest.model)
            own = design_for(model, law, rest.inputs[:4], memory=memory // lanes)

        def count(block: int) -> int:
            noises = [
                PlacedNoise(root=root, draw=draw, block=block, names=own.names, place=place)
                for draw in range(draws)
            ]
            examples = rest.inputs[blocks[block]], rest.labels[blocks[block]]
            return _errors_of_block(own, examples, noises, left=left)

        return count

    saved = time.monotonic()
    with progress("evaluate", len(mine), quiet=quiet) as bar:
        bar.advance(len(done))
        for block, errors in in_lanes(counter, missing, lanes=lanes):
            done[block] = errors
            counted = draws * sum(len(blocks[b]) for b in done)
            bar.advance(1, note=f"risk {sum(done.values()) / counted:.4f}")
            if kept is not None and time.monotonic() - saved > JOURNAL_PERIOD:
                kept.write(done, len(blocks))
                saved = time.monotonic()
    if kept is not None:
        kept.write(done, len(blocks))
    return done


def _lanes(design: Design, blocks: int, place: Place) -> int:
    """Return how many blocks are counted at the same time; memory holds a chunk for each."""
    if place.device.type != "cpu":
        return 1
    return max(1, min(torch.get_num_threads(), design.chunk, blocks))


def _errors_of_block(
    design: Design, examples: tuple[Tensor, Tensor], noises: list[PlacedNoise], *, left: Event
) -> int:
    """Count the errors of all draws on one block; draws come last so that moments are reused."""
    inputs, labels = examples
    errors = 0
    for rows in torch.arange(len(labels)).split(design.chunk):
        forward = design.forward(inputs[rows])
        for noise in noises:
            if left.is_set():
                raise CancelledError("nobody waits for the errors of this block")
            errors += int((~is_right(forward(noise), labels[rows])).sum())
    return errors
