"""What is counted on the certificate part: a Gibbs classifier, or one network."""

import json
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

from pacbayes import __version__
from pacbayes.certificate import (
    DrawFacts,
    PosteriorFacts,
    PriorFacts,
    Seen,
    TensorFacts,
    evaluation_root,
)
from pacbayes.certificate.issue import ONE_NETWORK
from pacbayes.errors import UsageError, WriteError
from pacbayes.pipeline import published, random_mask
from pacbayes.pipeline.stages import Stage, draws_for, evaluate_stage
from pacbayes.posterior import Prior, SpikeAndSlab, divergence
from pacbayes.posterior.network_code import decode, encode, itemised
from pacbayes.posterior.one_network import draw_network, log_ratio
from pacbayes.posterior.quantise import QuantisePlan, dequantised, quantise
from pacbayes.risk import count_errors, evaluate
from pacbayes.runtime.files import write_bytes, write_tensors
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import IndexSet, digest, tensor_digest

TEST_ROOT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Counts and nats that a theorem is applied to.

    Attributes:
        prior: what it is certified against.
        posterior: what is certified, with its nats by tensor.
        draws: errors and trials.
        test: (errors, trials) on the test examples, informative, ``None`` without any.
        notes: what the conditions say where it differs from a Gibbs classifier, by condition.
        remarks: sentences for the user.
    """

    prior: PriorFacts
    posterior: PosteriorFacts
    draws: DrawFacts
    test: tuple[int, int] | None
    notes: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


ONE = {
    "V13": "the bound has no free parameter",
    "V15": "one network, evaluated once; its noise is derived from digests",
    "V17": "nothing is sampled after the network is drawn",
    "V27": "one network, named by the digest of its weights",
    "V29": "one stream per tensor, unused by fitting",
}


def count_gibbs(stage: Stage, posterior: SpikeAndSlab, prior: Prior) -> Counted:
    """Return the counts of the randomised classifier, fresh weights for every (example, draw)."""
    draws = draws_for(stage, posterior)
    found = evaluate_stage(stage, posterior, prior, draws=draws, label="posterior")
    risk = found.counts.errors / found.counts.trials
    value = published.published_value(stage, posterior, prior, risk=risk)
    tensors = tuple(
        replace(
            facts(item.name, posterior.mean[item.name], kept=item.kept, prior=prior),
            mask=item.mask,
            mean=item.mean,
            scale=item.scale,
        )
        for item in divergence(posterior, prior).tensors
    )
    return Counted(
        prior=prior_facts(prior),
        posterior=PosteriorFacts(
            sha256=posterior.digest,
            checkpoint_sha256=stage.subject.checkpoint_sha256,
            tensors=tensors,
        ),
        draws=DrawFacts(draws=draws, errors=found.counts.errors, trials=found.counts.trials),
        test=gibbs_test(stage, posterior),
        remarks=(
            *random_mask.remarks(posterior, stage.subject.ticket.mask),
            *published.remarks(value),
        ),
    )


def count_drawn(stage: Stage, posterior: SpikeAndSlab, prior: Prior) -> Counted:
    """Return the errors of one network drawn from the posterior, and its density ratio.

    The network is written to ``network.safetensors`` in the stage's folder; the certificate names
    it by digest.
    """
    root = evaluation_root(
        posterior_sha256=posterior.digest,
        prior_sha256=prior.digest,
        certificate_sha256=stage.certificate_sha256,
        draws=1,
        design=ONE_NETWORK,
    )
    weights = draw_network(posterior, root=int(root, 16))
    errors = _count(stage, weights, posterior.buffers)
    masks = {t.name: t.mask for t in divergence(posterior, prior).tensors}
    tensors = tuple(
        replace(
            facts(item.name, weights[item.name], kept=item.kept, prior=prior),
            mask=masks[item.name],
            mean=item.mean,
            scale=item.scale,
        )
        for item in log_ratio(weights, posterior, prior)
    )
    path = write_network(stage.folder, weights, posterior.buffers)
    return Counted(
        prior=prior_facts(prior),
        posterior=PosteriorFacts(
            sha256=posterior.digest,
            checkpoint_sha256=stage.subject.checkpoint_sha256,
            network_sha256=network_digest(weights, posterior.buffers),
            tensors=tensors,
        ),
        draws=DrawFacts(draws=1, errors=errors, trials=len(stage.sample.labels)),
        test=_test(stage, weights, posterior.buffers),
        notes=ONE | {"V26": "the laws in the density ratio include the rounding to float32"},
        remarks=(f"The certified network: {path}", DRAWN_ONCE),
    )


DRAWN_ONCE = (
    "The claim is about this one draw. Drawing again, or keeping the best of several networks, "
    "needs a delta of its own for each."
)


def count_unseen(stage: Stage, prior: Prior) -> Counted:
    """Return the errors of the prior's own network, which has not seen the certificate part.

    Raises:
        UsageError: the prior is not a network that was trained on other examples.
    """
    if prior.kind not in ("split", "given"):
        raise UsageError("--bound test-set needs a network from a prior part: give --split")
    weights = {name: t * prior.mask.of(name, t) for name, t in prior.mean.items()}
    errors = _count(stage, weights, prior.buffers)
    tensors = tuple(
        replace(
            facts(name, mean, kept=int(prior.mask.of(name, mean).sum()), prior=prior),
            prior_scale=None,
            grid_index=None,
        )
        for name, mean in sorted(weights.items())
    )
    path = write_network(stage.folder, weights, prior.buffers)
    found = network_digest(weights, prior.buffers)
    return Counted(
        prior=replace(prior_facts(prior), grid=None),
        posterior=PosteriorFacts(
            sha256=found,
            checkpoint_sha256=stage.subject.checkpoint_sha256,
            network_sha256=found,
            tensors=tensors,
        ),
        draws=DrawFacts(draws=1, errors=errors, trials=len(stage.sample.labels)),
        test=_test(stage, weights, prior.buffers),
        notes=ONE | {"V26": "nothing is drawn", "V2": "no scales", "V25": "prior and claim agree"},
        remarks=(f"The certified network: {path}",),
    )


def count_coded(stage: Stage) -> Counted:
    """Return the errors of the ticket, quantised, and the length of its code in nats.

    The code is written to ``network.code`` and what it decodes to beside it. Everything that
    changes predictions is in the code: positions, values, steps; the architecture is fixed.

    Raises:
        UsageError: the network has buffers, which the code does not hold.
    """
    ticket, request = stage.subject.ticket, stage.request
    floating = [name for name, b in stage.model.named_buffers() if b.is_floating_point()]
    if floating:
        raise UsageError(
            f"--bound occam: the code holds no buffers such as {floating[0]}; "
            "fold BatchNorm first (--batchnorm fold)"
        )
    epochs = EPOCHS_OF_CODE if request.epochs is None else request.epochs
    network = quantise(
        ticket.trained,
        ticket.mask,
        stage.model,
        stage.sample,
        plan=QuantisePlan(
            levels=request.code_levels,
            epochs=epochs,
            batch_size=request.batch_size,
            lr=request.lr or 1e-3,
        ),
        seeds=Seeds(request.seed).child("quantise"),
        quiet=request.quiet,
    )
    code = encode(network)
    write_bytes(stage.folder / "network.code", code.data)
    weights = decode(code.data, {name: tuple(t.symbols.shape) for name, t in network.items()})
    if digest(weights) != digest(dequantised(network)):
        raise WriteError("network.code: does not decode to the network that was encoded")
    errors = _count(stage, weights, {})
    items = itemised(code)
    tensors = tuple(
        TensorFacts(
            name=name,
            dtype="float32",
            shape=tuple(tensor.shape),
            sha256=tensor_digest(tensor),
            n_weights=tensor.numel(),
            n_active=int((tensor != 0).sum()),
            prior_scale=None,
            grid_index=None,
            mask=items[name]["mask"],
            mean=items[name]["mean"],
            scale=items[name]["scale"],
        )
        for name, tensor in weights.items()
    )
    write_network(stage.folder, weights, {})
    return Counted(
        prior=_code_facts(stage),
        posterior=PosteriorFacts(
            sha256=sha256(code.data).hexdigest(),
            checkpoint_sha256=stage.subject.checkpoint_sha256,
            network_sha256=network_digest(weights, {}),
            tensors=tensors,
        ),
        draws=DrawFacts(draws=1, errors=errors, trials=len(stage.sample.labels)),
        test=_test(stage, weights, {}),
        notes=ONE | CODED,
        remarks=(f"The code: {stage.folder / 'network.code'}, {len(code.data)} bytes",),
    )


EPOCHS_OF_CODE = 5
CODED = {
    "V1": "the prior is the code, fixed with the program",
    "V2": "no scales; steps are in the code",
    "V3": "which weights are zero is in the code",
    "V4": "positions are in the code",
    "V24": "every parameter is in the code",
    "V25": "every byte string has prior mass",
    "V26": "nothing is drawn; the certified weights are the decoded ones",
    "V30": "no constant",
}


def _code_facts(stage: Stage) -> PriorFacts:
    """Return the prior over byte strings: the code and the architecture, fixed without data."""
    model = stage.model
    shapes = {name: list(p.shape) for name, p in model.named_parameters()}
    facts = ["pacbayes/code/1", stage.request.model, shapes, __version__]
    nothing = seen(IndexSet.none(len(stage.data.train.labels)))
    return PriorFacts(
        kind="code",
        sha256=sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest(),
        seen=nothing,
        mask_seen=nothing,
        mask_price="code",
    )


def prior_facts(prior: Prior) -> PriorFacts:
    """Return what a certificate says of a prior on weights."""
    grid, gates = prior.grid, prior.inclusion_grid
    return PriorFacts(
        kind=prior.kind,
        sha256=prior.digest,
        seen=seen(prior.seen),
        mask_seen=seen(prior.mask_seen),
        mask_price=prior.mask_price,
        grid=None if grid is None else grid.to_json(),
        inclusion_grid=None if gates is None else gates.to_json(),
    )


def seen(indices: IndexSet) -> Seen:
    """Return a set of examples by size and digest."""
    return Seen(count=len(indices), indices_sha256=indices.digest)


def network_digest(weights: dict[str, Tensor], buffers: dict[str, Tensor]) -> str:
    """Return the digest by which a certificate names one network."""
    return digest({**weights, **buffers})


def write_network(folder: Path, weights: dict[str, Tensor], buffers: dict[str, Tensor]) -> Path:
    """Write one network as a plain state dict and return its path."""
    path = folder / "network.safetensors"
    write_tensors(path, {**weights, **buffers}, {"schema": "pacbayes/network/1"})
    return path


def gibbs_test(stage: Stage, posterior: SpikeAndSlab) -> tuple[int, int] | None:
    """Return (errors, trials) of a Gibbs classifier on the test examples, ``None`` without any."""
    test = stage.data.test
    if test is None or not len(test.labels):
        return None
    with torch.no_grad():
        counts = evaluate(
            posterior,
            stage.model,
            test,
            draws=1,
            root=TEST_ROOT,
            place=stage.request.place,
            quiet=True,
        )
    return counts.errors, counts.trials


def _test(
    stage: Stage, weights: dict[str, Tensor], buffers: dict[str, Tensor]
) -> tuple[int, int] | None:
    test = stage.data.test
    if test is None or not len(test.labels):
        return None
    counts = count_errors(stage.model, weights, buffers, test)
    return counts.errors, counts.trials


def _count(stage: Stage, weights: dict[str, Tensor], buffers: dict[str, Tensor]) -> int:
    return count_errors(stage.model, weights, buffers, stage.sample).errors


def facts(name: str, tensor: Tensor, *, kept: int, prior: Prior) -> TensorFacts:
    """Return one tensor's identity, before any nats."""
    return TensorFacts(
        name=name,
        dtype=str(tensor.dtype).removeprefix("torch."),
        shape=tuple(tensor.shape),
        sha256=tensor_digest(tensor),
        n_weights=tensor.numel(),
        n_active=kept,
        prior_scale=repr(prior.scale[name]),
        grid_index=prior.grid_index.get(name),
        inclusion_index=prior.inclusion_index.get(name),
        mask="0",
        mean="0",
        scale="0",
    )
