"""What is measured on one two-layer network that was pruned at random before it was trained."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from pacbayes.bounds import catoni_bound, kl_bound, mcallester_bound, quad_bound
from pacbayes.certificate import Certificate
from pacbayes.certificate.decimals import kl_total
from pacbayes.certificate.pricing import Pricing
from pacbayes.checkpoints import read_ticket
from pacbayes.data import Examples, SignalNoise
from pacbayes.models import build_model
from pacbayes.pipeline import CertifyRequest, certify
from pacbayes.posterior import SpikeAndSlab
from pacbayes.risk import Counts, count_errors, evaluate
from pacbayes.studies.measurement import Measurement
from pacbayes.tickets import Ticket

CATONI_C: Final = 2.0
"""Constant of Catoni's bound, fixed beforehand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Laboratory:
    """Network, data and options that all networks of one seed share.

    Attributes:
        problem: the data.
        fresh: examples that nothing else uses.
        model: text that builds the network.
        model_args: its arguments: ``classes``, ``width``, ``dim``.
        fit_epochs: of fitting the posterior.
        fit_lr: their rate.
        draws: weight draws per example.
        seed: of fitting.
    """

    problem: SignalNoise
    fresh: Examples
    model: str
    model_args: dict[str, str]
    fit_epochs: int
    fit_lr: float
    draws: int
    seed: int

    def row(self, folder: Path, density: float) -> dict[str, Any]:
        """Return everything that is measured on one ticket.

        Args:
            folder: of the ticket; certificates go beside it.
            density: that its mask aims at.
        """
        ticket = read_ticket(folder)
        bare = folder.parent.parent / f"bare_{folder.name}"
        return {
            "seed": self.seed,
            "density": density,
            "signals": self._signals(ticket),
            **self._training(ticket),
            "fitted": self._certified(folder, folder.parent.parent / f"fitted_{folder.name}"),
            "trained": self._certified(folder, bare, epochs=0),
        }

    def _network(self) -> torch.nn.Module:
        shape, classes = (self.problem.dim,), self.problem.classes
        args = self.model_args
        return build_model(self.model, in_shape=shape, classes=classes, args=args, seed=self.seed)

    def _signals(self, ticket: Ticket) -> int:
        """Return how many neurons of a class have kept the axis of that class's signal."""
        kept, width = ticket.mask["fc1.weight"], int(self.model_args["width"])
        classes = range(self.problem.classes)
        return sum(int(kept[k * width : (k + 1) * width, k].sum()) for k in classes)

    def _training(self, ticket: Ticket) -> dict[str, Any]:
        train, network = self.problem.sample(self.problem.n, "train"), self._network()
        network.load_state_dict(ticket.trained)
        with torch.no_grad():
            loss = float(F.cross_entropy(network(train.inputs), train.labels))
        counted = count_errors(network, ticket.trained, {}, train)
        tested = count_errors(network, ticket.trained, {}, self.fresh)
        signal, noise = self._projections(ticket.trained["fc1.weight"], train)
        return {
            "train_loss": loss,
            "train_error": counted.errors / counted.trials,
            "risk": tested.errors / tested.trials,
            "signal": signal,
            "noise": noise,
        }

    def _projections(self, weight: Tensor, train: Examples) -> tuple[float, float]:
        """Return the means of the largest projections on a class's signal and on the noise.

        ``mean_k max_r <w_kr, mu_k>`` over classes, and ``mean_i max_r <w_(y_i) r, xi_i>`` over
        training examples, for the neurons r of the class in question.
        """
        classes, signal = self.problem.classes, self.problem.signal
        by_class = weight.view(classes, -1, weight.shape[1])  # (K, m, d)
        signals = torch.stack([by_class[k, :, k].max() for k in range(classes)]) * signal
        onto = self.problem.noise_of(train) @ weight.T  # (n, K m)
        own = onto.view(len(train), classes, -1)[torch.arange(len(train)), train.labels]
        return float(signals.mean()), float(own.max(dim=1).values.mean())

    def _certified(self, ticket: Path, out: Path, epochs: int | None = None) -> dict[str, Any]:
        """Return certificate and true Gibbs risk of a posterior.

        It is fitted from the prior's centre, or, with no epochs, lies around the trained network.
        """
        request = CertifyRequest(
            path=ticket,
            model=self.model,
            model_args=self.model_args,
            data=self.problem.spec,
            out=out,
            prior="init",
            start="prior" if epochs is None else "trained",
            epochs=self.fit_epochs if epochs is None else epochs,
            lr=self.fit_lr,
            batch_size=5,
            draws=self.draws,
            seed=self.seed,
            force=True,
            quiet=True,
        )
        found = certify(request)[0].certificate
        law = SpikeAndSlab.from_tensors(load_file(out / "ticket" / "posterior.safetensors"))
        counts = evaluate(law, self._network(), self.fresh, draws=1, root=self.seed, quiet=True)
        return _against_the_truth(found, counts)


def _against_the_truth(certificate: Certificate, counts: Counts) -> dict[str, Any]:
    """Return bounds, their parts, and which of them lie below the lower limit of the true risk."""
    truth = Measurement.share("true risk", counts.errors, counts.trials)
    bounds = all_bounds(certificate)
    tensors = certificate.document["posterior"]["tensors"]
    kl = kl_total([nats for tensor in tensors for nats in tensor["kl"].values()])
    return {
        "bound": bounds["certificate"],
        "kl": float(kl),
        "risk": certificate.document["mc"]["errors"] / certificate.document["mc"]["trials"],
        "true_risk": truth.value,
        "true_low": truth.low,
        "below": sorted(name for name, bound in bounds.items() if bound < truth.low),
        "bounds": len(bounds),
    }


def all_bounds(certificate: Certificate) -> dict[str, float]:
    """Return the certified bound and every other valid bound on the same evidence.

    Each of them holds with the certificate's delta, alone.
    """
    pricing, document = Pricing.of(certificate), certificate.document
    tensors = document["posterior"]["tensors"]
    kl = kl_total([nats for tensor in tensors for nats in tensor["kl"].values()])
    risk, n, delta, weight = (
        document["mc"]["risk_upper"],
        pricing.n,
        pricing.theorem,
        pricing.weight,
    )
    return {
        "certificate": float(certificate.risk_upper),
        "kl with xi(n)": kl_bound(risk=risk, kl=kl, n=n, delta=delta, weight=weight, constant="xi"),
        "quad": quad_bound(risk=risk, kl=kl, n=n, delta=delta, weight=weight),
        "mcallester": mcallester_bound(risk=risk, kl=kl, n=n, delta=delta, weight=weight),
        "catoni": catoni_bound(
            risk=risk, kl=kl, n=n, delta=delta, weight=weight, c=Fraction(CATONI_C)
        ),
    }
