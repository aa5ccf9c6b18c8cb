"""`pacbayes verify`: re-check certificates from their own text."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pacbayes.cli.options import pairs
from pacbayes.errors import UsageError, VerificationError

if TYPE_CHECKING:
    from pacbayes.certificate import Certificate, Verification
    from pacbayes.tickets import IndexSet

LEVELS: Final = {
    "L1": "arithmetic, from the file alone",
    "L2": "arithmetic, and the weights are the ones named",
    "L3": "arithmetic, weights, and the errors counted again",
}


@click.command(
    epilog="""
\b
Examples:
  pacbayes verify OUT/certificate.json OUT/dense.certificate.json
  pacbayes verify OUT/certificate.json --checkpoint OUT/ticket/posterior.safetensors \\
      --model lenet300 --data mnist --data-root DIR --split 0.5
"""
)
@click.argument("certificates", nargs=-1, type=click.Path(path_type=Path), metavar="CERT...")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="weights that the certificate names: posterior, network, code, or ticket (level 2)",
)
@click.option("--model", help="with --data: count the errors again (level 3)")
@click.option("--model-args", multiple=True, metavar="K=V", help="argument of the network")
@click.option("--data", help="the data that the certificate is about")
@click.option("--data-root", type=click.Path(path_type=Path), envvar="PACBAYES_DATA")
@click.option("--normalize", default="none", show_default=True, metavar="MEAN,STD")
@click.option("--split", type=float, help="share of the prior part, as it was found")
@click.option("--split-file", type=click.Path(path_type=Path), help="index lists instead")
@click.option("--seed", type=int, default=1, show_default=True, help="of the split")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def verify(certificates: tuple[Path, ...], form: str, **options: Any) -> int:
    """Re-check certificates without torch, data or network; exit 1 if one does not verify.

    With --checkpoint the weights must be the ones that the certificate names; with --model and
    --data as well, the errors are counted again and must agree.
    """
    from pacbayes.certificate import verify as verify_file

    if not certificates:
        raise UsageError("verify needs at least one certificate")
    found = [verify_file(path) for path in certificates]
    if options["checkpoint"] is not None:
        found = [_deeper(item, options, len(certificates)) for item in found]
    elif options["model"] or options["data"]:
        raise UsageError("--model and --data go with --checkpoint")
    if form == "json":
        rows = [
            {
                "path": item.path,
                "accepted": item.accepted,
                "level": item.level,
                "reason": item.reason,
                "declared": [condition.id for condition in item.declared],
            }
            for item in found
        ]
        click.echo(json.dumps(rows, indent=2, sort_keys=True))
    else:
        for item in found:
            _show(item)
    return 0 if all(item.accepted for item in found) else 1


def _deeper(item: "Verification", options: dict[str, Any], certificates: int) -> "Verification":
    """Return the verification after a look at the files, at level 2 or 3."""
    from pacbayes.pipeline.reverify import named_by, recount

    if certificates > 1:
        raise UsageError("--checkpoint belongs to one certificate")
    if item.certificate is None:
        return item
    if bool(options["model"]) != bool(options["data"]):
        raise UsageError("counting again needs --model and --data")
    try:
        named = named_by(item.certificate, options["checkpoint"])
        if options["model"] is None:
            return replace(item, level="L2", note=named.what)
        model, data, part = _site(item.certificate, options)
        again = recount(item.certificate, named, model, data, part)
        return replace(item, level="L3", note=f"{named.what}; {again}")
    except VerificationError as error:
        return replace(item, accepted=False, reason=str(error), certificate=None)


def _site(certificate: "Certificate", options: dict[str, Any]) -> "tuple[Any, Any, IndexSet]":
    """Return network, data and certificate part."""
    from pacbayes.data import load_data, split_from_file
    from pacbayes.models import build_model
    from pacbayes.pipeline.find import split_for
    from pacbayes.runtime.seeds import Seeds
    from pacbayes.tickets import IndexSet

    data = load_data(options["data"], root=options["data_root"], normalize=options["normalize"])
    model = build_model(
        options["model"],
        in_shape=data.shape,
        classes=data.classes,
        args=pairs(options["model_args"], flag="--model-args"),
        seed=0,
    )
    total = len(data.train.labels)
    if options["split_file"] is not None:
        return model, data, split_from_file(options["split_file"], total).certificate
    if certificate.n == total:
        return model, data, IndexSet.all(total)
    if options["split"] is None:
        raise UsageError(
            "the certificate rests on a part of the data: give --split or --split-file"
        )
    return model, data, split_for(data, options["split"], Seeds(options["seed"])).certificate


def _show(item: "Verification") -> None:
    if item.certificate is None:
        click.echo(f"{item.path}: REJECTED: {item.reason}")
        return
    click.echo(f"{item.path}: accepted at level {item.level} ({LEVELS[item.level]})")
    if item.note:
        click.echo(f"  {item.note}")
    click.echo(f"  {item.certificate.claim.statement}")
    click.echo("  declared, not checked:")
    for condition in item.declared:
        click.echo(f"    {condition.id} {condition.title}: {condition.note} (by {condition.by})")
