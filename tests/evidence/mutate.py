"""Small wrong changes of a source file, one at a time."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATIONS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.BitXor: ast.BitAnd,
}  # fmt: skip
NAMES = {
    "UP": "DOWN", "DOWN": "UP", "min": "max", "max": "min", "any": "all", "all": "any",
    "ROUND_FLOOR": "ROUND_CEILING", "ROUND_CEILING": "ROUND_FLOOR", "ceil": "floor",
    "floor": "ceil",
}  # fmt: skip
METHODS = {
    "add": "subtract", "subtract": "add", "multiply": "divide", "divide": "multiply",
    "next_plus": "next_minus", "next_minus": "next_plus",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of a program: where it is and what it says."""

    name: str
    program: ast.Module
    old: ast.AST
    new: ast.AST

    def tree(self) -> ast.Module:
        """Return the changed program."""
        return _replaced(self.program, self.old, self.new)


def mutants(source: str) -> list[Mutant]:
    """Return every single change of a program, with names that survive moves of lines."""
    tree = ast.parse(source)
    found: list[Mutant] = []
    seen: dict[str, int] = {}
    for place, old, new in _changes(tree):
        text = f"{place}: {_text(old)} => {_text(new)}"
        seen[text] = seen.get(text, 0) + 1
        name = text if seen[text] == 1 else f"{text} (#{seen[text]})"
        found.append(Mutant(name, tree, old, new))
    return found


def _text(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())[:120]


def _replaced(tree: ast.Module, old: ast.AST, new: ast.AST) -> ast.Module:
    class Replacer(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            if node is old:
                return ast.copy_location(new, old)
            return self.generic_visit(node)

    changed = Replacer().visit(_linked_copy(tree, old))
    return ast.fix_missing_locations(changed)


def _linked_copy(tree: ast.Module, old: ast.AST) -> ast.Module:
    """Copy a tree but for one node, which stays itself so that it can be found."""
    return copy.deepcopy(tree, {id(old): old})


def _changes(tree: ast.Module) -> Iterator[tuple[str, ast.AST, ast.AST]]:
    yield from _walk(tree, "module")


def _walk(node: ast.AST, place: str) -> Iterator[tuple[str, ast.AST, ast.AST]]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        place = node.name
    for part in _parts(node):
        yield from ((place, part, new) for new in _of(part))
        yield from _walk(part, place)


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is executed: no annotations, docstrings, messages or decorators."""
    body = getattr(node, "body", [])
    first = body[0] if isinstance(body, list) and body else None
    for field, value in ast.iter_fields(node):
        if field in {"annotation", "returns", "decorator_list", "type_params", "bases"}:
            continue
        if isinstance(node, ast.Raise | ast.JoinedStr):
            continue
        for part in value if isinstance(value, list) else [value]:
            if not isinstance(part, ast.AST) or isinstance(part, ast.Import | ast.ImportFrom):
                continue
            if (
                part is first
                and isinstance(part, ast.Expr)
                and isinstance(part.value, ast.Constant)
            ):
                continue
            yield part


def _of(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the changes of one node itself."""
    yield from _of_values(node)
    yield from _of_statements(node)


def _of_statements(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.AugAssign(op=op) if type(op) in OPERATIONS:
            yield _with(node, op=OPERATIONS[type(op)]())
        case ast.If() | ast.While():
            yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
        case ast.Raise() | ast.Break() | ast.Continue() | ast.Expr(value=ast.Call()):
            yield ast.Pass()


def _of_values(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=[op]) if type(op) in COMPARISONS:
            yield _with(node, ops=[COMPARISONS[type(op)]()])
        case ast.Compare(ops=ops):
            for position, op in enumerate(ops):
                changed = [*ops[:position], COMPARISONS[type(op)](), *ops[position + 1 :]]
                yield _with(node, ops=changed)
        case ast.BinOp(op=op, left=left) if type(op) in OPERATIONS:
            if not isinstance(left, ast.Constant | ast.JoinedStr) or not isinstance(
                getattr(left, "value", 0), str
            ):
                yield _with(node, op=OPERATIONS[type(op)]())
        case ast.BoolOp(op=op):
            yield _with(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield copy.deepcopy(operand)
        case ast.Constant(value=bool() | int() | float() as value):
            changed = not value if isinstance(value, bool) else value + 1
            yield ast.Constant(changed)
        case ast.Name(id=name) if name in NAMES:
            yield ast.Name(NAMES[name], ast.Load())
        case ast.Attribute(attr=name) if name in METHODS:
            yield _with(node, attr=METHODS[name])
        case ast.Attribute(attr=name) if name in {"ceil", "floor"}:
            yield _with(node, attr=NAMES[name])
        case ast.IfExp(body=body, orelse=orelse):
            yield _with(node, body=orelse, orelse=body)


def _with(node: ast.AST, **fields: object) -> ast.AST:
    """Return a shallow copy of a node with other fields."""
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed
