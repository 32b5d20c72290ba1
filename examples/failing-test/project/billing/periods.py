"""Periods of days."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True)
class Period:
    """The days from first to last; both belong to it."""

    first: date
    last: date

    def __post_init__(self):
        if self.last < self.first:
            raise ValueError("a period ends on the day it begins, or later")

    @classmethod
    def month(cls, year, month):
        """A calendar month."""
        return cls(date(year, month, 1), date(year, month, monthrange(year, month)[1]))

    @property
    def days(self):
        return (self.last - self.first).days + 1

    def __contains__(self, day):
        return self.first <= day <= self.last

    def overlap(self, other):
        """The days that belong to both, or None."""
        first = max(self.first, other.first)
        last = min(self.last, other.last)
        if first >= last:
            return None
        return Period(first, last)

    def following(self):
        """The period of the same length right after this one."""
        first = self.last + timedelta(days=1)
        return Period(first, first + timedelta(days=self.days - 1))
