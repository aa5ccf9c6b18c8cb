"""`pacbayes convert`: any checkpoint as safetensors."""

from pathlib import Path

import click

from pacbayes.errors import UsageError

SUFFIX = ".safetensors"


@click.command(
    epilog="""
\b
Examples:
  pacbayes convert model.ckpt model.safetensors
  pacbayes convert lottery/replicate_1/level_3/main level_3.safetensors

\b
Masks and initial weights that the checkpoint holds go to files of their own beside OUT, for
--mask and --init of certify.
"""
)
@click.argument("source", type=click.Path(path_type=Path), metavar="IN")
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT.safetensors")
@click.option("--key", help="which entry of the checkpoint holds the weights")
@click.option("--force", is_flag=True, help="replace files that are there")
def convert(source: Path, out: Path, key: str | None, force: bool) -> None:
    """Write the weights of any checkpoint as safetensors, under their canonical names.

    Nothing in the checkpoint is executed. Pruned weights are written as zeros.
    """
    targets = _targets(out, force=force)

    from pacbayes.checkpoints import convert as read
    from pacbayes.runtime.files import require_writable, write_tensors

    require_writable(out.parent)
    found = read(source, key=key)
    parts = {"mask": found.mask, "init": found.init, "weights": found.weights}
    for note in found.notes:
        click.echo(f"pacbayes: {note}", err=True)
    for part, tensors in parts.items():
        if tensors is not None:
            write_tensors(targets[part], tensors, {**found.metadata, "part": part})
            click.echo(str(targets[part]))


def _targets(out: Path, *, force: bool) -> dict[str, Path]:
    if out.suffix != SUFFIX:
        raise UsageError(f"OUT must end with {SUFFIX}, got {out.name!r}")
    targets = {
        "weights": out,
        "mask": out.with_suffix(f".mask{SUFFIX}"),
        "init": out.with_suffix(f".init{SUFFIX}"),
    }
    there = [path for path in targets.values() if path.exists()]
    if there and not force:
        raise UsageError(f"{there[0]} exists; choose another OUT or give --force")
    return targets
