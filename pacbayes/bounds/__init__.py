"""Numbers in, certified numbers out: PAC-Bayes bounds, the kl inverse, the binomial tail, delta.

Every float that comes out is itself an upper value, proved in directed decimal arithmetic; write it
with `decimal_up`. Floats that go in are taken as their exact doubles, strings as what they say.
Standard library only.
"""

from pacbayes.bounds.binomial import binomial_upper, chernoff_upper, poisson_binomial_upper
from pacbayes.bounds.catoni import catoni_bound, catoni_grid_bound
from pacbayes.bounds.confidence import Confidence
from pacbayes.bounds.disintegrated import disintegrated_bound, vote_bound
from pacbayes.bounds.doubles import decimal_up
from pacbayes.bounds.gibbs import (
    kl_bound,
    mcallester_bound,
    quad_bound,
    rodriguez_galvez_bound,
    thiemann_bound,
)
from pacbayes.bounds.inputs import Number
from pacbayes.bounds.kl import binary_kl, binary_kl_lower, binary_kl_upper, kl_inverse_upper
from pacbayes.bounds.means import betting_upper, draw_until, empirical_bernstein_upper
from pacbayes.bounds.prices import (
    grid_price_upper,
    inclusion_price_upper,
    infinite_grid_price_upper,
    infinite_grid_weight_lower,
    n_of_m_price_upper,
    near_mask_price_upper,
    structured_price_upper,
)
from pacbayes.bounds.single import occam_bound, test_set_bound
from pacbayes.bounds.split import (
    Stage,
    count_risks,
    excess_values,
    recursive_bound,
    recursive_bounds,
    split_kl_bound,
)
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
    "Stage",
    "add_upper",
    "betting_upper",
    "binary_kl",
    "binary_kl_lower",
    "binary_kl_upper",
    "binomial_upper",
    "catoni_bound",
    "catoni_grid_bound",
    "chernoff_upper",
    "count_prior_upper",
    "count_risks",
    "decimal_up",
    "disintegrated_bound",
    "draw_until",
    "empirical_bernstein_upper",
    "entropy_price_upper",
    "excess_values",
    "grid_price_upper",
    "inclusion_price_upper",
    "infinite_grid_price_upper",
    "infinite_grid_weight_lower",
    "kl_bound",
    "kl_inverse_upper",
    "log_binomial_upper",
    "mcallester_bound",
    "n_of_m_price_upper",
    "near_mask_price_upper",
    "occam_bound",
    "poisson_binomial_upper",
    "quad_bound",
    "recursive_bound",
    "recursive_bounds",
    "rodriguez_galvez_bound",
    "split_kl_bound",
    "structured_price_upper",
    "sum_upper",
    "test_set_bound",
    "thiemann_bound",
    "vote_bound",
    "xi_upper",
]
