"""Numbers in, certified numbers out: PAC-Bayes bounds, the kl inverse, the binomial tail, delta.

Every float that comes out is itself an upper value, proved in directed decimal arithmetic; write it
with `decimal_up`. Floats that go in are taken as their exact doubles, strings as what they say.
Standard library only.
"""

from pacbayes.bounds.binomial import binomial_upper, chernoff_upper, poisson_binomial_upper
from pacbayes.bounds.confidence import Confidence
from pacbayes.bounds.doubles import decimal_up
from pacbayes.bounds.gibbs import (
    catoni_bound,
    kl_bound,
    mcallester_bound,
    quad_bound,
    thiemann_bound,
)
from pacbayes.bounds.inputs import Number
from pacbayes.bounds.kl import binary_kl, binary_kl_lower, binary_kl_upper, kl_inverse_upper
from pacbayes.bounds.single import occam_bound, test_set_bound
from pacbayes.bounds.sums import (
    add_upper,
    count_prior_upper,
    entropy_price_upper,
    log_binomial_upper,
    sum_upper,
)
from pacbayes.bounds.xi import xi_upper

__all__ = [
    "Confidence",
    "Number",
    "add_upper",
    "binary_kl",
    "binary_kl_lower",
    "binary_kl_upper",
    "binomial_upper",
    "catoni_bound",
    "chernoff_upper",
    "count_prior_upper",
    "decimal_up",
    "entropy_price_upper",
    "kl_bound",
    "kl_inverse_upper",
    "log_binomial_upper",
    "mcallester_bound",
    "occam_bound",
    "poisson_binomial_upper",
    "quad_bound",
    "sum_upper",
    "test_set_bound",
    "thiemann_bound",
    "xi_upper",
]
