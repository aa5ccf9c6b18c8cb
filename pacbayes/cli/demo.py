"""`pacbayes demo`: the whole way on bundled digits in a minute."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="folder for tickets and certificates",
)
@click.option("--quick", is_flag=True, help="fewer epochs and levels, the same conditions")
@click.option("-q", "--quiet", is_flag=True, help="no progress on stderr")
def demo(out: Path, quick: bool, quiet: bool) -> None:
    """Find a ticket on 8x8 digits, certify it and its dense twin, compare and verify."""
    from pacbayes.certificate import compare_certificates, render, render_certificate, verify
    from pacbayes.pipeline import CertifyRequest, FindRequest, certify, find
    from pacbayes.pruning import FindPlan, TrainPlan

    train = TrainPlan(epochs=10 if quick else 40, lr=0.05, batch_size=50, weight_decay=5e-4)
    plan = FindPlan(train=train, levels=4 if quick else 10)
    click.echo("1. find a ticket: train, prune 20 % of the weights, rewind, repeat", err=True)
    folders = find(
        FindRequest(model="lenet300", data="digits", out=out / "run", plan=plan, quiet=quiet)
    )
    click.echo("2. certify ticket and dense network on the part that they have not seen", err=True)
    request = CertifyRequest(
        path=folders[-1],
        model="lenet300",
        data="digits",
        out=out,
        dense=True,
        draws=100,
        quiet=quiet,
    )
    certificates = [item.certificate for item in certify(request)]
    for certificate in certificates:
        click.echo(render_certificate(certificate))
    click.echo(render(compare_certificates(reversed(certificates)), "text"))
    for path in (out / "certificate.json", out / "dense.certificate.json"):
        found = verify(path)
        click.echo(f"{path}: {'accepted' if found.accepted else 'REJECTED: ' + found.reason}")
