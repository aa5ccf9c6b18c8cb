"""Controls of the levels of one search, in folders beside them."""

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from pacbayes.checkpoints import read_ticket
from pacbayes.data import Data
from pacbayes.pruning import ControlName, FindPlan, control
from pacbayes.runtime.folders import ticket_exists, write_ticket
from pacbayes.runtime.progress import progress
from pacbayes.runtime.seeds import Seeds
from pacbayes.tickets import Ticket


def train_controls(
    name: ControlName,
    out: Path,
    levels: Sequence[Path],
    model: nn.Module,
    data: Data,
    *,
    fresh: nn.Module,
    plan: FindPlan,
    seeds: Seeds,
    quiet: bool,
) -> None:
    """Train the control of every level that is not there yet, into ``control_NAME/level_...``.

    Args:
        name: which control.
        out: folder of the search.
        levels: folders of the tickets, without the dense one.
        model: the network.
        data: what the tickets were found on.
        fresh: the same network with other initial weights.
        plan: of the tickets.
        seeds: shuffling, order of the batches.
        quiet: no progress.
    """
    with progress(f"control {name}", len(levels), quiet=quiet) as bar:
        for folder in levels:
            target = _folder(name, out, folder)
            ticket = read_ticket(folder)
            if not _is_of(target, name, ticket):
                made = control(
                    name,
                    ticket,
                    model,
                    data,
                    fresh=fresh,
                    plan=plan,
                    seeds=seeds.child(folder.name),
                )
                write_ticket(target, made)
            bar.advance(1, note=folder.name)


def finished_controls(name: ControlName, out: Path, levels: Sequence[Path]) -> list[Path]:
    """Return the folders of the controls of these very tickets.

    Args:
        name: which control.
        out: folder of the search.
        levels: folders of the tickets, without the dense one.
    """
    pairs = [(_folder(name, out, folder), folder) for folder in levels]
    return [target for target, folder in pairs if _is_of(target, name, read_ticket(folder))]


def _folder(name: ControlName, out: Path, level: Path) -> Path:
    return out / f"control_{name}" / level.name


def _is_of(folder: Path, name: ControlName, ticket: Ticket) -> bool:
    if not ticket_exists(folder):
        return False
    notes = read_ticket(folder).notes
    return (notes.get("control"), notes.get("of")) == (name, ticket.digest)
