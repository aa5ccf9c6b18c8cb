"""The whole room works where torch, numpy and scipy do not exist."""

import json
import subprocess
import sys
from pathlib import Path

from pacbayes.certificate import Certificate

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import importlib.abc, json, sys

class Wall(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "torchvision", "numpy", "scipy", "safetensors"}:
            raise ImportError(f"{name} must not be imported")

sys.meta_path.insert(0, Wall())
sys.path.insert(0, sys.argv[1])
import pacbayes.certificate as room
before = sorted(set(sys.modules) & {"rich", "numpy", "torch", "scipy"})
found = room.verify(sys.argv[2])
table = room.render(room.compare([sys.argv[2], sys.argv[2]]), "markdown")
text = room.render_certificate(found.certificate)
lazily = "rich" in sys.modules
room.render(room.compare([sys.argv[2]]), "text")
print(json.dumps([before, found.accepted, found.level, len(table), len(text), lazily]))
"""


def test_verify_and_compare_without_any_of_them(
    split_certificate: Certificate, tmp_path: Path
) -> None:
    path = tmp_path / "certificate.json"
    path.write_bytes(split_certificate.to_bytes())
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(ROOT), str(path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    before, accepted, level, table, text, lazily = json.loads(done.stdout)
    assert (before, accepted, level, lazily) == ([], True, "L1", False)
    assert table > 500
    assert text > 500
