"""The workbench of a study: data loaded once, chains of tickets and certificates in folders."""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from pacbayes import __version__
from pacbayes.certificate import Certificate
from pacbayes.data import Data, Examples, Split, load_data
from pacbayes.data.label_noise import LabelNoise, with_label_noise
from pacbayes.errors import InputError
from pacbayes.models import build_model, weights
from pacbayes.pipeline import CertifyRequest, certify
from pacbayes.pipeline.find import finished_levels, level_folder, run_levels, split_for
from pacbayes.pruning import FindPlan
from pacbayes.risk import count_errors
from pacbayes.runtime.files import require_writable, write_bytes
from pacbayes.runtime.seeds import Seeds
from pacbayes.studies.request import StudyRequest
from pacbayes.tickets import IndexSet, Ticket, digest

CIFAR10_JPEG: Final = "cifar10-jpeg"


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Data, network and folder that the arms of one study share.

    Attributes:
        request: of the study.
        data_name: ``mnist``, or ``cifar10-jpeg`` for the folder of that name in the data root.
        model: text that builds the network.
        model_args: its arguments.
        prior_share: share of the training examples that tickets are found on.
        n_measure: examples of the prior part, and of the test set, that measurements use.
        examples: take only so many training examples, and half as many test examples.
    """

    request: StudyRequest
    data_name: str
    model: str
    prior_share: float
    n_measure: int
    model_args: tuple[tuple[str, str], ...] = ()
    examples: int | None = None

    @cached_property
    def spec(self) -> str:
        """The text that loads the data: those of the source, or the first examples of them.

        Raises:
            InputError: the data root is not given, or lacks the folder.
        """
        if self.examples is None:
            return self._source
        path = self.request.work / f"{self.data_name}_{self.examples}.npz"
        if not path.is_file():
            require_writable(path.parent)
            whole = load_data(self._source, root=self.request.data_root, quiet=True)
            write_bytes(path, _first(whole, self.examples))
        return f"npz:{path}"

    @property
    def _source(self) -> str:
        if self.data_name != CIFAR10_JPEG:
            return self.data_name
        root = self.request.data_root
        folder = None if root is None else Path(root) / CIFAR10_JPEG
        if folder is None or not folder.is_dir():
            raise InputError(
                f"the study needs CIFAR-10 (JPEG): unpack {CIFAR10_JPEG}.zip into a folder "
                f"{CIFAR10_JPEG} of --data-root"
            )
        return f"imagefolder:{folder}"

    @cached_property
    def data(self) -> Data:
        """The data."""
        return load_data(self.spec, root=self.request.data_root)

    def split(self, seed: int) -> Split:
        """Return the split of one seed, the same as that of ``find``."""
        return split_for(self.data, self.prior_share, Seeds(seed))

    def network(self, seed: int) -> nn.Module:
        """Return the network with the initial weights of one seed."""
        data, args = self.data, dict(self.model_args)
        return build_model(
            self.model, in_shape=data.shape, classes=data.classes, args=args, seed=seed
        )

    def seen(self, seed: int) -> Examples:
        """Return examples of the prior part, for measurements on what training saw."""
        part = self.split(seed).prior
        order = Seeds(seed).numpy("measure").permutation(part.indices)[: self.n_measure]
        return self.data.train.part(IndexSet.of(order, total=part.total))

    @cached_property
    def unseen(self) -> Examples:
        """Test examples, for measurements on what nothing saw.

        Raises:
            InputError: the data have no test examples.
        """
        if self.data.test is None:
            raise InputError(f"{self.data_name}: the study needs test examples")
        rows = np.arange(min(self.n_measure, len(self.data.test)))
        return self.data.test.part(IndexSet.of(rows, total=len(self.data.test)))

    def risk(self, ticket: Ticket) -> float:
        """Return the share of errors of a ticket on all test examples."""
        test = self.data.test or self.unseen
        counts = count_errors(self.network(1), ticket.trained, ticket.buffers, test)
        return counts.errors / counts.trials

    def folder(self, name: str, seed: int) -> Path:
        """Return the folder of one chain."""
        return self.request.work / "tickets" / name / f"seed_{seed}"

    def chain(
        self,
        name: str,
        plan: FindPlan,
        *,
        seed: int,
        network: nn.Module | None = None,
        orders: int | None = None,
        noise: str | None = None,
    ) -> list[Ticket]:
        """Return the tickets of a chain, finding the levels that are not there yet.

        Args:
            name: of the chain.
            plan: how to find it.
            seed: of the initial weights, the split and the order of batches.
            network: other initial weights than those of the seed.
            orders: another seed for the order of batches and whatever the method draws.
            noise: share of the labels drawn at random, as written.
        """
        model, folder = network or self.network(seed), self.folder(name, seed)
        data, recipe = self.data, None
        if noise is not None:
            recipe = LabelNoise(fraction=noise, seed=seed)
            data = with_label_noise(data, recipe)
        facts = [repr(replace(plan, levels=0, densities=())), repr(plan.densities), data.digest]
        facts += [digest(weights(model)), __version__, str(seed), str(orders), self.model]
        request = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
        done = finished_levels(folder, levels=plan.levels, request=request)
        if len(done) <= plan.levels:
            run_levels(
                folder,
                model,
                data,
                self.split(seed),
                plan=plan,
                seeds=Seeds(seed if orders is None else orders).child("find"),
                done=done,
                notes={
                    "model": self.model,
                    "normalize": "none",
                    "request": request,
                    "label_noise": None if recipe is None else recipe.to_json(),
                },
                quiet=True,
            )
        return finished_levels(folder, levels=plan.levels, request=request)

    def certified(
        self,
        name: str,
        level: int,
        *,
        seed: int,
        epochs: int,
        draws: int,
        lr: float = 1e-3,
        batch_size: int = 500,
    ) -> tuple[Certificate, Path]:
        """Return the certificate of one level, and the folder that holds its posterior.

        The prior is centred at the initial weights and contains the mask, which the certificate
        part has not been seen by, so that the nats of the means are the price of the distance.
        Fitting starts at the trained weights.

        Args:
            name: of the chain.
            level: which ticket.
            seed: of the chain.
            epochs: of fitting.
            draws: weight draws per example.
            lr: peak learning rate of the means.
            batch_size: examples per fitting step.
        """
        out = self.request.work / "certificates" / name / f"seed_{seed}" / f"level_{level:02d}"
        request = CertifyRequest(
            path=level_folder(self.folder(name, seed), level),
            model=self.model,
            model_args=dict(self.model_args),
            data=self.spec,
            data_root=self.request.data_root,
            out=out,
            prior="init",
            start="trained",
            epochs=epochs,
            draws=draws,
            lr=lr,
            batch_size=batch_size,
            seed=seed,
            force=True,
            quiet=True,
        )
        return certify(request)[0].certificate, out / "ticket"


def _first(data: Data, count: int) -> bytes:
    """Return an archive with the first training examples, and half as many test examples."""
    parts = {"train": (data.train, count), "test": (data.test or data.train, count // 2)}
    arrays: dict[str, Any] = {}
    for name, (examples, size) in parts.items():
        # Decoded pixels are bytes over 255, so this gives the bytes back.
        pixels = (255 * examples.inputs[:size]).round().to(torch.uint8)
        arrays |= {f"x_{name}": pixels.numpy(), f"y_{name}": examples.labels[:size].numpy()}
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def items_of(certificate: Certificate) -> dict[str, float]:
    """Return what a certificate consists of: bound, counted risk, nats by item, all as floats."""
    document = certificate.document
    tensors = document["posterior"]["tensors"]
    nats = {
        item: sum(float(tensor["kl"][item]) for tensor in tensors)
        for item in ("mask", "mean", "scale")
    }
    price = document["reference"]["mask_price"]
    return {
        "bound": float(certificate.risk_upper),
        "risk": document["mc"]["errors"] / document["mc"]["trials"],
        "kl": sum(nats.values()),
        **{f"kl_{item}": value for item, value in nats.items()},
        "mask_price": 0.0 if price is None else float(price["nats"]),
        "n": float(certificate.n),
    }


def differences(first: Sequence[float], second: Sequence[float]) -> list[float]:
    """Return first minus second, pair by pair: seeds are compared with themselves."""
    return [a - b for a, b in zip(first, second, strict=True)]
