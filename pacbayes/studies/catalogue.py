"""The studies by name, importable without torch."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pacbayes.errors import UsageError

if TYPE_CHECKING:
    from pacbayes.studies.report import Report
    from pacbayes.studies.request import StudyRequest

STUDIES: Final = {
    "sakamoto2022": "small against large learning rates: flatness, distance, certified bounds",
    "saleem2024": "volume of minima, barriers, sublevel sets, against contrast arms",
    "paul2023": "what a mask encodes: connectivity, robustness, Hessian limit, retraining",
    "vandersmissen2023": "scores, overlap of masks, stability, re-initialisation, layer collapse",
    "tickets": "every method and score side by side, certified in one joint table",
    "densities": "the bound against the density of masks that saw no data, prior at init",
    "yang2023": "random pruning before training on signal plus noise; a negative control",
    "link": "which measurement predicts the bound, over many tickets; no paper of its own",
}
"""One line about each study."""


def run_study(name: str, request: "StudyRequest") -> "tuple[Report, tuple[Path, ...]]":
    """Run a study, or go on with it, and return its report and the files that hold it.

    Raises:
        UsageError: there is no study of that name.
        InputError: data are missing.
        WriteError: the folder can't be written.
    """
    from pacbayes.studies.report import write_report

    if name not in STUDIES:
        raise UsageError(f"there is no study {name!r}; there are {', '.join(STUDIES)}")
    module = import_module(f"pacbayes.studies.{name}")
    report, figure = module.study(request)
    return report, write_report(request.out, report, figure)
