"""Counting the errors of the Gibbs classifier."""

import copy
import math
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from pacbayes.data import Examples
from pacbayes.data.loss import is_right
from pacbayes.errors import UsageError
from pacbayes.posterior import SpikeAndSlab, after_fixed_layers
from pacbayes.risk.counts import Counts
from pacbayes.risk.designs import Design, design_for
from pacbayes.risk.fingerprint import fingerprint
from pacbayes.risk.noise import BLOCK, BlockNoise
from pacbayes.runtime.files import write_json
from pacbayes.runtime.progress import progress
from pacbayes.runtime.reading import read_json

TRIALS = 600_000
NORMALS = 5_000_000_000
JOURNAL_PERIOD = 5.0
"""Seconds between two states of an evaluation on disk."""


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
    quiet: bool = False,
) -> Counts:
    """Return the errors of ``draws`` passes with fresh weights for every (example, draw).

    The trials are independent Bernoulli variables whose mean is the Gibbs risk on the sample
    (design ``fresh-weights``). A tie for the top logit and a non-finite logit count as errors.
    The counts depend on the root, not on the order of execution; finished blocks are kept in
    ``journal`` and a killed run goes on from there.

    Args:
        posterior: the law of the weights.
        model: the network; it is copied, put in eval mode and not modified.
        sample: the certificate part, in the order of its indices.
        draws: weight draws per example, fixed beforehand.
        root: integer of the SHA-256 that names the evaluation.
        journal: file for the counts of finished blocks, or ``None``.
        quiet: no progress on stderr.

    Raises:
        UsageError: there are no draws or no examples.
    """
    if draws < 1 or len(sample.labels) < 1:
        raise UsageError("evaluation needs at least one draw and one example")
    network = copy.deepcopy(model).eval()
    rest = after_fixed_layers(network, posterior.buffers, sample.inputs, sample.labels)
    design = design_for(rest.model, replace(posterior, buffers=rest.buffers), rest.inputs[:4])
    blocks = torch.arange(len(sample.labels)).split(BLOCK)
    subject: dict[str, str | int] = {"root": f"{root:064x}", "draws": draws}
    if journal is not None:
        subject["counted_by"] = fingerprint(network, posterior, sample)
    done = [] if journal is None else _read_journal(journal, subject)
    saved = time.monotonic()
    with progress("evaluate", len(blocks), quiet=quiet) as bar:
        bar.advance(len(done))
        for block in range(len(done), len(blocks)):
            examples = rest.inputs[blocks[block]], rest.labels[blocks[block]]
            done.append(_errors_of_block(design, examples, root=root, draws=draws, block=block))
            counted = draws * (int(blocks[block][-1]) + 1)
            bar.advance(1, note=f"risk {sum(done) / counted:.4f}")
            if journal is not None and time.monotonic() - saved > JOURNAL_PERIOD:
                _write_journal(journal, subject, errors=done)
                saved = time.monotonic()
    if journal is not None:
        _write_journal(journal, subject, errors=done)
    return Counts(errors=sum(done), trials=draws * len(sample.labels))


def _errors_of_block(
    design: Design, examples: tuple[Tensor, Tensor], *, root: int, draws: int, block: int
) -> int:
    """Count the errors of all draws on one block; draws come last so that moments are reused."""
    inputs, labels = examples
    errors = 0
    noises = [
        BlockNoise(root=root, draw=draw, block=block, names=design.names) for draw in range(draws)
    ]
    for rows in torch.arange(len(labels)).split(design.chunk):
        forward = design.forward(inputs[rows])
        for noise in noises:
            errors += int((~is_right(forward(noise), labels[rows])).sum())
    return errors


def _write_journal(journal: Path, subject: dict[str, str | int], *, errors: list[int]) -> None:
    write_json(journal, {**subject, "errors": errors})


def _read_journal(journal: Path, subject: dict[str, str | int]) -> list[int]:
    """Return the counts of finished blocks; none where the journal is of another evaluation."""
    if not journal.exists():
        return []
    stored = read_json(journal)
    if any(stored.get(key) != value for key, value in subject.items()):
        return []
    return [int(errors) for errors in stored["errors"]]
