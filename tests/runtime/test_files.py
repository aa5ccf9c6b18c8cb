"""Files are whole or absent, whatever happens to the writer."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file

from pacbayes.errors import UsageError, WriteError
from pacbayes.runtime import files
from pacbayes.runtime.files import (
    TEMP_SUFFIX,
    require_writable,
    to_json,
    write_bytes,
    write_json,
    write_tensors,
    write_text,
)
from pacbayes.runtime.reading import read_json

ROOT = Path(__file__).parents[2]

WRITE_FOREVER = """
import sys
from pacbayes.runtime.files import write_json
generation = int(sys.argv[2])
print("ready", flush=True)
while True:
    generation += 1
    write_json(sys.argv[1], {"generation": generation, "numbers": [generation] * 20000})
"""


def start(code: str, *args: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(code: str, *args: str | Path) -> str:
    process = start(code, *args)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out.strip()


def leftovers(folder: Path) -> list[Path]:
    return list(folder.glob(f".*{TEMP_SUFFIX}"))


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_forty_kills_leave_a_whole_file_and_the_next_write_cleans_up(tmp_path: Path) -> None:
    target = tmp_path / "certificate.json"
    write_json(target, {"generation": 0, "numbers": [0] * 20000})
    chance = random.Random(5)  # noqa: S311 - when to kill is no secret
    seen, temps = 0, 0
    for _ in range(40):
        writer = start(WRITE_FOREVER, target, seen)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, 0.04))
        writer.send_signal(signal.SIGKILL)
        writer.communicate(timeout=30)
        temps += len(leftovers(tmp_path))
        found = read_json(target)
        assert found["numbers"] == [found["generation"]] * 20000
        assert found["generation"] >= seen
        seen = found["generation"]
    assert seen > 0
    assert temps > 0, "no kill came in the middle of a write, so nothing was tested"
    write_text(target, "{}")
    assert os.listdir(tmp_path) == ["certificate.json"]


def test_writers_of_one_output_at_once_leave_one_of_their_files(tmp_path: Path) -> None:
    code = """
import sys
from pacbayes.runtime.files import write_json
for round in range(25):
    write_json(sys.argv[1], {"writer": int(sys.argv[2]), "numbers": [int(sys.argv[2])] * 5000})
"""
    target = tmp_path / "out.json"
    writers = [start(code, target, str(i)) for i in range(6)]
    while any(writer.poll() is None for writer in writers):
        if target.exists():
            found = read_json(target)
            assert found["numbers"] == [found["writer"]] * 5000
    assert [writer.communicate() and writer.returncode for writer in writers] == [0] * 6
    assert os.listdir(tmp_path) == ["out.json"]


def test_a_living_writers_temporary_file_is_no_leftover(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    temp, descriptor = files._open_temp(target)
    try:
        write_text(target, "other")
        assert temp.exists()
    finally:
        os.close(descriptor)
    write_text(target, "next")
    assert not temp.exists()


def test_only_leftovers_of_the_same_output_are_removed(tmp_path: Path) -> None:
    mine = tmp_path / f".a.json.0123456789abcdef{TEMP_SUFFIX}"
    others = [
        tmp_path / f".b.json.0123456789abcdef{TEMP_SUFFIX}",
        tmp_path / f".a.json.b.0123456789abcdef{TEMP_SUFFIX}",
        tmp_path / "a.json.bak",
    ]
    for path in (mine, *others):
        path.write_text("half")
    write_text(tmp_path / "a.json", "{}")
    assert not mine.exists()
    assert all(path.exists() for path in others)


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on the size of files")
def test_full_disk_keeps_the_old_file_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "certificate.json"
    write_text(target, "old")
    code = """
import resource, sys
from pacbayes.errors import WriteError
from pacbayes.runtime.files import write_bytes
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
write_bytes(sys.argv[1] + ".small", b"x" * 1000)
try:
    write_bytes(sys.argv[1], b"x" * 100_000)
except WriteError as error:
    print(error.exit_code, error)
"""
    said = run(code, target)
    assert said.startswith("74 ")
    assert str(target) in said
    assert "\n" not in said
    assert target.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["certificate.json", "certificate.json.small"]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that other users can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.mark.skipif(os.name != "posix", reason="needs permission bits")
def test_read_only_folder_is_a_write_error_before_and_at_writing(open_folder: Path) -> None:
    (open_folder / "old.json").write_text("old")
    (open_folder / "old.json").chmod(0o666)
    open_folder.chmod(0o555)
    code = """
import os, sys
from pathlib import Path
from pacbayes.errors import WriteError
from pacbayes.runtime.files import require_writable, write_text
if os.geteuid() == 0:
    os.setegid(65534)
    os.seteuid(65534)
folder = Path(sys.argv[1])
for what in (
    lambda: require_writable(folder),
    lambda: require_writable(folder / "new"),
    lambda: write_text(folder / "old.json", "new"),
):
    try:
        what()
    except WriteError as error:
        print(error)
"""
    said = run(code, open_folder).splitlines()
    assert len(said) == 3
    assert all(str(open_folder) in line and "ermission" in line for line in said)
    assert (open_folder / "old.json").read_text() == "old"
    assert os.listdir(open_folder) == ["old.json"]


def test_missing_parent_is_a_write_error_naming_the_file(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match=r"nowhere.*out\.json"):
        write_text(tmp_path / "nowhere" / "out.json", "x")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("exists", [True, False])
def test_never_writes_through_a_symbolic_link(tmp_path: Path, exists: bool) -> None:
    if exists:
        (tmp_path / "target").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(WriteError, match="symbolic link"):
        write_text(tmp_path / "link", "x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").exists() == exists
    if exists:
        assert (tmp_path / "target").read_text() == "precious"


def test_never_replaces_what_is_not_a_regular_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(WriteError, match="not a regular file"):
            write_text(tmp_path / name, "x")
    with pytest.raises(WriteError):
        require_writable(tmp_path / "pipe")


def test_a_fault_at_any_call_leaves_old_or_new_and_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.json"
    calls: list[str] = []
    fail_at = 0

    def shim(name: str) -> None:
        real = getattr(os, name)

        def call(*args: object, **kwargs: object) -> object:
            calls.append(name)
            if len(calls) == fail_at:
                raise OSError(28, "No space left on device")
            return real(*args, **kwargs)

        monkeypatch.setattr(files.os, name, call)

    for name in ("open", "fsync", "replace", "scandir"):
        shim(name)
    outcomes = []
    while True:
        fail_at += 1
        target.write_text("old")
        calls.clear()
        try:
            write_text(target, "new")
        except WriteError:
            outcomes.append(target.read_text())
            assert os.listdir(tmp_path) == ["out.json"]
        else:
            break
    assert calls == ["scandir", "open", "fsync", "replace", "open", "fsync"]
    # After the replacement the new file is there, only not yet durable.
    assert outcomes == ["old"] * 4 + ["new"] * 2
    assert target.read_text() == "new"


def test_interruption_while_writing_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_text(tmp_path / "out", "x")
    assert os.listdir(tmp_path) == []


def test_new_files_have_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("x")
    write_text(tmp_path / "ours", "x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_require_writable_makes_parents_and_leaves_nothing(tmp_path: Path) -> None:
    require_writable(tmp_path / "a" / "b")
    assert os.listdir(tmp_path / "a" / "b") == []


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


@given(values)
def test_json_that_is_written_is_read_back(value: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "value.json"
        write_json(path, {"value": value})
        assert read_json(path) == {"value": value}


def test_json_is_canonical() -> None:
    assert to_json({"b": [1], "a": "é"}) == '{\n  "a": "\\u00e9",\n  "b": [\n    1\n  ]\n}\n'
    assert to_json(dict(a=1, b=2)) == to_json(dict(b=2, a=1))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"x"])
def test_what_json_has_no_form_for_is_refused_before_anything_is_written(
    tmp_path: Path, value: object
) -> None:
    with pytest.raises(UsageError):
        write_json(tmp_path / "out.json", {"value": value})
    assert os.listdir(tmp_path) == []


def test_tensors_are_the_same_bytes_in_any_order_and_layout(tmp_path: Path) -> None:
    a, b = torch.arange(6.0).reshape(2, 3), torch.tensor([True, False])
    texts = {key: key for key in "klmn"}
    write_tensors(tmp_path / "one", {"a": a, "b": b}, texts)
    for _ in range(20):  # the library alone writes the metadata in a random order
        write_tensors(tmp_path / "two", {"b": b, "a": a.t().contiguous().t()}, texts)
        assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with safe_open(tmp_path / "one", framework="pt") as file:
        assert file.metadata() == texts
    found = load_file(tmp_path / "one")
    assert torch.equal(found["a"], a)
    assert torch.equal(found["b"], b)


def test_tensors_that_share_memory_and_gradients_are_written(tmp_path: Path) -> None:
    base = torch.arange(8.0, requires_grad=True)
    write_tensors(tmp_path / "out", {"all": base, "half": base[::2]})
    assert load_file(tmp_path / "out")["half"].tolist() == [0, 2, 4, 6]


def test_bytes_are_replaced_exactly(tmp_path: Path) -> None:
    write_bytes(tmp_path / "out", b"x" * 100)
    write_bytes(tmp_path / "out", b"\x00\r\n")
    assert (tmp_path / "out").read_bytes() == b"\x00\r\n"
    assert json.loads(to_json({})) == {}
