"""`python -m tests.evidence.verdicts`: documents, and whether they hold, one JSON list a line.

What a checker that was changed has to get right before any test of its room is run.
"""

import json
import random
import sys

from pacbayes.certificate.checker import canonical
from tests.certificate import flint_checker
from tests.evidence.checkers import documents, mutated

CERTIFICATES, CHANGES = 100, 12


def main() -> None:
    """Print random certificates of all theorems and changed ones, judged by the second checker."""
    dice = random.Random("verdicts")  # noqa: S311
    source = documents(dice)
    for _ in range(CERTIFICATES):
        document = next(source)
        for data in (canonical(document), *(mutated(dice, document) for _ in range(CHANGES))):
            sys.stdout.write(json.dumps([data.decode(), not flint_checker.refusal(data)]) + "\n")


if __name__ == "__main__":
    main()
