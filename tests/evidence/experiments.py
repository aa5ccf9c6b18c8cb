"""All experiments by name, in the order of the page."""

from tests.evidence import arithmetic
from tests.evidence.shards import Experiment

EXPERIMENTS: dict[str, Experiment] = {
    each.name: each for each in (arithmetic.KL, arithmetic.BINOMIAL, arithmetic.EXACT)
}
