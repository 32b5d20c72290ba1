import unittest
from datetime import date

from billing import Money, Period, Subscription, bill


class BillTest(unittest.TestCase):
    def setUp(self):
        self.june = Period.month(2026, 6)

    def test_a_whole_month_costs_the_whole_price(self):
        invoice = bill(self.june, [Subscription("basic", Money(1999), date(2026, 1, 1))])
        self.assertEqual(invoice.total, Money(1999))

    def test_a_part_of_the_month_costs_its_share(self):
        half = Subscription("basic", Money(3000), date(2026, 6, 16))
        self.assertEqual(bill(self.june, [half]).total, Money(1500))

    def test_what_ended_before_is_not_charged(self):
        ended = Subscription("basic", Money(3000), date(2026, 1, 1), date(2026, 5, 31))
        self.assertEqual(bill(self.june, [ended]).lines, [])

    def test_lines_are_rendered_with_their_total(self):
        plans = [
            Subscription("basic", Money(1000), date(2026, 1, 1)),
            Subscription("storage", Money(300), date(2026, 6, 21)),
        ]
        self.assertEqual(
            bill(self.june, plans).render().splitlines(),
            [
                "basic         30 days       10.00",
                "storage       10 days        1.00",
                "total                       11.00",
            ],
        )
