"""What studies of chains of tickets have in common: data, network, pruning rounds, seeds."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from pacbayes.studies.bench import Bench
from pacbayes.studies.request import StudyRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSettings:
    """What decides a study; each one adds its own fields.

    Attributes:
        data: name of the data.
        examples: of them; ``None`` takes all.
        model: the network.
        model_args: its arguments.
        levels: pruning rounds.
        fraction: removed per round.
        epochs: per level.
        prior_share: share of the training examples that tickets are found on.
        seeds: how many.
        n_measure: examples of each measurement.
    """

    data: str = "mnist"
    examples: int | None = 12_000
    model: str = "mlp:784-100-10"
    model_args: tuple[tuple[str, str], ...] = ()
    levels: int = 5
    fraction: float = 0.4
    epochs: int = 2
    prior_share: float = 0.5
    seeds: int = 3
    n_measure: int = 500

    @property
    def density(self) -> float:
        """Density of the last level.

        Example:
            >>> ChainSettings(levels=2, fraction=0.5).density
            0.25
        """
        return math.pow(1 - self.fraction, self.levels)

    def bench(self, request: StudyRequest, *, other: str | None = None) -> Bench:
        """Return the workbench.

        Args:
            request: where the study works.
            other: text of another network than the study's, which takes no arguments.
        """
        return Bench(
            request=request,
            data_name=self.data,
            examples=self.examples,
            model=other or self.model,
            model_args=() if other else self.model_args,
            prior_share=self.prior_share,
            n_measure=self.n_measure,
        )

    def described(self, **more: Any) -> dict[str, Any]:
        """Return all fields as the report shows them, some replaced or added.

        Example:
            >>> ChainSettings().described(model="another")["model"]
            'another'
            >>> ChainSettings(seeds=4).described()["seeds"]
            '1 to 4'
        """
        fields = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return {**fields, "seeds": f"1 to {self.seeds}", **more}

    def smaller(self, paper: str, left_out: str) -> tuple[str, ...]:
        """Return what is smaller than in the paper; nothing where its kind of data was taken.

        Args:
            paper: what the paper has.
            left_out: what the study leaves out for it.
        """
        if self.data != "mnist":
            return ()
        trained = round(self.prior_share * (self.examples or 60_000))
        return (
            f"Smaller than the paper, which has {paper}: {self.model} on MNIST, {trained} training "
            f"examples, {self.levels} levels to density {self.density:.3f}, {self.epochs} epochs "
            f"per level, {self.seeds} seeds.",
            f"Left out: {left_out}.",
        )
