"""What a user can ask of a study."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Size = Literal["quick", "long", "full"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRequest:
    """Options of one study.

    Attributes:
        out: folder of the report; tickets and finished steps lie below it, by size.
        size: ``quick`` takes minutes on two cores; ``long`` is the largest that fits without an
            accelerator; ``full`` takes the networks and data of the paper, where they are known.
        data_root: folder of the data.
        quiet: no progress.
    """

    out: Path
    size: Size = "full"
    data_root: Path | None = None
    quiet: bool = False

    @property
    def work(self) -> Path:
        """Folder of everything that a killed run goes on from."""
        return self.out / self.size
