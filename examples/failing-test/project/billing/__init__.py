"""Turns subscriptions into invoices."""

from billing.invoice import Invoice, Line, Subscription, bill
from billing.money import Money
from billing.periods import Period

__all__ = ["Invoice", "Line", "Money", "Period", "Subscription", "bill"]
