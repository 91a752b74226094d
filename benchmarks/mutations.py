"""Small faults to put into a Python file, one at a time: which there are, and the module's code with one of them."""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType

SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Break: ast.Continue,
    ast.Continue: ast.Break,
}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
SKIPPED = ("annotation", "returns", "exc", "decorator_list")  # types, the wording of errors, frozen=True
CHECKS = ("strict",)  # of zip(): a check of our own code, which no input reaches
AROUND = 32  # characters shown on either side of a change
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Site:
    """A place in a file where a fault can stand."""

    file: str
    function: str  # dotted name of what it stands in
    lines: range  # from the beginning of the statement
    number: int  # of the fault, in the order of the file

    def code(self) -> CodeType:
        """The module with the fault in it."""
        return compile(ast.fix_missing_locations(self._tree()), self.file, "exec")

    def change(self) -> tuple[str, str]:
        """The code that differs, before and after, with a little around it."""
        old = ast.unparse(ast.parse(Path(self.file).read_text())).splitlines()
        new = ast.unparse(ast.fix_missing_locations(self._tree())).splitlines()
        before, after = next((a.strip(), b.strip()) for a, b in zip(old, new, strict=False) if a != b)
        same = _shared(before, after)
        rest = _shared(before[same:][::-1], after[same:][::-1])
        return _around(before, same, rest), _around(after, same, rest)

    def _tree(self) -> ast.Module:
        tree = ast.parse(Path(self.file).read_text())
        _Walk(tree, self.number).visit(tree)
        return tree


def sites(file: Path) -> list[Site]:
    """Every place in a file where a fault can stand."""
    tree = ast.parse(file.read_text())
    walk = _Walk(tree)
    walk.visit(tree)
    return [Site(str(file), name, lines, number) for number, (name, lines) in enumerate(walk.found)]


def _shared(one: str, other: str) -> int:
    """Characters that two texts share at their beginning."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _around(text: str, same: int, rest: int) -> str:
    start, end = max(same - AROUND, 0), len(text) - max(rest - AROUND, 0)
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


def faults(node: ast.AST) -> list[ast.AST]:
    """What may stand in a node's place: another operator, number, condition or value; nothing for a call."""
    match node:
        case ast.Compare(ops=ops):
            return [_with(node, ops=[*ops[:i], SWAPS[type(op)](), *ops[i + 1 :]]) for i, op in enumerate(ops)]
        case ast.BinOp(op=op) | ast.BoolOp(op=op) | ast.AugAssign(op=op) if type(op) in SWAPS:
            return [_with(node, op=SWAPS[type(op)]())]
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            return [operand]
        case ast.Constant(value=int(value) | float(value)):
            return [_with(node, value=not value if isinstance(value, bool) else value + 1)]
        case ast.If(test=test) | ast.IfExp(test=test) if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):
            return [_with(node, test=ast.UnaryOp(ast.Not(), test))]
        case ast.Call(func=ast.Name(id=name)) if name in NAMES:
            return [_with(node, func=ast.Name(NAMES[name], ast.Load()))]
    return [other] if (other := _statement(node)) else []


def _statement(node: ast.AST) -> ast.AST | None:
    match node:
        case ast.Break() | ast.Continue():
            return SWAPS[type(node)]()
        case ast.Expr(value=ast.Call()):
            return ast.Pass()
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            return _with(node, value=ast.Constant(None))
    return None


def _with(node: ast.AST, **changes: object) -> ast.AST:
    other = copy.copy(node)
    for name, value in changes.items():
        setattr(other, name, value)
    return other


@dataclass
class _Walk(ast.NodeTransformer):
    """Counts the places where a fault can stand, and puts one in where its number is given."""

    tree: ast.Module
    number: int = -1
    found: list[tuple[str, range]] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)
    _line: int = 1  # of the statement

    def __post_init__(self) -> None:
        skipped: list[object] = []
        for node in ast.walk(self.tree):
            for name in SKIPPED:
                found = getattr(node, name, None)
                skipped += found if isinstance(found, list) else [found]
            if isinstance(node, ast.keyword) and node.arg in CHECKS:
                skipped.append(node)
        self._skipped = {id(node) for node in skipped if node is not None}

    def visit(self, node: ast.AST) -> ast.AST:
        if id(node) in self._skipped:
            return node
        if isinstance(node, ast.stmt):
            self._line = node.lineno
        if isinstance(node, SCOPES):
            self._names.append(node.name)
        for fault in faults(node):
            self.found.append((".".join(self._names), range(self._line, node.lineno + 1)))  # type: ignore[attr-defined]
            if len(self.found) - 1 == self.number:
                return fault
        self.generic_visit(node)
        if isinstance(node, SCOPES):
            self._names.pop()
        return node
