"""From a checkpoint to its certificates: the arrows in order, resumable."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from torch import nn

from pacbayes import __version__
from pacbayes.bounds import Confidence
from pacbayes.certificate import Certificate
from pacbayes.certificate.document import canonical
from pacbayes.checkpoints import read_ticket
from pacbayes.data import Data, Split, load_data, split_from_file
from pacbayes.data.label_noise import LabelNoise, with_label_noise
from pacbayes.errors import InputError, Problem, UsageError
from pacbayes.models import build_model, weights
from pacbayes.pipeline import evidence
from pacbayes.pipeline.advice import advice
from pacbayes.pipeline.batchnorm import accounted, settled
from pacbayes.pipeline.find import finished_levels, fresh_plan, run_levels, split_for
from pacbayes.pipeline.request import COUNTED_BOUNDS, BatchNorm, CertifyRequest
from pacbayes.pipeline.stages import Stage, draws_for, evaluate_stage_shard, fit_stage, read_fit
from pacbayes.pipeline.subject import Role, choose_subject, known_provenance
from pacbayes.pipeline.theorem import certified
from pacbayes.pruning import FindPlan, TrainPlan
from pacbayes.risk import problems as probe
from pacbayes.runtime.files import require_writable, write_bytes, write_json
from pacbayes.runtime.processes import Shard, first_then_all
from pacbayes.runtime.reading import read_json
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import Ticket
from pacbayes.tickets import digest as weights_digest

CERTIFICATES: Final[dict[Role, str]] = {
    "ticket": "certificate.json",
    "dense": "dense.certificate.json",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """One certificate, where it lies, and what the user should read beside it."""

    certificate: Certificate
    path: Path
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What the request names, loaded."""

    data: Data
    model: nn.Module
    split: Split | None
    confidence: Confidence


def certify(request: CertifyRequest) -> list[Certified]:
    """Return the certificate of a ticket or checkpoint, and of its dense twin if asked for.

    Leaves ``certificate.json`` (and ``dense.certificate.json``) in the output folder, next to the
    posterior and the counted draws of each, so that a killed run goes on where it stopped.

    Raises:
        UnsoundError: validity conditions do not hold; carries all of them.
        InputError: a file is missing, malformed or does not fit.
        UsageError: options contradict each other, or the folder holds another request.
    """
    request, inputs, jobs = _opened(request)
    # A certificate of an earlier run must not stand there when this one is refused.
    for name in CERTIFICATES.values():
        (request.out / name).unlink(missing_ok=True)
    return [_certify_one(role, t, foreign, inputs, request) for role, t, foreign in jobs]


def count_shard(request: CertifyRequest, part: Shard | None) -> list[Path]:
    """Count one shard of the draws of a request; return the files that hold the counts.

    ``merge`` makes the file of a whole evaluation of them, which :func:`certify` goes on from.

    Args:
        request: the options of the certificate.
        part: the shard, whose posterior must be there; ``None`` fits the posterior alone.

    Raises:
        InputError: no posterior was fitted yet for this request.
        UsageError: the bound is not one on a Gibbs classifier.
    """
    if request.bound not in COUNTED_BOUNDS:
        raise UsageError(f"--bound {request.bound} counts no draws that could be shared out")
    request, inputs, jobs = _opened(request)
    found = []
    for role, ticket, foreign in jobs:
        stage, _ = _staged(role, ticket, foreign, inputs, request)
        if part is None:
            fit_stage(stage)
            continue
        posterior, prior = read_fit(stage)
        draws = draws_for(stage, posterior)
        found.append(evaluate_stage_shard(stage, posterior, prior, part, draws=draws))
    return found


Jobs = list[tuple[Role, Ticket, bool]]


def _opened(request: CertifyRequest) -> tuple[CertifyRequest, Inputs, Jobs]:
    """Load what the request names; return it with the tickets and whose tool made them."""
    require_writable(request.out)
    if request.bound == "occam":
        # The code pays for all that was learned, so the certificate may rest on every example.
        request = replace(request, prior="zero", all_data=True)
    inputs = _load(request)
    inputs = _with_the_tickets_noise(inputs, _open(request.path, inputs, request))
    ticket, foreign = _read(request.path, inputs, request)
    jobs: Jobs = [("ticket", ticket, foreign)]
    if request.dense is not False:
        twin, twin_foreign = _read_dense(ticket, inputs, request)
        jobs.append(("dense", twin, twin_foreign))
    _require_same_request(request, inputs, [job[1] for job in jobs])
    return request, inputs, jobs


def _load(request: CertifyRequest) -> Inputs:
    data = load_data(
        request.data,
        root=request.data_root,
        normalize=request.normalize,
        download=request.download,
        quiet=request.quiet,
    )
    model = build_model(
        request.model,
        in_shape=data.shape,
        classes=data.classes,
        args=request.model_args,
        seed=request.seed,
    )
    split = None
    total = len(data.train.labels)
    if request.split_file is not None:
        split = split_from_file(request.split_file, total)
    elif request.split is not None:
        split = split_for(data, request.split, Seeds(request.seed))
    return Inputs(data=data, model=model, split=split, confidence=Confidence(request.delta))


def _with_the_tickets_noise(inputs: Inputs, ticket: Ticket) -> Inputs:
    """Return the inputs with the label noise that the ticket was found under, if any."""
    recipe = ticket.notes.get("label_noise")
    if recipe is None:
        return inputs
    return replace(inputs, data=with_label_noise(inputs.data, LabelNoise.from_json(recipe)))


def _open(path: Path, inputs: Inputs, request: CertifyRequest) -> Ticket:
    """Return what is in a checkpoint or ticket folder."""
    shapes = {name: tuple(p.shape) for name, p in inputs.model.named_parameters()}
    # A buffer that is not persistent is in a ticket of ours, and in nobody else's file.
    buffers, stored = dict(inputs.model.named_buffers()), inputs.model.state_dict().keys()
    return read_ticket(
        path,
        init=request.init,
        mask=request.mask,
        key=request.key,
        mask_from_zeros=request.mask_from_zeros,
        parameter_shapes=shapes,
        buffer_names=tuple(name for name in buffers if name in stored),
        unsaved_buffer_names=tuple(name for name in buffers if name not in stored),
    )


def _read(path: Path, inputs: Inputs, request: CertifyRequest) -> tuple[Ticket, bool]:
    """Return a ticket with known provenance, and whether another tool made it."""
    ticket = _open(path, inputs, request)
    foreign = ticket.provenance.data is None
    return known_provenance(ticket, inputs.data, inputs.split, request), foreign


def _read_dense(ticket: Ticket, inputs: Inputs, request: CertifyRequest) -> tuple[Ticket, bool]:
    if isinstance(request.dense, Path):
        plain = replace(request, init=None, mask=None, mask_from_zeros=False, path=request.dense)
        return _read(request.dense, inputs, plain)
    if ticket.dense is None:
        raise UsageError(
            "--dense without a path needs a ticket that names its dense twin; give --dense TICKET"
        )
    folder = request.path.parent / "level_00"
    twin, foreign = _read(folder, inputs, replace(request, init=None, mask=None))
    if twin.digest != ticket.dense:
        raise InputError(f"{folder}: is not the dense twin that {request.path} names")
    return twin, foreign


def _require_same_request(request: CertifyRequest, inputs: Inputs, tickets: list[Ticket]) -> None:
    facts = {k: str(v) for k, v in asdict(request).items() if k not in _IRRELEVANT}
    facts["data_sha256"] = inputs.data.digest
    facts["tickets"] = " ".join(ticket.digest for ticket in tickets)
    text = json.dumps(facts, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    record = request.out / "request.json"
    if record.exists() and not request.force and read_json(record)["request"] != digest:
        raise UsageError(
            f"{request.out} holds the work of another request; choose another --out or give --force"
        )
    write_json(record, {"schema": "pacbayes/request/1", "request": digest})


_IRRELEVANT = (
    "path",
    "out",
    "data_root",
    "download",
    "force",
    "quiet",
    "init",
    "mask",
    "dense",
    "split_file",
    "bound",
    "catoni",
    "memory",
    "device",
    "dtype",
)


def _certify_one(
    role: Role, ticket: Ticket, foreign: bool, inputs: Inputs, request: CertifyRequest
) -> Certified:
    stage, probed = _staged(role, ticket, foreign, inputs, request)
    name = _name(ticket, role, request, inputs.data)
    certificate, read = certified(stage, probed, name=name)
    path = request.out / CERTIFICATES[role]
    write_bytes(path, canonical(certificate.document))
    remarks = (*stage.subject.remarks, *read, *advice(certificate))
    return Certified(certificate=certificate, path=path, remarks=remarks)


def _staged(
    role: Role, ticket: Ticket, foreign: bool, inputs: Inputs, request: CertifyRequest
) -> tuple[Stage, list[Problem]]:
    """Return what the stages of one subject need, which is sound, and what the probes found."""
    folder = request.out / role
    require_writable(folder)
    data, total = inputs.data, len(inputs.data.train.labels)
    found = settled(ticket, inputs.model, request.batchnorm, in_shape=data.shape, total=total)
    model = found.model

    def train_prior(theirs: Ticket, split: Split) -> Ticket:
        fresh = _train_prior(folder / "prior", theirs, split, inputs, request)
        # Fresh statistics are of the prior part: there is nothing in them to charge.
        mode: BatchNorm = "fold" if request.batchnorm == "fold" else "prior-split"
        return settled(fresh, inputs.model, mode, in_shape=data.shape, total=total).ticket

    subject = choose_subject(
        found.ticket,
        role=role,
        foreign=foreign,
        split=inputs.split,
        request=request,
        total=total,
        train_prior=train_prior,
    )
    subject = accounted(subject, found, checkpoint_sha256=ticket.digest)
    stage = Stage(
        subject=subject,
        model=model,
        data=data,
        sample=data.train.part(subject.certificate),
        confidence=inputs.confidence,
        folder=folder,
        request=request,
    )
    probed = probe(model, subject.prior.mean, subject.prior.buffers, stage.sample)
    evidence.require_sound(stage, probed)
    return stage, probed


def _name(ticket: Ticket, role: Role, request: CertifyRequest, data: Data) -> str:
    part = "dense" if ticket.mask.kept == ticket.mask.prunable else role
    return request.name or f"{request.model}/{_source(request, data)}/{part}"


def _source(request: CertifyRequest, data: Data) -> str:
    """Return what the subject's name says of the data: of a folder, its name and not its place."""
    folder = request.data.startswith("imagefolder:")
    return data.name.replace(" ", "-") if folder else request.data


def _train_prior(
    folder: Path, theirs: Ticket, split: Split, inputs: Inputs, request: CertifyRequest
) -> Ticket:
    """Train a fresh network, pruned to the density of theirs, on the prior part."""
    base = FindPlan(train=TrainPlan(epochs=request.prior_epochs, lr=0.1), levels=0)
    plan = fresh_plan(base, theirs.mask.density)
    facts = [repr(plan), split.prior.digest, inputs.data.digest, request.model, request.seed]
    # The texts may stand for another network or other inputs than in an earlier run.
    facts += [repr(inputs.data.transform), weights_digest(weights(inputs.model)), __version__]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def levels() -> Ticket:
        return run_levels(
            folder,
            inputs.model,
            inputs.data,
            split,
            plan=plan,
            seeds=Seeds(request.seed).child("prior"),
            done=finished_levels(folder, levels=plan.levels, request=digest),
            notes={"model": request.model, "request": digest},
            quiet=request.quiet,
        )

    return first_then_all(levels)
