"""Reports that look alike and differ in an identifier: runs, error codes, commits, tickets, requests."""

from dice import Dice

EACH = 200
ASKED = 60
FAMILIES = 6

# How an identifier of each kind looks: its digits, and how many of them a family shares.
SHAPES = {
    "run": ("0123456789", 5, 3),
    "code": ("0123456789", 4, 2),
    "commit": ("0123456789abcdef", 7, 4),
    "ticket": ("0123456789", 4, 2),
    "request": ("0123456789abcdef", 8, 5),
}


def identifiers(kind, seed):
    """EACH identifiers in FAMILIES that share their first digits, so that each has a dozen near misses."""
    digits, length, shared = SHAPES[kind]
    dice = Dice(seed, f"identifiers/{kind}")
    heads = []
    while len(heads) < FAMILIES:
        head = dice.pick(digits[1:]) + "".join(dice.pick(digits) for _ in range(shared - 1))
        # A commit of digits only would be a number, and one like 1e5 a fraction to some tokenisers.
        if kind in ("commit", "request"):
            head = dice.pick("abcdf") + head[1:]
        if head not in heads:
            heads.append(head)
    made = []
    while len(made) < EACH:
        head = heads[len(made) % FAMILIES]
        name = head + "".join(dice.pick(digits) for _ in range(length - shared))
        if name not in made:
            made.append(name)
    return made


def numbers(name):
    """What of an identifier can stand elsewhere as a plain number."""
    return name if name.isdigit() else None


def reports(kinds, seed):
    """Yields (kind, identifier, words, question or None), mixed, as a channel of a company would hold them."""
    names = {kind.name: identifiers(kind.name, seed) for kind in kinds}
    asked = {kind: Dice(seed, f"asked/{kind}").shuffled(all_of)[:ASKED] for kind, all_of in names.items()}
    plain = [name for kind in asked for name in asked[kind] if numbers(name)]
    made = []
    for kind in kinds:
        dice = Dice(seed, f"reports/{kind.name}")
        for index, name in enumerate(names[kind.name]):
            # Each report names another one, so that an identifier also stands where no answer is.
            other = dice.pick([one for one in names[kind.name] if one != name])
            number = dice.pick([one for one in plain if one not in (name, other)])
            parts = [
                dice.pick(kind.opens),
                kind.found[(index * 7 + index // len(kind.found)) % len(kind.found)],
                dice.pick(kind.closes),
            ]
            words = " ".join(parts).format(id=name, other=other, number=number)
            question = None
            if name in asked[kind.name]:
                form = kind.asked[asked[kind.name].index(name) % len(kind.asked)]
                question = form.format(id=name)
            made.append((kind.name, name, words, question))
    return Dice(seed, "reports").shuffled(made)


def family(kind, name):
    """The part that an identifier shares with its near misses."""
    return name[: SHAPES[kind][2]]
