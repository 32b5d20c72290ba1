//! The two loops that a search by meaning spends its time in. They are compiled once for each set of instructions that a
//! processor may have, and the best one that is there is taken at run time.

use rten_simd::{Isa, SimdOp};

/// Signs of 512 numbers, a bit for each: what a processor fetches at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(align(64))]
pub(super) struct Line(pub(super) [u64; Self::WORDS]);

impl Line {
    pub(super) const WORDS: usize = 8;
    pub(super) const BITS: usize = 64 * Self::WORDS;
}

/// In how many signs each of `rows` differs from `sought`; a row has as many lines as that, of 65,535 signs at most.
pub(super) fn distances(lines: &[Line], sought: &[Line], rows: &[u32], into: &mut [u16]) {
    Distances { lines, sought, rows, into }.dispatch();
}

/// The scalar product of each of `rows` with `sought`; a row has as many numbers as that.
pub(super) fn products(numbers: &[i8], sought: &[i16], rows: &[u32], into: &mut [i32]) {
    Products { numbers, sought, rows, into }.dispatch();
}

struct Distances<'a> {
    lines: &'a [Line],
    sought: &'a [Line],
    rows: &'a [u32],
    into: &'a mut [u16],
}

impl SimdOp for Distances<'_> {
    type Output = ();

    // What is not inlined here is compiled for the least of all processors.
    #[inline(always)]
    fn eval<I: Isa>(self, _isa: I) {
        let Self { lines, sought, rows, into } = self;
        if let [sought] = sought {
            for (row, distance) in rows.iter().zip(into) {
                *distance = differing(&lines[*row as usize], sought);
            }
            return;
        }
        for (row, distance) in rows.iter().zip(into) {
            let from = *row as usize * sought.len();
            *distance = 0;
            for (line, sought) in lines[from..from + sought.len()].iter().zip(sought) {
                *distance += differing(line, sought);
            }
        }
    }
}

#[inline(always)]
fn differing(line: &Line, other: &Line) -> u16 {
    let mut counts = [0_u64; Line::WORDS];
    for (count, (a, b)) in counts.iter_mut().zip(line.0.iter().zip(&other.0)) {
        *count = u64::from((a ^ b).count_ones());
    }
    let mut sum = 0;
    for count in counts {
        sum += count;
    }
    sum as u16
}

struct Products<'a> {
    numbers: &'a [i8],
    sought: &'a [i16],
    rows: &'a [u32],
    into: &'a mut [i32],
}

impl SimdOp for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, _isa: I) {
        let Self { numbers, sought, rows, into } = self;
        for (row, product) in rows.iter().zip(into) {
            let from = *row as usize * sought.len();
            let mut sum = 0;
            for (a, b) in numbers[from..from + sought.len()].iter().zip(sought) {
                sum += i32::from(*a) * i32::from(*b);
            }
            *product = sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Rows of `per_row` lines, one that is sought, and which rows are compared.
    fn signs() -> impl Strategy<Value = (Vec<Line>, Vec<Line>, Vec<u32>)> {
        (1_usize..4, 1_usize..20).prop_flat_map(|(per_row, count)| {
            let line = any::<[u64; Line::WORDS]>().prop_map(Line);
            let rows = vec(0..u32::try_from(count).unwrap_or(1), 0..40);
            (vec(line.clone(), per_row * count), vec(line, per_row), rows)
        })
    }

    fn numbers() -> impl Strategy<Value = (Vec<i8>, Vec<i16>, Vec<u32>)> {
        (1_usize..500, 1_usize..10).prop_flat_map(|(length, count)| {
            let rows = vec(0..u32::try_from(count).unwrap_or(1), 0..20);
            (vec(any::<i8>(), length * count), vec(-2_047_i16..=2_047, length), rows)
        })
    }

    proptest! {
        #[test]
        fn signs_are_compared_as_one_by_one((lines, sought, rows) in signs()) {
            let mut found = vec![7; rows.len()];
            distances(&lines, &sought, &rows, &mut found);
            let plain = rows.iter().map(|row| {
                let from = *row as usize * sought.len();
                let mut pairs = (0..sought.len()).flat_map(|at| lines[from + at].0.into_iter().zip(sought[at].0));
                pairs.by_ref().map(|(a, b)| (0..64).filter(|bit| (a ^ b) >> bit & 1 == 1).count()).sum::<usize>()
            });
            prop_assert_eq!(found.iter().map(|found| usize::from(*found)).collect::<Vec<_>>(), plain.collect::<Vec<_>>());
        }

        #[test]
        fn numbers_are_multiplied_as_one_by_one((numbers, sought, rows) in numbers()) {
            let mut found = vec![7; rows.len()];
            products(&numbers, &sought, &rows, &mut found);
            let plain = rows.iter().map(|row| {
                let row = numbers.chunks(sought.len()).nth(*row as usize).unwrap_or_default();
                row.iter().zip(&sought).map(|(a, b)| i64::from(*a) * i64::from(*b)).sum::<i64>()
            });
            prop_assert_eq!(found.iter().map(|found| i64::from(*found)).collect::<Vec<_>>(), plain.collect::<Vec<_>>());
        }
    }
}
