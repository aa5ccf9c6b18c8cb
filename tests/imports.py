"""What the source of a module imports and uses, read from its syntax tree."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "pacbayes"


def modules(root: Path = PACKAGE) -> dict[str, ast.Module]:
    """Dotted module name -> syntax tree, packages under their own name."""
    trees = {}
    for path in sorted(root.rglob("*.py")):
        parts = [root.name, *path.relative_to(root).with_suffix("").parts]
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        trees[name] = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return trees


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def nodes(tree: ast.AST, *, with_type_checking: bool) -> Iterator[ast.AST]:
    """All nodes, those inside functions too; without what only a type checker reads where asked."""
    for child in ast.iter_child_nodes(tree):
        if is_type_checking(child) and not with_type_checking:
            assert isinstance(child, ast.If)
            for other in child.orelse:
                yield other
                yield from nodes(other, with_type_checking=with_type_checking)
        else:
            yield child
            yield from nodes(child, with_type_checking=with_type_checking)


def imports(tree: ast.AST, *, with_type_checking: bool = True) -> Iterator[tuple[str, str | None]]:
    """Pairs (module, name taken from it or None); relative imports come out with a leading dot."""
    for node in nodes(tree, with_type_checking=with_type_checking):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = ast.unparse(node.func)
            if called.endswith(("import_module", "__import__")):
                yield str(node.args[0].value), None


def targets(tree: ast.AST, known: set[str], *, with_type_checking: bool = True) -> set[str]:
    """Modules of ours that a tree imports, as deep as the import statement names them."""
    found = set()
    for module, name in imports(tree, with_type_checking=with_type_checking):
        # The version is a fact about the distribution, not about a room.
        if module.split(".")[0] == "pacbayes" and (module, name) != ("pacbayes", "__version__"):
            deeper = f"{module}.{name}"
            found.add(deeper if name is not None and deeper in known else module)
    return found


def room(module: str) -> str:
    """The room of a module of ours: the first name below the package."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def aliases(tree: ast.AST) -> dict[str, str]:
    """Local name -> dotted name that it stands for."""
    known = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                local = alias.asname or alias.name.split(".")[0]
                known[local] = alias.name if alias.asname else local
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return known


def used_names(tree: ast.AST) -> set[str]:
    """Dotted names that a tree imports or reads, local names resolved."""
    known = aliases(tree)
    found = {f"{module}.{name}" if name else module for module, name in imports(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            first, _, rest = ast.unparse(node).partition(".")
            found.add(f"{known.get(first, first)}.{rest}")
    return found


def uses(tree: ast.AST, *banned: str) -> list[str]:
    """Those of the banned names that a tree imports or reads, itself or something below it."""
    names = used_names(tree)
    return [
        ban for ban in banned if any(name == ban or name.startswith(ban + ".") for name in names)
    ]


def cycle(trees: dict[str, ast.Module]) -> list[str]:
    """One cycle of imports, lazy ones included, or nothing."""
    edges = {
        module: sorted(targets(tree, set(trees), with_type_checking=False) & set(trees))
        for module, tree in trees.items()
    }
    done: set[str] = set()

    def walk(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        for target in edges[module]:
            if found := walk(target, [*path, module]):
                return found
        done.add(module)
        return []

    return next((found for module in edges if (found := walk(module, []))), [])
