"""`pacbayes certify`: from a ticket or checkpoint to a certificate."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pacbayes.cli.options import Bytes, network_options, pairs, run_options
from pacbayes.runtime.processes import is_first, together

if TYPE_CHECKING:
    from pacbayes.pipeline import Certified, CertifyRequest

NAMED_BY_TICKET = "the level-0 ticket that it names"


@click.command(
    epilog="""
\b
Examples:
  pacbayes certify RUN/level_14 --model lenet300 --data mnist --data-root DIR --dense --out OUT
  pacbayes certify RUN/level_00 --model lenet300 --data mnist --prior init --out OUT
  pacbayes certify RUN/level_15 --model lenet300 --data mnist --gates learned --out OUT
  pacbayes certify model.pt --init init.pt --mask mask.pt --model lenet300 --data mnist --out OUT
  pacbayes certify model.pt --prior split --split 0.5 --model mypkg:net --data npz:x.npz --out OUT
  pacbayes certify RUN/level_01 --model resnet20 --data imagefolder:DIR --dense --draws 1 --out OUT
  pacbayes certify bn.pt --init i.pt --batchnorm fold --model resnet20 --data cifar10 --out OUT
"""
)
@click.argument("path", type=click.Path(path_type=Path))
@network_options
@click.option("--out", type=click.Path(path_type=Path), required=True, help="folder for the output")
@click.option("--init", type=click.Path(path_type=Path), help="initial weights, drawn without data")
@click.option("--mask", type=click.Path(path_type=Path), help="mask, 1 = kept")
@click.option("--key", help="which entry of the checkpoint holds the weights")
@click.option("--mask-from-zeros", is_flag=True, help="take exact zeros as removed")
@click.option(
    "--trained-on",
    type=click.Choice(["all", "prior-part", "none"]),
    default="all",
    show_default=True,
    help="what a file of another tool has seen of these data",
)
@click.option("--split", type=float, help="share of the training examples in the prior part")
@click.option("--split-file", type=click.Path(path_type=Path), help="index lists of the split")
@click.option(
    "--prior",
    type=click.Choice(["split", "init", "zero"]),
    help="centre of the prior [default: split where there is a prior part, else init, else zero]",
)
@click.option(
    "--prior-scale",
    type=float,
    default=0.05,
    show_default=True,
    help="scales of a trained prior, relative to its weights",
)
@click.option("--all-data", is_flag=True, help="certify on all examples and charge the mask")
@click.option(
    "--batchnorm",
    type=click.Choice(["prior-split", "fold", "charge"]),
    default="prior-split",
    show_default=True,
    help="running statistics: of the prior part, folded into weights, or coded and charged",
)
@click.option(
    "--gates",
    type=click.Choice(["none", "learned"]),
    default="none",
    show_default=True,
    help="learned: a random mask, its inclusion probabilities learned and charged",
)
@click.option(
    "--dense",
    is_flag=False,
    flag_value=NAMED_BY_TICKET,
    metavar="[TICKET]",
    help="certify the dense twin too [default: the level-0 ticket that ticket.json names]",
)
@click.option(
    "--start",
    type=click.Choice(["prior", "trained"]),
    help="first means of the posterior [default: trained for files of other tools, else prior]",
)
@click.option("--delta", default="0.05", show_default=True, help="failure probability")
@click.option(
    "--bound",
    type=click.Choice(
        ["kl", "catoni", "best", "all", "recursive", "disintegrated", "test-set", "occam"]
    ),
    default="kl",
    show_default=True,
    help="theorem; best pays for choosing, all shows every Gibbs bound, the last three certify one "
    "network: drawn once, the prior's own, or quantised and coded",
)
@click.option("--parts", type=int, default=4, show_default=True, help="recursive: stages")
@click.option(
    "--gamma", default="0.5", show_default=True, help="recursive: factor of the bound before"
)
@click.option(
    "--code-levels",
    type=int,
    default=3,
    show_default=True,
    help="occam: largest integer of a quantised weight, 1 to 15",
)
@click.option(
    "--catoni",
    default="grid",
    show_default=True,
    metavar="C|grid|prior-part",
    help="constant of Catoni's bound",
)
@click.option(
    "--objective", type=click.Choice(["kl", "quad", "catoni"]), default="kl", show_default=True
)
@click.option(
    "--epochs", type=int, help="of fitting [default: 5 with a prior part, else 40, 12 with gates]"
)
@click.option("--prior-epochs", type=int, default=20, show_default=True, help="of a fresh prior")
@click.option("--lr", type=float, help="peak learning rate of the means")
@click.option("--batch-size", type=int, default=250, show_default=True, help="of fitting")
@click.option("--draws", type=int, help="weight draws per example [default: by shapes]")
@click.option("--slack", type=float, help="what draws may add to the risk; chooses --draws")
@click.option("--memory", type=Bytes(), help="for weights drawn at once, as 600M [default: 600M]")
@click.option(
    "--device",
    default="cpu",
    show_default=True,
    metavar="cpu|cuda|cuda:N",
    help="for fit and draws",
)
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float64"]),
    default="float32",
    show_default=True,
    help="arithmetic of the draws",
)
@click.option("--priors-tried", type=int, default=1, show_default=True, help="costs ln K nats")
@click.option("--declare", multiple=True, metavar="V#=TEXT", help="state a condition yourself")
@click.option("--name", help="subject of the certificate [default: MODEL/DATA/ROLE]")
@click.option("--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text")
@run_options
def certify(path: Path, form: str, quick: bool, dense: str | None, **options: Any) -> None:
    """Certify the test error of the Gibbs classifier around a ticket or checkpoint.

    Finished stages are kept in --out, so a killed run goes on where it stopped.
    """
    from pacbayes.pipeline import certify as certify_ticket

    request = request_of(path, quick, dense, **options)
    with together():
        found = certify_ticket(request)
    if is_first():
        click.echo(_render(found, form, every=options["bound"] == "all"), nl=False)


def request_of(path: Path, quick: bool, dense: str | None, **options: Any) -> "CertifyRequest":
    """Return the request that the options of a command line make."""
    from pacbayes.pipeline import CertifyRequest

    if options["memory"] is None:
        del options["memory"]
    options["model_args"] = pairs(options["model_args"], flag="--model-args")
    options["declare"] = pairs(options["declare"], flag="--declare")
    if quick:
        options["epochs"] = min(options["epochs"] or 2, 2)
        options["prior_epochs"] = min(options["prior_epochs"], 2)
    twin = dense is not None and (True if dense == NAMED_BY_TICKET else Path(dense))
    return CertifyRequest(path=path, dense=twin, **options)


def _render(found: list["Certified"], form: str, *, every: bool) -> str:
    from pacbayes.certificate import (
        compare_certificates,
        render,
        render_alternatives,
        render_certificate,
    )

    certificates = [item.certificate for item in found]
    if form == "json":
        documents = [certificate.document for certificate in certificates]
        value = documents[0] if len(documents) == 1 else documents
        return json.dumps(value, indent=2, sort_keys=True) + "\n"
    if form == "markdown":
        return render(compare_certificates(certificates), "markdown")
    parts = [render_certificate(certificate) for certificate in certificates]
    if every:
        parts += [render_alternatives(certificate) for certificate in certificates]
    if len(certificates) > 1:
        parts.append(render(compare_certificates(certificates), "text"))
    remarks = [f"note: {remark}\n" for item in found for remark in item.remarks]
    files = [f"written: {item.path}\n" for item in found]
    return "\n".join([*parts, "".join([*remarks, *files])])
