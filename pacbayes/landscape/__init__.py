"""Why tickets generalise: barriers, curvature, sharpness, volume and distance of tickets.

Every result is a frozen dataclass of its own type, an estimate without any guarantee: none of
them can be written as a certificate or gated on. ``certificate.Estimate`` is another thing, a risk
in [0, 1] that failed to become a certificate; nothing in this room is a risk bound, and the room
knows nothing of certificates. What is sampled carries its interval, see ``Sampled``.
"""

from pacbayes.landscape.barriers import Barrier, Sublevel, barrier, chain, same_sublevel_set
from pacbayes.landscape.curvature import (
    Eigenvalue,
    Hessian,
    spectral_density,
    top_eigenvalue,
    trace,
)
from pacbayes.landscape.distance import Distance, Moved, distance
from pacbayes.landscape.escape import Escape, baseline, escape
from pacbayes.landscape.prune_limit import PruneLimit, Removal, predicted_rise, prune_limit
from pacbayes.landscape.requilibration import Requilibration, requilibration
from pacbayes.landscape.rewind_robustness import (
    Retraining,
    Robustness,
    descendants,
    gap,
    pair,
    robustness,
)
from pacbayes.landscape.sampled import Sampled
from pacbayes.landscape.sharpness import Adversarial, adversarial_sharpness, expected_sharpness
from pacbayes.landscape.spectrum import Spectrum
from pacbayes.landscape.surface import LossName, Point, Surface
from pacbayes.landscape.volume import Volume, posterior_volume, quadratic_volume, ray_volume

__all__ = [
    "Adversarial",
    "Barrier",
    "Distance",
    "Eigenvalue",
    "Escape",
    "Hessian",
    "LossName",
    "Moved",
    "Point",
    "PruneLimit",
    "Removal",
    "Requilibration",
    "Retraining",
    "Robustness",
    "Sampled",
    "Spectrum",
    "Sublevel",
    "Surface",
    "Volume",
    "adversarial_sharpness",
    "barrier",
    "baseline",
    "chain",
    "descendants",
    "distance",
    "escape",
    "expected_sharpness",
    "gap",
    "pair",
    "posterior_volume",
    "predicted_rise",
    "prune_limit",
    "quadratic_volume",
    "ray_volume",
    "requilibration",
    "robustness",
    "same_sublevel_set",
    "spectral_density",
    "top_eigenvalue",
    "trace",
]
