"""Chance that is the same on every machine and in every version of the language: SHA-256 of a seed and a counter."""

import hashlib


class Dice:
    """A stream of choices, named by what they are for, so that a new choice elsewhere does not move these."""

    def __init__(self, seed, purpose):
        self.name, self.count = f"{seed}/{purpose}", 0

    def below(self, limit):
        """A number from 0 to limit - 1."""
        self.count += 1
        digest = hashlib.sha256(f"{self.name}/{self.count}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % limit

    def between(self, low, high):
        """A number from low to high, both included."""
        return low + self.below(high - low + 1)

    def pick(self, choices):
        """One of them."""
        return choices[self.below(len(choices))]

    def shuffled(self, items):
        """A copy in another order."""
        left, made = list(items), []
        while left:
            made.append(left.pop(self.below(len(left))))
        return made
