"""A reading of a pickle without executing it: how large its tuples are.

The restricted unpickler builds tuples of tuples of any size for a few bytes, by referring to the
same one twice, forty times over. Using one as a key hashes all its 2^40 leaves, which never ends.
No checkpoint needs tuples of more than a few hundred leaves.
"""

import pickletools
from typing import Any

from pacbayes.errors import InputError

MAX_LEAVES = 100_000
_MARK = -1
_PUTS = {"PUT", "BINPUT", "LONG_BINPUT"}
_GETS = {"GET", "BINGET", "LONG_BINGET"}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def require_small_tuples(pickled: bytes, *, source: str) -> None:
    """Refuse a pickle with a tuple of more than 100,000 leaves, counted with repetition.

    Only tuples can be hashed at a cost that grows beyond their size in the file; a list or a dict
    inside one makes it unhashable, and counts as one leaf.

    Raises:
        InputError: there is such a tuple, or the pickle is malformed.
    """
    try:
        fits = _all_small(pickled)
    except Exception as error:  # pickletools raises whatever malformed operands lead to
        raise InputError(f"{source} holds a malformed pickle") from error
    if not fits:
        raise InputError(f"{source} holds tuples too deeply nested to be read safely")


def _all_small(pickled: bytes) -> bool:
    stack: list[int] = []
    memo: dict[int, int] = {}
    opcode: Any
    argument: Any
    for opcode, argument, _ in pickletools.genops(pickled):
        name = opcode.name
        if name in _GETS:
            stack.append(memo[int(argument)])
        elif name in _PUTS:
            memo[int(argument)] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name == "DUP":
            stack.append(stack[-1])
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "TUPLE" or name in _TUPLES:
            leaves = _pop_to_mark(stack) if name == "TUPLE" else _pop(stack, _TUPLES[name])
            stack.append(1 + sum(leaves))
            if stack[-1] > MAX_LEAVES:
                return False
        else:
            _step(stack, opcode)
    return True


def _step(stack: list[int], opcode: Any) -> None:
    """Pop and push as an opcode says that it does; everything but a tuple is one leaf."""
    before = opcode.stack_before
    if pickletools.markobject in before:
        below = before.index(pickletools.markobject)
        _pop_to_mark(stack)
        _pop(stack, below)
    else:
        _pop(stack, len(before))
    stack.extend([1] * len(opcode.stack_after))


def _pop(stack: list[int], count: int) -> list[int]:
    if count > len(stack):
        raise ValueError("stack underflow")
    taken = stack[len(stack) - count :]
    del stack[len(stack) - count :]
    return taken


def _pop_to_mark(stack: list[int]) -> list[int]:
    mark = len(stack) - 1 - stack[::-1].index(_MARK)
    taken = stack[mark + 1 :]
    del stack[mark:]
    return taken
