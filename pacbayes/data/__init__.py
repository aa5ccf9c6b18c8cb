"""Examples, where they come from, and how they are split."""

from pacbayes.data.dataset import Data, Examples, Transform
from pacbayes.data.duplicates import Duplicates, duplicates
from pacbayes.data.items import item_hashes, items_digest
from pacbayes.data.known import Blobs, FreshRisk
from pacbayes.data.load import load_data
from pacbayes.data.signal_noise import SignalNoise
from pacbayes.data.split import Split, split_by_fraction, split_from_file

__all__ = [
    "Blobs",
    "Data",
    "Duplicates",
    "Examples",
    "FreshRisk",
    "SignalNoise",
    "Split",
    "Transform",
    "duplicates",
    "item_hashes",
    "items_digest",
    "load_data",
    "split_by_fraction",
    "split_from_file",
]
