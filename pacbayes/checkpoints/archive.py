"""Zip containers of ``torch.save`` and ``numpy.savez``, checked byte for byte before they are read.

Zip readers disagree on odd archives (two members of one name, bytes between members, a second
directory), and a compressed member can stand for a thousand times its size. Neither function
writes any of these, so they are refused: stored members, one after the other from byte 0, then the
directory, then the end.
"""

import re
import struct
import zlib
from dataclasses import dataclass

from pacbayes.checkpoints.opening import Opened
from pacbayes.errors import InputError

_LOCAL = struct.Struct("<4s5HIIIHH")
_CENTRAL = struct.Struct("<4s6HIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR = struct.Struct("<4sIQI")
_NAME = re.compile(r"[A-Za-z0-9_.+= -]{1,200}(/[A-Za-z0-9_.+= -]{1,200}){1,3}")
_UNKNOWN32 = 0xFFFFFFFF
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_HAS_DESCRIPTOR = 0x8
_SLACK = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One stored member: its name in the archive and where its bytes are."""

    name: str
    header: int
    size: int
    crc: int
    flags: int
    stored: bool


def check_archive(opened: Opened) -> dict[str, bytes]:
    """Return the small members of a ``torch.save`` archive by name below its top folder.

    Only members without weights are returned (``data.pkl``, ``byteorder`` and their like).

    Raises:
        InputError: anything about the archive that ``torch.save`` would not have written.
    """
    found = stored_members(opened, name=_NAME, what="an archive of torch.save")
    below = {name.partition("/")[2]: data for name, data in found.items()}
    if len({name.partition("/")[0] for name in found}) > 1:
        raise InputError(
            f"{opened.source} is not an archive of torch.save: its members are not in one folder"
        )
    return {name: bytes(data) for name, data in below.items() if not name.startswith("data/")}


def stored_members(opened: Opened, *, name: re.Pattern[str], what: str) -> dict[str, memoryview]:
    """Return the bytes of every member of a zip archive whose every byte is accounted for.

    Args:
        opened: the file.
        name: what names must match as a whole.
        what: what the archive should be, for messages.

    Raises:
        InputError: compressed or encrypted members, odd or repeated names, a wrong checksum, bytes
            that belong to no member.
    """
    try:
        members, directory = _directory(opened.data)
        _require_sane(members, len(opened.data), name)
        starts = _walk(opened.data, members, directory)
    except (struct.error, UnicodeDecodeError, _Odd) as error:
        reason = str(error) if isinstance(error, _Odd) else "it is truncated or damaged"
        raise InputError(f"{opened.source} is not {what}: {reason}") from error
    view = memoryview(opened.data)
    return {m.name: view[starts[m.name] : starts[m.name] + m.size] for m in members}


class _Odd(Exception):
    """Something that torch.save does not write."""


def _directory(data: bytes) -> tuple[list[Member], int]:
    end = len(data) - _END.size
    if end < 0:
        raise _Odd("it is truncated or damaged")
    mark, *_, count, size, start, comment = _END.unpack_from(data, end)
    if mark != b"PK\5\6" or comment:
        raise _Odd("it does not end with a zip directory (truncated, or bytes after the end)")
    stop = end
    if end >= _LOCATOR.size and data[end - _LOCATOR.size :].startswith(b"PK\6\7"):
        stop = _LOCATOR.unpack_from(data, end - _LOCATOR.size)[2]
        if stop + _END64.size + _LOCATOR.size != end:
            raise _Odd("its zip64 directory is misplaced")
        mark, *_, count, size, start = _END64.unpack_from(data, stop)
        if mark != b"PK\6\6":
            raise _Odd("its zip64 directory is misplaced")
    if start + size != stop:
        raise _Odd("there are bytes around its directory")
    members, position = [], start
    for _ in range(count):
        if position >= stop:
            raise _Odd("its directory is shorter than it says")
        member, position = _entry(data, position)
        members.append(member)
    if position != stop:
        raise _Odd("its directory is longer than it says")
    return members, start


def _entry(data: bytes, position: int) -> tuple[Member, int]:
    fields = _CENTRAL.unpack_from(data, position)
    mark, _, _, flags, method, _, _, crc, packed, size, n_name, n_extra, n_comment = fields[:13]
    header = fields[16]
    if mark != b"PK\1\2" or n_comment:
        raise _Odd("its directory is malformed")
    begin = position + _CENTRAL.size
    name = data[begin : begin + n_name].decode("ascii")
    extra = data[begin + n_name : begin + n_name + n_extra]
    size, packed, header = _wide(extra, (size, packed, header))
    stored = not method and not flags & _ENCRYPTED and packed == size
    member = Member(name=name, header=header, size=size, crc=crc, flags=flags, stored=stored)
    return member, begin + n_name + n_extra


def _wide(extra: bytes, values: tuple[int, int, int]) -> list[int]:
    """Return size, packed size and offset with 64-bit values from the extra field where needed."""
    found = list(values)
    wanted = [k for k, value in enumerate(values) if value == _UNKNOWN32]
    position = 0
    while wanted:
        kind, length = struct.unpack_from("<HH", extra, position)
        if kind == 1:
            wide = struct.unpack_from(f"<{len(wanted)}Q", extra, position + 4)
            for k, value in zip(wanted, wide, strict=True):
                found[k] = value
            return found
        position += 4 + length
    return found


def _require_sane(members: list[Member], file_size: int, pattern: re.Pattern[str]) -> None:
    names = [member.name for member in members]
    if any("/code/" in name or name.endswith("/constants.pkl") for name in names):
        raise _Odd("it is a TorchScript module, which carries code; save its state_dict() instead")
    if any(name.endswith("/archive_format") or name == "archive_format" for name in names):
        raise _Odd("it is an exported program (.pt2), which carries code; save its state_dict()")
    if not all(member.stored for member in members):
        raise _Odd("it has compressed or encrypted members")
    if len(set(names)) != len(names):
        raise _Odd("it has two members of one name")
    odd = next((name for name in names if not pattern.fullmatch(name)), None)
    if odd is not None:
        raise _Odd(f"it has a member named {odd[:80]!r}")
    if not names or ".." in "/".join(names).split("/"):
        raise _Odd("its members are not in one folder")
    if sum(member.size for member in members) > file_size + _SLACK:
        raise _Odd("its members declare more bytes than the file has")


def _walk(data: bytes, members: list[Member], directory: int) -> dict[str, int]:
    """Return where each member's bytes start, having accounted for every byte of the file."""
    position, starts = 0, {}
    view = memoryview(data)
    for member in sorted(members, key=lambda m: m.header):
        fields = _LOCAL.unpack_from(data, position)
        mark, _, flags, method, _, _, _, _, _, n_name, n_extra = fields
        begin = position + _LOCAL.size
        name = data[begin : begin + n_name]
        if mark != b"PK\3\4" or member.header != position or name != member.name.encode():
            raise _Odd("bytes lie between its members, or members overlap")
        if method or flags & _ENCRYPTED:
            raise _Odd("it has compressed or encrypted members")
        starts[member.name] = begin + n_name + n_extra
        position = starts[member.name] + member.size
        if position > directory:
            raise _Odd("a member runs past the directory")
        if zlib.crc32(view[starts[member.name] : position]) != member.crc:
            raise _Odd(f"the checksum of {member.name!r} does not fit (damaged file)")
        if flags & _HAS_DESCRIPTOR:
            if data[position : position + 4] != b"PK\7\x08":
                raise _Odd("bytes lie between its members, or members overlap")
            # The descriptor repeats both sizes, in 64 bits where the member needs them.
            position += 24 if member.size >= _UNKNOWN32 else 16
    if position != directory:
        raise _Odd("bytes lie between its members and its directory")
    return starts
