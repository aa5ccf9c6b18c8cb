"""What every test may ask for: real data, reproducible examples, one thread."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Read by torch and by the numerical libraries when they load, which is later than this file. One
# thread makes sums reproducible and leaves the other cores to others.
for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

# Everybody sees the same examples, and a slow machine is no failure. `make fast` asks for `fast`;
# `explore` looks for new examples.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("fast", settings.get_profile("steady"), max_examples=10)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder with real data; a test that needs it is skipped where there is none."""
    named = os.environ.get("PACBAYES_DATA")
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    root = Path(named) if named else beside
    if not root.is_dir():
        pytest.skip(f"no data at {root}" if named else "real data absent: PACBAYES_DATA is not set")
    return root
