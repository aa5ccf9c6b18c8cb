"""`pacbayes check`: the gate that fails when a certified bound got worse."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pacbayes.errors import InputError, UsageError, VerificationError

if TYPE_CHECKING:
    from pacbayes.certificate.baseline import Baseline
    from pacbayes.certificate.gate import Artifact, Limits, Report
    from pacbayes.certificate.verdict import Failure

# What --force may overwrite: an old baseline that is better, other or broken.
FORGIVABLE = {"worse", "not comparable", "absent", "bad baseline", "no baseline"}
SHARED_MACHINES = ("GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD", "JENKINS_URL")


@click.command(
    epilog="""
\b
Examples:
  pacbayes check certificates/*.json --baseline baseline.json --update-baseline
  pacbayes check certificates/*.json --baseline baseline.json
  pacbayes check OUT/certificate.json --baseline baseline.json --base-ref origin/main \\
      --max-increase 2% --budget 0.05 --reference best.json --artifact RUN/level_14

\b
Exit codes: 0 all pass; 1 worse, over budget, vacuous under a budget, or does not verify;
2 usage, no certificates; 3 missing, unreadable or not comparable.
"""
)
@click.argument("certificates", nargs=-1, type=click.Path(path_type=Path), metavar="CERT...")
@click.option("--baseline", type=click.Path(path_type=Path), help="certificates to compare with")
@click.option(
    "--reference", type=click.Path(path_type=Path), help="a fixed best, against slow drift"
)
@click.option(
    "--base-ref", metavar="REF", help="read baseline and reference as committed there, not here"
)
@click.option(
    "--max-increase",
    default="0",
    show_default=True,
    metavar="X",
    help="how much a bound may rise: 0.005, or 2% of the old bound",
)
@click.option("--force-tolerance", is_flag=True, help="accept a tolerance above 0.05")
@click.option("--budget", metavar="X", help="largest bound that passes at all, for example 0.25")
@click.option(
    "--artifact",
    "artifacts",
    multiple=True,
    type=click.Path(path_type=Path),
    help="checkpoint that ships: each certificate must be about one, and each must be certified",
)
@click.option("--init", type=click.Path(path_type=Path), help="of the artifact, as for certify")
@click.option("--mask", type=click.Path(path_type=Path), help="of the artifact, as for certify")
@click.option("--key", help="of the artifact, as for certify")
@click.option("--mask-from-zeros", is_flag=True, help="of the artifact, as for certify")
@click.option("--update-baseline", is_flag=True, help="write --baseline anew from CERT...")
@click.option("--force", is_flag=True, help="with --update-baseline: write a worse one too")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown", "github", "junit"]),
    default="text",
    show_default=True,
)
def check(certificates: tuple[Path, ...], form: Any, **options: Any) -> int:
    """Fail if a certificate does not verify or its bound got worse; needs no torch and no data.

    A rise fails, a fall never does. Certificates are compared by name; those that differ in data,
    split, n, delta, loss or kind of bound are not comparable, which is a failure too.

    Certifying at every commit on the same examples: each certificate holds at its own delta, not
    the whole history at once. New posteriors under one prior cost nothing but the draws' share of
    each claim that is kept; a new prior is one more prior tried (certify --priors-tried).
    """
    from pacbayes.certificate.announce import announce
    from pacbayes.certificate.gate import examine

    _require_sense(certificates, options)
    limits, problems = _limits(certificates, options)
    if options["update_baseline"]:
        return _update(certificates, limits, problems, form=form, options=options)
    report = examine(certificates, limits, problems=problems)
    click.echo(announce(report, form), nl=False)
    return report.code


def _require_sense(certificates: tuple[Path, ...], options: dict[str, Any]) -> None:
    """Refuse options that would make the gate meaningless."""
    from pacbayes.certificate.gate import NO_FILE, NOTHING

    baseline, ref = options["baseline"], options["base_ref"]
    if not certificates:
        raise UsageError(NO_FILE)
    if baseline is None and options["reference"] is None and options["budget"] is None:
        raise UsageError(NOTHING)
    if ref is not None and baseline is None and options["reference"] is None:
        raise UsageError("--base-ref says where --baseline or --reference is read: give one")
    if options["update_baseline"]:
        if baseline is None or ref is not None:
            raise UsageError("--update-baseline writes --baseline FILE here, so no --base-ref")
        found = next((name for name in SHARED_MACHINES if os.environ.get(name)), None)
        if found is not None:
            raise UsageError(
                f"--update-baseline in a CI job ({found} is set): a job that writes its own "
                "baseline can't fail; run it on your machine and commit the file"
            )
    elif options["force"]:
        raise UsageError("--force goes with --update-baseline")
    for known in (baseline, options["reference"]):
        if known is not None and ref is None and known.exists():
            same = [path for path in certificates if path.exists() and path.samefile(known)]
            if same:
                raise UsageError(f"{same[0]} is both a certificate to check and the baseline")


def _limits(
    certificates: tuple[Path, ...], options: dict[str, Any]
) -> "tuple[Limits, list[Failure]]":
    from pacbayes.certificate.baseline import Baseline
    from pacbayes.certificate.gate import Limits
    from pacbayes.certificate.tolerance import Tolerance, parse_budget

    tolerance = Tolerance.parse(options["max_increase"], force=options["force_tolerance"])
    budget = None if options["budget"] is None else parse_budget(options["budget"])
    fresh = options["update_baseline"] and not options["baseline"].exists()
    loaded: dict[str, Baseline | None] = {}
    problems = []
    for word in ("baseline", "reference"):
        skip = options[word] is None or (word == "baseline" and fresh)
        found = None if skip else _load(options[word], options["base_ref"], certificates)
        loaded[word] = found if isinstance(found, Baseline) else None
        if found is not None and not isinstance(found, Baseline):
            problems.append(found)
    limits = Limits(
        **loaded,
        tolerance=tolerance,
        budget=budget,
        artifacts=_artifacts(certificates, options),
    )
    return limits, problems


def _load(path: Path, ref: str | None, certificates: tuple[Path, ...]) -> "Baseline | Failure":
    """Return a baseline, or why there is none; every format of the report can say that."""
    from pacbayes.certificate.baseline import MAX_BYTES, Baseline, read_baseline
    from pacbayes.certificate.committed import read_committed
    from pacbayes.certificate.verdict import Failure

    try:
        if ref is None:
            return read_baseline(path)
        data = read_committed(path, ref, limit=MAX_BYTES)
        return Baseline.from_bytes(data, source=f"{path} at {ref}")
    except VerificationError as error:
        return Failure(kind="bad baseline", message=str(error))
    except InputError as error:
        message = str(error)
        if ref is not None or not path.exists():
            shown = " ".join(str(given) for given in certificates[:3])
            more = " ..." if len(certificates) > 3 else ""
            message += (
                f"; make it with: pacbayes check {shown}{more} --baseline {path} --update-baseline"
            )
        return Failure(kind="no baseline", message=message)


def _artifacts(
    certificates: tuple[Path, ...], options: dict[str, Any]
) -> "tuple[Artifact, ...] | None":
    from pacbayes.certificate.gate import Artifact

    how = {name: options[name] for name in ("init", "mask", "key", "mask_from_zeros")}
    if not options["artifacts"]:
        if any(how.values()):
            raise UsageError("--init, --mask, --key and --mask-from-zeros go with --artifact")
        return None
    return tuple(
        Artifact(path=str(path), digests=_digests(path, how, certificates))
        for path in options["artifacts"]
    )


def _digests(path: Path, how: dict[str, Any], certificates: tuple[Path, ...]) -> set[str]:
    """Return the ticket digests of a checkpoint, read with the shapes that certificates name."""
    from pacbayes.certificate import read_certificate

    try:
        from pacbayes.checkpoints import read_ticket
    except ImportError as error:
        raise InputError(f"--artifact {path} needs torch to read a checkpoint: {error}") from error
    found, refused = set(), InputError(f"{path}: no certificate says how to read it")
    for given in certificates:
        try:
            tensors = read_certificate(given).document["posterior"]["tensors"]
            shapes = {tensor["name"]: tuple(tensor["shape"]) for tensor in tensors}
            found.add(read_ticket(path, parameter_shapes=shapes, **how).digest)
        except InputError as error:
            refused = error
    if not found:
        raise refused
    return found


def _update(
    certificates: tuple[Path, ...],
    limits: "Limits",
    problems: "list[Failure]",
    *,
    form: Any,
    options: dict[str, Any],
) -> int:
    """Write the baseline anew, unless it would get worse or a certificate is no good."""
    from pacbayes.certificate.announce import announce
    from pacbayes.certificate.gate import examine

    report = examine(certificates, limits, problems=problems)
    kinds = {failure.kind for verdict in report.verdicts for failure in verdict.failures}
    kinds -= {"no baseline"}  # a new subject, which is what an update is for
    kinds |= {problem.kind for problem in report.problems}
    hard = kinds - FORGIVABLE
    if hard or (kinds and not options["force"]):
        click.echo(announce(report, form), nl=False)
        why = "a certificate is no good" if hard else "it would get worse (--force writes it)"
        _say(f"{options['baseline']} is left as it was: {why}")
        return report.code
    _write(certificates, options["baseline"], report)
    return 0


def _write(certificates: tuple[Path, ...], path: Path, report: "Report") -> None:
    from pacbayes.certificate import read_verified
    from pacbayes.certificate.baseline import Baseline
    from pacbayes.runtime.files import write_bytes

    made = Baseline.of([read_verified(given) for given in certificates], source=str(path))
    write_bytes(path, made.to_bytes())
    for verdict in report.verdicts:
        old = "new" if verdict.old is None else f"was {verdict.old}"
        _say(f"{path}: {verdict.subject} is {verdict.new} ({old})")


def _say(text: str) -> None:
    click.echo(f"pacbayes: {text}", err=True)
