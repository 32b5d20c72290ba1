"""Reads the hand-written material: facts with their versions, claims, rulings and questions."""

import pathlib
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).parent / "material"


@dataclass
class Fact:
    """One attribute of one thing, with what was said of it in the order of time, and what is asked."""

    scope: str
    entity: str
    attribute: str
    # Each: the mark of the line ('|' a version, '~' an open claim, '~+' and '~-' a claim that is later found right or
    # wrong, '!' the ruling), the words, and the words of another speaker that come before, if the statement needs them.
    said: list = field(default_factory=list)
    # Each: the version that is asked for (0 the last, -1 each of them in its time), and the words, or the number of the
    # question of the same fact in the other company, if it is asked in the same words.
    asked: list = field(default_factory=list)

    @property
    def id(self):
        scope = self.scope.split("/")
        return ".".join([scope[0], *scope[1:2], self.entity, self.attribute])


def facts(name):
    """All facts of one file, in the file's order."""
    found, scope, entity, lead = [], None, None, None
    for number, line in enumerate((HERE / name).read_text().splitlines(), 1):
        mark, _, rest = line.partition(" ")
        if not line or mark == "#":
            continue
        if mark == "@":
            scope, entity = rest.split(" ")
        elif mark == "=":
            found.append(Fact(scope, entity, rest))
        elif mark == ">":
            lead = rest
        elif mark in ("|", "~", "~+", "~-", "!"):
            found[-1].said.append((mark, rest, lead))
            lead = None
        elif mark in ("?", "?*"):
            found[-1].asked.append((-1 if mark == "?*" else 0, rest))
        elif mark == "?=":
            found[-1].asked += [(0, int(number)) for number in rest.split(" ")]
        else:
            raise ValueError(f"{name}:{number}: what is {mark!r}?")
    return found


@dataclass
class Kind:
    """A kind of report: how one opens, what it found, how it closes, how it is asked for."""

    name: str
    opens: list = field(default_factory=list)
    found: list = field(default_factory=list)
    closes: list = field(default_factory=list)
    asked: list = field(default_factory=list)


def kinds(name):
    """The kinds of reports of one file."""
    made = []
    for line in (HERE / name).read_text().splitlines():
        mark, _, rest = line.partition(" ")
        if not line or mark == "#":
            continue
        if mark == "*":
            made.append(Kind(rest))
        else:
            kind = made[-1]
            {"|": kind.opens, "+": kind.found, "-": kind.closes, "?": kind.asked}[mark].append(rest)
    return made


def lines(name):
    """The lines of one file."""
    return (HERE / name).read_text().splitlines()
