"""Re-checking a certificate with files at hand: the weights that it names, then its counts."""

from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

from torch import Tensor, nn

from pacbayes.certificate import Certificate
from pacbayes.checkpoints import read_ticket
from pacbayes.checkpoints.contents import contents_of
from pacbayes.checkpoints.opening import open_file
from pacbayes.data import Data, Examples, items_digest
from pacbayes.errors import InputError, VerificationError
from pacbayes.posterior import SpikeAndSlab
from pacbayes.posterior.network_code import NetworkCode, decode
from pacbayes.risk import count_errors, evaluate
from pacbayes.runtime.devices import Place
from pacbayes.runtime.reading import read_bytes
from pacbayes.tickets import IndexSet, digest

MAX_CODE = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a file turned out to be for a certificate.

    Attributes:
        what: in words.
        posterior: the randomised classifier, if the file holds it.
        network: weights and buffers of the one certified network, if the file gives them.
    """

    what: str
    posterior: SpikeAndSlab | None = None
    network: dict[str, Tensor] | None = None


def named_by(certificate: Certificate, path: Path) -> Named:
    """Return what a file is for a certificate: its posterior, network, code or ticket (level 2).

    Raises:
        InputError: the file cannot be read.
        VerificationError: the certificate does not name this file's content.
    """
    document = certificate.document
    posterior, shapes = document["posterior"], _shapes(certificate)
    if path.suffix == ".code":
        return _code(certificate, path)
    tensors = _tensors(path)
    if tensors is not None and all("/" in name for name in tensors):
        law = SpikeAndSlab.from_tensors(tensors)
        _require(law.digest == posterior["sha256"], path, "posterior")
        return Named(what="the posterior that it names", posterior=law)
    if tensors is not None and digest(tensors) == posterior["network_sha256"]:
        return Named(what="the network that it names", network=tensors)
    ticket = read_ticket(path, parameter_shapes=shapes)
    _require(ticket.digest == posterior["checkpoint_sha256"], path, "checkpoint or network")
    return Named(what="the checkpoint that it is about; give posterior or network to recount")


def recount(
    certificate: Certificate, named: Named, model: nn.Module, data: Data, part: IndexSet
) -> str:
    """Count errors again on the certificate part and return what was found (level 3).

    Args:
        certificate: accepted by the checker.
        named: what :func:`named_by` found.
        model: the network.
        data: the data.
        part: indices of the certificate part.

    Raises:
        InputError: nothing is there to count with.
        VerificationError: the examples or the counts are others.
    """
    document, sample = certificate.document, data.train.part(part)
    facts, counts = document["data"], document["mc"]
    if items_digest(sample.items) != facts["certificate_sha256"]:
        raise VerificationError("the certificate part holds other examples than the certificate's")
    errors = _errors(certificate, named, model, sample)
    if errors != counts["errors"]:
        raise VerificationError(
            f"counted {errors} errors in {counts['trials']} trials, the certificate says "
            f"{counts['errors']}: another network, transform or arithmetic"
        )
    return f"{errors} errors in {counts['trials']} trials, counted again"


def _errors(certificate: Certificate, named: Named, model: nn.Module, sample: Examples) -> int:
    counts = certificate.document["mc"]
    if named.network is not None:
        buffers = {name for name, _ in model.named_buffers()}
        weights = {name: t for name, t in named.network.items() if name not in buffers}
        state = {name: t for name, t in named.network.items() if name in buffers}
        return count_errors(model, weights, state, sample).errors
    if named.posterior is not None and certificate.predictor == "gibbs":
        root = int(counts["root_sha256"], 16)
        double = certificate.document["environment"].get("dtype") == "float64"
        place = Place.of("cpu", "float64" if double else "float32")
        draws = counts["draws"]
        return evaluate(named.posterior, model, sample, draws=draws, root=root, place=place).errors
    raise InputError("recounting needs the posterior or network file that the certificate names")


def _code(certificate: Certificate, path: Path) -> Named:
    posterior = certificate.document["posterior"]
    data = read_bytes(path, limit=MAX_CODE)
    _require(sha256(data).hexdigest() == posterior["sha256"], path, "code")
    weights = decode(data, _shapes(certificate))
    _require(digest(weights) == posterior["network_sha256"], path, "decoded network")
    nats = NetworkCode(data=data, lengths={}).nats
    if Decimal(posterior["kl_upper"]) < nats:
        raise VerificationError(f"{path}: the code is longer than the certificate paid for")
    return Named(what=f"the code that it names, {len(data)} bytes, decoded", network=weights)


def _shapes(certificate: Certificate) -> dict[str, tuple[int, ...]]:
    tensors = certificate.document["posterior"]["tensors"]
    return {tensor["name"]: tuple(tensor["shape"]) for tensor in tensors}


def _tensors(path: Path) -> dict[str, Tensor] | None:
    """Return the tensors of a checkpoint file as they lie there, ``None`` for a folder."""
    return None if path.is_dir() else contents_of(open_file(path)).tensors


def _require(holds: bool, path: Path, what: str) -> None:
    if not holds:
        raise VerificationError(f"{path}: is not the {what} that the certificate names")
