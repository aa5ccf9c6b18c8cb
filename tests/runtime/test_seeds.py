"""Streams are functions of root, name and keys, and of nothing else."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pacbayes.errors import UsageError
from pacbayes.runtime.seeds import Seeds

roots = st.integers(0, 2**256 - 1)
keys = st.lists(st.integers(0, 2**64 - 1), max_size=3)


@given(roots, st.text(max_size=5), keys)
def test_the_same_question_has_the_same_answer(root: int, stream: str, key: list[int]) -> None:
    ours, theirs = Seeds(root), Seeds(root)
    ours.numpy("something else").random()
    assert ours.numpy(stream, *key).integers(2**63) == theirs.numpy(stream, *key).integers(2**63)
    assert ours.torch(stream, *key).initial_seed() == theirs.torch(stream, *key).initial_seed()
    assert ours.child(stream) == theirs.child(stream)


def test_words_are_those_of_numpys_seed_sequence() -> None:
    root, key = 2**255 + 7, 2**40 + 3
    name = hashlib.sha256(b"split").digest()[:16]
    words = [7, 0, 0, 0, 0, 0, 0, 2**31]
    words += [int.from_bytes(name[12 - 4 * i : 16 - 4 * i], "big") for i in range(4)]
    words += [3, 2**8]
    expected = np.random.default_rng(np.random.SeedSequence(words)).integers(2**63, size=5)
    assert Seeds(root).numpy("split", key).integers(2**63, size=5).tolist() == expected.tolist()


def test_streams_keys_roots_and_children_all_differ() -> None:
    questions = [
        (root, stream, key)
        for root in (0, 1, 2**32, 2**64, 2**255)
        for stream in ("", "a", "b", "ab")
        for key in ((), (0,), (1,), (0, 0), (2**32,), (0, 1), (1, 0), (2**63,))
    ]
    answers = {Seeds(root).numpy(stream, *key).integers(2**63) for root, stream, key in questions}
    assert len(answers) == len(questions)
    children = {Seeds(r).child(s).root for r in (0, 1, 11, 2**255) for s in ("", "1", "a")}
    assert len(children) == 12


def test_torch_generators_use_the_whole_of_the_lower_half() -> None:
    first = [torch.rand(2, generator=Seeds(1).torch("a", k)).tolist() for k in range(200)]
    assert len({tuple(pair) for pair in first}) == 200


def test_global_states_are_left_alone() -> None:
    before = torch.get_rng_state(), str(np.random.get_state())  # noqa: NPY002 - it is what is tested
    Seeds(1).torch("a")
    Seeds(1).numpy("a").random(10)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == str(np.random.get_state())  # noqa: NPY002


@pytest.mark.parametrize("root", [-1, 2**256, True, 1.0, "1"])
def test_other_roots_are_refused(root: object) -> None:
    with pytest.raises(UsageError, match="seed"):
        Seeds(root)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", [-1, 2**64, True])
def test_other_keys_are_refused(key: int) -> None:
    with pytest.raises(UsageError, match="key"):
        Seeds(1).numpy("a", key)


def test_seeds_need_no_torch() -> None:
    code = "import sys; from pacbayes.runtime.seeds import Seeds; Seeds(1).numpy('a'); "
    code += "from pacbayes.runtime import files, folders, progress, environment; "
    code += "sys.exit('torch' in sys.modules or 'rich' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
