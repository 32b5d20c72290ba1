"""Amounts of money in whole cents."""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, order=True)
class Money:
    """An amount; never a float."""

    cents: int

    @classmethod
    def parse(cls, text):
        """Reads "12.50", "12" or "-0.05"."""
        sign = -1 if text.startswith("-") else 1
        whole, _, rest = text.lstrip("-").partition(".")
        if not whole.isdigit() or len(rest) > 2 or (rest and not rest.isdigit()):
            raise ValueError(f"{text!r} is not an amount")
        return cls(sign * (int(whole) * 100 + int(rest.ljust(2, "0"))))

    def __add__(self, other):
        return Money(self.cents + other.cents)

    def __sub__(self, other):
        return Money(self.cents - other.cents)

    def portion(self, part, whole):
        """This amount times part/whole, rounded to the nearest cent, halves to the even one."""
        return Money(round(Fraction(self.cents * part, whole)))

    def split(self, shares):
        """Equal shares; cents that are left over go to the first ones, so that nothing is lost."""
        if shares < 1:
            raise ValueError("an amount is split into one share at least")
        base, left = divmod(self.cents, shares)
        return [Money(base + (1 if index < left else 0)) for index in range(shares)]

    def __str__(self):
        sign = "-" if self.cents < 0 else ""
        whole, rest = divmod(abs(self.cents), 100)
        return f"{sign}{whole}.{rest:02d}"


ZERO = Money(0)
