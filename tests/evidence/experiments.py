"""All experiments by name, quick ones first."""

from tests.evidence import arithmetic, checkers, controls, coverage, synthetic
from tests.evidence.shards import Experiment

EXPERIMENTS: dict[str, Experiment] = {
    each.name: each
    for each in (
        controls.EXPERIMENT,
        coverage.EXPERIMENT,
        arithmetic.ORDER,
        synthetic.EXPERIMENT,
        arithmetic.EXACT,
        arithmetic.KL,
        checkers.EXPERIMENT,
        arithmetic.BINOMIAL,
    )
}
