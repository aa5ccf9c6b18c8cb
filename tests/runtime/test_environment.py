"""The environment names versions, and neither people nor places."""

import getpass
import os
import platform
import sys
from pathlib import Path

import torch

from pacbayes.runtime.environment import environment


def test_versions_and_arithmetic() -> None:
    found = environment(device="cuda:0", dtype="bfloat16")
    assert found["torch"] == torch.__version__
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["threads"] == torch.get_num_threads()
    assert (found["device"], found["dtype"]) == ("cuda:0", "bfloat16")
    assert {"pacbayes", "numpy", "scipy", "system", "machine"} <= set(found)


def test_values_are_short_texts_and_integers() -> None:
    for value in environment().values():
        assert type(value) is int or (type(value) is str and 0 < len(value) <= 64)


def test_no_host_user_or_path() -> None:
    texts = " ".join(str(value) for value in environment().values())
    secrets = [platform.node(), str(Path.home()), os.getcwd(), sys.prefix]
    assert not [s for s in secrets if len(s) > 1 and s in texts]
    assert getpass.getuser() not in texts.split()
    assert "/" not in texts
