"""Strict reading of files that somebody else may have written."""

import hashlib
import os
from pathlib import Path

import pytest

from pacbayes.errors import InputError
from pacbayes.runtime.reading import open_regular, read_bytes, read_json, sha256_file


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[1]",
        b"1",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e400}',
        b'{"a": 1, "a": 1}',
        b'{"bound": 1, "bo\\u0075nd": 2}',
        b'{"x": {"a": 1, "a": 2}}',
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": 1} x',
        b'{"a": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"a": "\xff"}',
        b'{"a": 1}\x00',
        b'{"a": ' + b"1" * 5000 + b"}",
        b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"a": 01}',
        b"{'a': 1}",
    ],
)
def test_json_with_surprises_is_refused_in_one_line(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "in.json"
    path.write_bytes(text)
    with pytest.raises(InputError, match=r"in\.json") as caught:
        read_json(path)
    assert "\n" not in str(caught.value)


def test_json_above_the_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.json"
    with open(path, "wb") as file:
        file.truncate(16 * 2**20 + 1)
    with pytest.raises(InputError, match="at most 16777216"):
        read_json(path)


def test_ordinary_json_is_read(tmp_path: Path) -> None:
    path = tmp_path / "in.json"
    path.write_text(
        '{"a": [1, 2.5, true, null, "é"], "n": 115792089237316195423570985008687907853}'
    )
    assert read_json(path) == {
        "a": [1, 2.5, True, None, "é"],
        "n": 115792089237316195423570985008687907853,
    }


def test_pipe_folder_device_and_missing_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "pipe", tmp_path / "folder", Path(os.devnull), tmp_path / "none"):
        with pytest.raises(InputError, match=str(path)):
            read_bytes(path)
        with pytest.raises(InputError):
            sha256_file(path)


def test_nul_in_a_name_is_an_input_error() -> None:
    with pytest.raises(InputError):
        read_bytes("a\0b")


def test_links_are_followed_for_reading(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read_bytes(tmp_path / "link") == b"abc"
    assert sha256_file(tmp_path / "link") == hashlib.sha256(b"abc").hexdigest()


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")

    def read() -> None:
        with open_regular(path) as file:
            file.read()
            with open(path, "ab") as other:
                other.write(b"d")

    with pytest.raises(InputError, match="changed"):
        read()


def test_limit_on_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert read_bytes(tmp_path / "file", limit=3) == b"abc"
    with pytest.raises(InputError, match="has 3 bytes"):
        read_bytes(tmp_path / "file", limit=2)
