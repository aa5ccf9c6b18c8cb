"""A reading of a pickle without executing it: how large it would be when written out.

A pickle may refer to one list or tuple twice, in a list that it refers to twice, forty times over.
The restricted unpickler builds that in no time, but using it as a key hashes 2^40 leaves, and
several error messages of torch print it. So the graph of objects is built from the opcodes alone
and its size counted with repetition, before torch sees the file.
"""

import pickletools
from dataclasses import dataclass, field
from typing import Any

from pacbayes.errors import InputError

_ALLOWANCE = 10**6
_REPETITION = 100
_PUTS = {"PUT", "BINPUT", "LONG_BINPUT"}
_GETS = {"GET", "BINGET", "LONG_BINGET"}
_GROWS = {"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"}


@dataclass(slots=True, eq=False)
class _Node:
    """An object that the pickle makes: its own size, and what it holds.

    Attributes:
        size: 1, plus the length of a text; later the size written out.
        holds: the objects in it.
    """

    size: int
    holds: "list[_Node]" = field(default_factory=list)


def require_modest(pickled: bytes, *, source: str) -> None:
    """Refuse a pickle whose objects, written out, are far larger than the pickle.

    The limit is a million plus a hundred times the size of the pickle. Objects that hold
    themselves have no size and are refused as well.

    Raises:
        InputError: there is such an object, or the pickle is malformed.
    """
    try:
        nodes = _nodes(pickled)
    except Exception as error:  # pickletools raises whatever malformed operands lead to
        raise InputError(f"{source} holds a malformed pickle") from error
    limit = _ALLOWANCE + _REPETITION * len(pickled)
    if not _all_within(nodes, limit):
        raise InputError(f"{source} holds lists or tuples nested beyond any checkpoint")


def _nodes(pickled: bytes) -> list[_Node]:
    """Return the containers that a pickle makes, each with all that is ever put into it."""
    mark = _Node(0)
    stack: list[_Node] = []
    memo: dict[int, _Node] = {}
    nodes: list[_Node] = []
    opcode: Any
    argument: Any
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name in _GETS:
            stack.append(memo[int(argument)])
        elif opcode.name in _PUTS or opcode.name == "MEMOIZE":
            memo[len(memo) if argument is None else int(argument)] = stack[-1]
        elif opcode.name == "DUP":
            stack.append(stack[-1])
        elif opcode.name == "MARK":
            stack.append(mark)
        else:
            taken = _taken(stack, opcode.stack_before, mark)
            if opcode.name in _GROWS:
                taken[0].holds.extend(taken[1:])
                stack.append(taken[0])
            elif opcode.stack_after:
                length = len(argument) if isinstance(argument, str | bytes | bytearray) else 0
                stack.append(_Node(1 + length, taken))
                nodes.append(stack[-1])
    return nodes


def _taken(stack: list[_Node], before: list[Any], mark: _Node) -> list[_Node]:
    """Pop what an opcode takes from the stack, and return it without the mark."""
    count = len(before)
    if pickletools.markobject in before:
        at = len(stack) - 1
        while stack[at] is not mark:
            at -= 1
        count = len(stack) - at + before.index(pickletools.markobject)
    if count > len(stack):
        raise ValueError("stack underflow")
    taken = stack[len(stack) - count :]
    del stack[len(stack) - count :]
    return [node for node in taken if node is not mark]


def _all_within(nodes: list[_Node], limit: int) -> bool:
    """Return whether every object, written out, is finite and within the limit."""
    open_, done = set(), set()
    for start in nodes:
        path = [start]
        while path:
            node = path[-1]
            if node in done:
                path.pop()
            elif node in open_:
                node.size += sum(below.size for below in node.holds)
                if node.size > limit:
                    return False
                done.add(node)
                path.pop()
            else:
                open_.add(node)
                below = [held for held in node.holds if held not in done]
                if any(held in open_ for held in below):
                    return False
                path.extend(below)
    return True
