"""The gate is about the checkpoint that ships, not about some checkpoint."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pacbayes.certificate import References, issue
from pacbayes.checkpoints import read_ticket
from pacbayes.cli.main import run
from pacbayes.runtime.folders import write_ticket
from pacbayes.tickets import Mask, Ticket
from tests.certificate import cases
from tests.cli.site import Site

SHAPES = {"fc1.weight": (4, 3), "fc1.bias": (4,)}


def ticket(seed: int = 1) -> Ticket:
    generator = torch.Generator().manual_seed(seed)
    weights = {name: torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}
    mask = Mask({"fc1.weight": torch.arange(12).reshape(4, 3) % 3 > 0})
    return Ticket(init=weights, mask=mask, trained=mask.apply(weights))


def certify(site: Site, digest: str, file: str = "new.json", **changes: str) -> str:
    """A valid certificate about the checkpoint with a digest."""
    tensors = tuple(
        cases.tensor_facts(name=n, shape=s, n_weights=w, n_active=a)
        for (n, s), (w, a) in zip(SHAPES.items(), [(12, 8), (4, 4)], strict=True)
    )
    posterior = replace(cases.posterior_facts(tensors), checkpoint_sha256=digest)
    made = issue(
        **cases.evidence(posterior=posterior, references=References(holdout_errors=640), **changes)
    )
    return site.write(file, made)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    write_ticket(tmp_path / "level_02", ticket())
    write_ticket(tmp_path / "other", ticket(2))
    return Site(folder=tmp_path)


def check(site: Site, *argv: str, artifacts: list[str]) -> int:
    flags = [part for name in artifacts for part in ("--artifact", str(site.folder / name))]
    return run(["check", *argv, "--budget", "0.9", *flags])


def test_the_certified_ticket_passes(site: Site) -> None:
    assert check(site, certify(site, ticket().digest), artifacts=["level_02"]) == 0


def test_a_certificate_of_another_ticket_is_replayed(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(site, certify(site, ticket(2).digest), artifacts=["level_02"]) == 1
    assert "which is not" in capsys.readouterr().out


def test_every_artifact_needs_a_certificate(site: Site) -> None:
    new = certify(site, ticket().digest)
    assert check(site, new, artifacts=["level_02", "other"]) == 1
    more = certify(site, ticket(2).digest, "more.json", name="lenet300/toy/other")
    assert check(site, new, more, artifacts=["level_02", "other"]) == 0
    assert check(site, new, more, artifacts=["level_02"]) == 1


def test_a_changed_ticket_folder_is_malformed(site: Site) -> None:
    new = certify(site, ticket().digest)
    part = site.folder / "level_02" / "trained.safetensors"
    part.write_bytes((site.folder / "other" / "trained.safetensors").read_bytes())
    assert check(site, new, artifacts=["level_02"]) == 3


def test_a_missing_artifact_is_missing(site: Site) -> None:
    assert check(site, certify(site, ticket().digest), artifacts=["gone"]) == 3


def test_nobody_says_how_to_read_the_artifact(site: Site) -> None:
    assert check(site, site.write("new.json", "{}"), artifacts=["level_02"]) == 3


def test_a_foreign_file_is_read_as_certify_reads_it(site: Site) -> None:
    weights, init = site.folder / "model.safetensors", site.folder / "init.safetensors"
    save_file(ticket().trained, weights)
    save_file({name: tensor.clone() for name, tensor in ticket(3).trained.items()}, init)
    shapes = SHAPES
    plain = read_ticket(weights, parameter_shapes=shapes)
    pruned = read_ticket(weights, parameter_shapes=shapes, mask_from_zeros=True)
    assert check(site, certify(site, plain.digest), artifacts=["model.safetensors"]) == 0
    new = certify(site, pruned.digest)
    assert check(site, new, artifacts=["model.safetensors"]) == 1
    assert check(site, new, "--mask-from-zeros", artifacts=["model.safetensors"]) == 0


def test_the_way_to_read_needs_an_artifact(site: Site) -> None:
    assert check(site, certify(site, ticket().digest), "--mask-from-zeros", artifacts=[]) == 2
