"""Posteriors and priors over named tensors, their divergence, and fitting."""

from pacbayes.posterior.divergence import Divergence, TensorDivergence, divergence
from pacbayes.posterior.fit import FitPlan, Fitted, fit
from pacbayes.posterior.fixed_layers import after_fixed_layers
from pacbayes.posterior.gate_fit import fit_gates
from pacbayes.posterior.grid import ScaleGrid
from pacbayes.posterior.prior import INCLUSIONS, Prior
from pacbayes.posterior.spike_and_slab import SpikeAndSlab
from pacbayes.posterior.stored import StoredPosterior
from pacbayes.posterior.support import Support
from pacbayes.posterior.uses import (
    Layer,
    ParameterUses,
    UnsupportedUseError,
    apply_layer,
    layers,
)

__all__ = [
    "INCLUSIONS",
    "Divergence",
    "FitPlan",
    "Fitted",
    "Layer",
    "ParameterUses",
    "Prior",
    "ScaleGrid",
    "SpikeAndSlab",
    "StoredPosterior",
    "Support",
    "TensorDivergence",
    "UnsupportedUseError",
    "after_fixed_layers",
    "apply_layer",
    "divergence",
    "fit",
    "fit_gates",
    "layers",
]
