import unittest
from datetime import date

from billing import Period


class PeriodTest(unittest.TestCase):
    def test_both_ends_belong_to_a_period(self):
        march = Period.month(2026, 3)
        self.assertEqual(march.days, 31)
        self.assertIn(date(2026, 3, 31), march)
        self.assertNotIn(date(2026, 4, 1), march)

    def test_leap_years_have_a_longer_february(self):
        self.assertEqual(Period.month(2028, 2).days, 29)

    def test_periods_that_do_not_meet_have_no_overlap(self):
        self.assertIsNone(Period.month(2026, 3).overlap(Period.month(2026, 4)))

    def test_an_overlap_ends_where_the_shorter_one_ends(self):
        trial = Period(date(2026, 3, 20), date(2026, 4, 2))
        self.assertEqual(Period.month(2026, 3).overlap(trial), Period(date(2026, 3, 20), date(2026, 3, 31)))

    def test_periods_that_share_their_last_day_overlap_in_it(self):
        trial = Period(date(2026, 3, 31), date(2026, 4, 13))
        shared = Period.month(2026, 3).overlap(trial)
        self.assertEqual(shared, Period(date(2026, 3, 31), date(2026, 3, 31)))

    def test_the_following_period_has_the_same_length(self):
        week = Period(date(2026, 3, 2), date(2026, 3, 8))
        self.assertEqual(week.following(), Period(date(2026, 3, 9), date(2026, 3, 15)))
