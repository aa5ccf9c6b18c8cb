"""One thread per notebook: quickest for networks this small, and the same numbers everywhere."""

import os

# Kernels inherit this; torch and the numerical libraries read it when they load.
for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
