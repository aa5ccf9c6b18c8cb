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
    """Find a ticket on 8x8 digits, certify it and its dense twin, compare, verify and gate."""
    from pacbayes.certificate import (
        Baseline,
        announce,
        check,
        compare_certificates,
        render,
        render_certificate,
        verify,
    )
    from pacbayes.pipeline import CertifyRequest, FindRequest, certify, find
    from pacbayes.pruning import FindPlan, TrainPlan
    from pacbayes.report import report_html
    from pacbayes.runtime.files import write_bytes, write_text

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
    files = [out / "certificate.json", out / "dense.certificate.json"]
    for path in files:
        found = verify(path)
        click.echo(f"{path}: {'accepted' if found.accepted else 'REJECTED: ' + found.reason}")
    click.echo("3. hold them against a baseline, as a CI job would; write a page", err=True)
    made = Baseline.of(certificates, source=str(out / "baseline.json"))
    write_bytes(out / "baseline.json", made.to_bytes())
    write_text(out / "report.html", report_html(list(reversed(certificates))))
    click.echo()
    click.echo(announce(check(files, out / "baseline.json")))
    click.echo(f"open {out / 'report.html'} in a browser")
