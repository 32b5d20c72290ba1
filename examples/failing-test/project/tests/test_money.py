import unittest

from billing import Money


class MoneyTest(unittest.TestCase):
    def test_amounts_are_read_and_written(self):
        for text in ["0.00", "12.50", "-0.05", "1234.99"]:
            self.assertEqual(str(Money.parse(text)), text)
        self.assertEqual(Money.parse("12"), Money(1200))

    def test_what_is_no_amount_is_refused(self):
        for text in ["", "1.234", "a", "1,50"]:
            with self.assertRaises(ValueError):
                Money.parse(text)

    def test_a_portion_is_rounded_half_to_even(self):
        self.assertEqual(Money(25).portion(1, 10), Money(2))
        self.assertEqual(Money(35).portion(1, 10), Money(4))
        self.assertEqual(Money(36).portion(1, 10), Money(4))

    def test_shares_add_up_to_the_whole(self):
        shares = Money(1000).split(3)
        self.assertEqual([share.cents for share in shares], [334, 333, 333])
