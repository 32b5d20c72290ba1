"""Invoices for subscriptions."""

from dataclasses import dataclass, field
from datetime import date

from billing.money import ZERO, Money
from billing.periods import Period


@dataclass(frozen=True)
class Subscription:
    """A plan that a customer holds from a day on, until it is cancelled."""

    plan: str
    price: Money
    since: date
    until: date = date.max

    @property
    def active(self):
        return Period(self.since, self.until)


@dataclass(frozen=True)
class Line:
    plan: str
    days: int
    amount: Money


@dataclass
class Invoice:
    """What a customer owes for one period."""

    period: Period
    lines: list = field(default_factory=list)

    @property
    def total(self):
        return sum((line.amount for line in self.lines), ZERO)

    def render(self):
        rows = [f"{line.plan:<12}{line.days:>4} days{str(line.amount):>12}" for line in self.lines]
        return "\n".join([*rows, f"{'total':<21}{str(self.total):>12}"])


def bill(period, subscriptions):
    """Charges each subscription for its share of the period."""
    invoice = Invoice(period)
    for subscription in subscriptions:
        used = period.overlap(subscription.active)
        if used is None:
            continue
        amount = subscription.price.portion(used.days, period.days)
        invoice.lines.append(Line(subscription.plan, used.days, amount))
    return invoice
