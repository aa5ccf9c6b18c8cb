"""What the landscape commands work on: options, tickets, network, samples."""

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pacbayes.cli.options import network_options, pairs
from pacbayes.errors import InputError, UsageError

if TYPE_CHECKING:
    from torch import nn

    from pacbayes.data import Data, Examples
    from pacbayes.posterior import SpikeAndSlab
    from pacbayes.pruning import TrainPlan
    from pacbayes.tickets import IndexSet, Ticket

Command = Callable[..., Any]
MNIST = "--model lenet300 --data mnist --data-root DIR"
"""Network and data of the examples in the help texts."""


def ticket_options(command: Command) -> Command:
    """Add the tickets and what becomes of the result."""
    options = [
        click.argument("tickets", nargs=-1, required=True, type=click.Path(path_type=Path)),
        click.option("--format", "form", type=click.Choice(["text", "json"]), default="text"),
        click.option(
            "--out", type=click.Path(path_type=Path), help="folder for the result as JSON"
        ),
        click.option("--plot", is_flag=True, help="draw a figure beside it, into --out"),
        click.option("-q", "--quiet", is_flag=True, help="no progress on stderr"),
    ]
    return _decorate(command, options)


def measuring_options(
    *, examples: int, samples: Sequence[str], losses: Sequence[str], smooth: bool
) -> Callable[[Command], Command]:
    """Add network, data, and what is measured on them.

    Args:
        examples: default size of a sample.
        samples: default samples.
        losses: default losses.
        smooth: whether the 0-1 error is left out.
    """
    names = ["cross-entropy", "squared"] if smooth else ["error", "cross-entropy", "squared"]
    options = [
        click.option(
            "--sample",
            "samples",
            type=click.Choice(["train", "test"]),
            multiple=True,
            default=list(samples),
            show_default=True,
            help="the examples that the first ticket saw, or the test examples",
        ),
        click.option(
            "--examples", type=int, default=examples, show_default=True, help="0: all of them"
        ),
        click.option(
            "--loss",
            "losses",
            type=click.Choice(names),
            multiple=True,
            default=list(losses),
            show_default=True,
        ),
        click.option("--seed", type=int, default=1, show_default=True, help="all that is drawn"),
    ]

    def add(command: Command) -> Command:
        return network_options(_decorate(command, options))

    return add


def path_options(command: Command) -> Command:
    """Add what barriers are measured by."""
    options = [
        click.option("--points", type=int, default=11, show_default=True, help="ends included"),
        click.option(
            "--buffers",
            type=click.Choice(["interpolate", "re-estimate"]),
            default="interpolate",
            show_default=True,
            help="running statistics of BatchNorm between the ends",
        ),
    ]
    return _decorate(command, options)


def _decorate(command: Command, options: Sequence[Callable[[Command], Command]]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def reference_option(command: Command) -> Command:
    """Add what a barrier rises above."""
    return click.option(
        "--reference",
        type=click.Choice(["mean", "line", "larger"]),
        default="mean",
        show_default=True,
        help="of the ends; what a barrier rises above",
    )(command)


def posterior_option(command: Command) -> Command:
    """Add the posterior of one ticket."""
    return click.option(
        "--posterior",
        type=click.Path(path_type=Path),
        help="posterior.safetensors that certify left for the one ticket",
    )(command)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where landscapes are measured.

    Attributes:
        tickets: by label, in the order given.
        folders: where each was read from.
        model: the network.
        data: with the label noise of the tickets.
        samples: ``train`` and ``test``, as asked for.
        part: what the first ticket's training saw.
        statistics: training examples to measure running statistics on, where these are asked for.
    """

    tickets: "dict[str, Ticket]"
    folders: dict[str, Path]
    model: "nn.Module"
    data: "Data"
    samples: "dict[str, Examples]"
    part: "IndexSet"
    statistics: "Examples | None"


def open_tickets(
    paths: Sequence[Path], *, least: int = 1
) -> "tuple[dict[str, Ticket], dict[str, Path]]":
    """Return tickets and folders by label; a run's folder stands for its levels in order.

    Raises:
        UsageError: there are too few tickets, or one is given twice.
        InputError: a path holds no ticket.
    """
    from pacbayes.checkpoints import read_ticket

    folders = [folder for path in paths for folder in _levels(path)]
    if len(folders) < least:
        raise UsageError(
            f"{least} tickets are needed, got {len(folders)}; give folders, or one of a whole run"
        )
    names = [folder.name for folder in folders]
    labels = names if len(set(names)) == len(names) else [str(folder) for folder in folders]
    if len(set(labels)) < len(labels):
        raise UsageError("a ticket is given twice")
    found = dict(zip(labels, folders, strict=True))
    return {label: read_ticket(folder) for label, folder in found.items()}, found


def open_site(options: dict[str, Any], *, least: int = 1) -> Site:
    """Return the tickets, network and samples that the options name.

    Raises:
        UsageError: options contradict each other.
        InputError: something is missing, or the tickets are of other data.
    """
    from pacbayes.data import load_data
    from pacbayes.data.label_noise import LabelNoise, with_label_noise
    from pacbayes.models import build_model

    tickets, folders = open_tickets(options["tickets"], least=least)
    data = load_data(
        options["data"],
        root=options["data_root"],
        normalize=options["normalize"],
        download=options["download"],
    )
    recipes = [ticket.notes.get("label_noise") for ticket in tickets.values()]
    if any(recipe != recipes[0] for recipe in recipes):
        raise UsageError("the tickets were trained with different label noise; take them apart")
    if recipes[0] is not None:
        data = with_label_noise(data, LabelNoise.from_json(recipes[0]))
    for label, ticket in tickets.items():
        if ticket.provenance.data not in (None, data.digest):
            raise InputError(f"{label} was found on other data than --data {options['data']}")
    model = build_model(
        options["model"],
        in_shape=data.shape,
        classes=data.classes,
        args=pairs(options["model_args"], flag="--model-args"),
        seed=options["seed"],
    )
    first = next(iter(tickets.values()))
    part = first.provenance.seen("trained", total=len(data.train))
    count, seed = options["examples"], options["seed"]
    anew = options.get("buffers") == "re-estimate"
    return Site(
        tickets=tickets,
        folders=folders,
        model=model,
        data=data,
        samples={
            name: _sample(data, part, name, count=count, seed=seed)
            for name in dict.fromkeys(options["samples"])
        },
        part=part,
        # Never on test examples, whatever the loss is measured on.
        statistics=_sample(data, part, "train", count=count, seed=seed) if anew else None,
    )


def training_plan(folder: Path, changes: dict[str, Any]) -> "tuple[TrainPlan, int]":
    """Return how a level was trained, and the step that it was rewound to.

    Read from the record of the run that the folder lies in; given options go before it.

    Raises:
        UsageError: there is no such record, and no --epochs and --lr.
        InputError: the record is malformed.
    """
    from pacbayes.pruning import TrainPlan, parse_rewind
    from pacbayes.runtime.reading import read_json

    given = {name: value for name, value in changes.items() if value is not None}
    record = folder.resolve().parent / "find.json"
    if not record.is_file():
        if not {"epochs", "lr"} <= set(given):
            raise UsageError(f"{record} is missing, so give --epochs and --lr")
        return TrainPlan(**given), 0
    try:
        plan = read_json(record)["plan"]
        rewind = parse_rewind(plan["rewind"])
        known = TrainPlan(**{**ast.literal_eval(plan["train"]), **given})
    except (KeyError, TypeError, ValueError, SyntaxError) as error:
        raise InputError(f"{record}: plan is malformed: {error}") from error
    return known, rewind if isinstance(rewind, int) else 0


def read_posterior(path: Path) -> "SpikeAndSlab":
    """Return the posterior that a certification left in a file.

    Raises:
        InputError: the file is missing, malformed or no posterior.
    """
    from pacbayes.checkpoints.opening import open_file
    from pacbayes.checkpoints.safetensors_file import load_safetensors
    from pacbayes.posterior import SpikeAndSlab

    tensors, metadata = load_safetensors(open_file(path))
    if not metadata.get("schema", "").startswith("pacbayes/posterior/"):
        raise InputError(f"{path}: is no posterior; certify leaves one as posterior.safetensors")
    return SpikeAndSlab.from_tensors(tensors)


def neighbours(tickets: "dict[str, Ticket]") -> "Iterator[tuple[str, str]]":
    """Yield the labels of neighbours in the order given."""
    labels = list(tickets)
    yield from pairwise(labels)


def _levels(path: Path) -> list[Path]:
    from pacbayes.runtime.folders import ticket_exists

    if not (path / "find.json").is_file():
        return [path]
    return sorted(found for found in path.glob("level_*") if ticket_exists(found))


def _sample(data: "Data", part: "IndexSet", name: str, *, count: int, seed: int) -> "Examples":
    from pacbayes.runtime.seeds import Seeds
    from pacbayes.tickets import IndexSet

    if count < 0:
        raise UsageError(f"--examples must not be negative, got {count}")
    if name == "test" and data.test is None:
        raise UsageError("these data have no test examples; give --sample train")
    whole = data.test if name == "test" and data.test is not None else data.train
    rows = part.indices if name == "train" else IndexSet.all(len(whole)).indices
    if not len(rows):
        raise UsageError("the first ticket has seen no examples; give --sample test")
    if 0 < count < len(rows):
        rows = Seeds(seed).numpy(f"sample {name}").permutation(rows)[:count]
    return whole.part(IndexSet.of(rows, total=len(whole)))
