//! Vectors in two forms: a bit for each number, to find the likely ones among many, and a byte for each number, to put
//! those in order. Of 100,000 vectors of 384 numbers the bits take 6.4 MB and the bytes 38.4 MB.

use super::scan::{self, Line};

/// A vector that is looked for.
#[derive(Clone, Debug)]
pub(super) struct Sought {
    bits: Box<[Line]>,
    numbers: Box<[i16]>,
    scale: f32,
}

#[derive(Debug)]
pub(super) struct Rows {
    dimensions: usize,
    /// Lines of bits of a vector.
    lines: usize,
    bits: Vec<Line>,
    bytes: Vec<i8>,
    scales: Vec<f32>,
    free: Vec<u32>,
}

impl Rows {
    pub(super) fn new(dimensions: usize) -> Self {
        Self {
            dimensions,
            lines: dimensions.div_ceil(Line::BITS),
            bits: Vec::new(),
            bytes: Vec::new(),
            scales: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bits.capacity() * size_of::<Line>() + self.bytes.capacity() + self.scales.capacity() * 4
    }

    /// Whether a vector is one of this space.
    pub(super) const fn fits(&self, vector: &[f32]) -> bool {
        vector.len() == self.dimensions
    }

    /// Takes a vector in; returns its row.
    pub(super) fn add(&mut self, vector: &[f32]) -> u32 {
        let row = self.free.pop().unwrap_or_else(|| {
            let row = u32::try_from(self.scales.len()).unwrap_or(u32::MAX);
            self.bits.resize(self.bits.len() + self.lines, Line::default());
            self.bytes.resize(self.bytes.len() + self.dimensions, 0);
            self.scales.push(0.0);
            row
        });
        let at = row as usize;
        signs(vector, &mut self.bits[at * self.lines..(at + 1) * self.lines]);
        let scale = scale(vector, 127.0);
        for (byte, x) in self.bytes[at * self.dimensions..].iter_mut().zip(vector) {
            *byte = rounded(x / scale) as i8;
        }
        self.scales[at] = scale;
        row
    }

    /// Gives a row back, and leaves nothing of its vector.
    pub(super) fn remove(&mut self, row: u32) {
        let at = row as usize;
        self.bits[at * self.lines..(at + 1) * self.lines].fill(Line::default());
        self.bytes[at * self.dimensions..(at + 1) * self.dimensions].fill(0);
        self.free.push(row);
    }

    pub(super) fn seek(&self, vector: &[f32]) -> Sought {
        let mut bits = vec![Line::default(); self.lines];
        signs(vector, &mut bits);
        let scale = scale(vector, 2_047.0);
        let numbers = vector.iter().map(|x| rounded(x / scale)).collect();
        Sought { bits: bits.into(), numbers, scale }
    }

    /// In how many signs each of `rows` differs from what is sought.
    pub(super) fn distances(&self, sought: &Sought, rows: &[u32]) -> Vec<u16> {
        let mut distances = vec![0; rows.len()];
        scan::distances(&self.bits, &sought.bits, rows, &mut distances);
        distances
    }

    /// The most that is among [`Rows::distances`].
    pub(super) const fn most_distance(&self) -> usize {
        self.lines * Line::BITS
    }

    /// The scalar product of each of `rows` with what is sought, which is the cosine of vectors of length 1.
    pub(super) fn similarities(&self, sought: &Sought, rows: &[u32]) -> impl Iterator<Item = f32> {
        let mut products = vec![0; rows.len()];
        scan::products(&self.bytes, &sought.numbers, rows, &mut products);
        rows.iter().zip(products).map(|(row, product)| self.scaled(*row, product, sought.scale))
    }

    /// The same of one row.
    pub(super) fn similarity(&self, sought: &Sought, row: u32) -> f32 {
        let mut product = [0];
        scan::products(&self.bytes, &sought.numbers, &[row], &mut product);
        self.scaled(row, product[0], sought.scale)
    }

    #[expect(clippy::cast_precision_loss, reason = "below 2^24 for vectors of length 1 in this form")]
    fn scaled(&self, row: u32, product: i32, scale: f32) -> f32 {
        product as f32 * self.scales[row as usize] * scale
    }

    /// The scalar product of two rows.
    pub(super) fn between(&self, a: u32, b: u32) -> f32 {
        let row =
            |row: u32| &self.bytes[row as usize * self.dimensions..(row as usize + 1) * self.dimensions];
        let sum: i32 = row(a).iter().zip(row(b)).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
        self.scaled(a, sum, self.scales[b as usize])
    }
}

fn signs(vector: &[f32], bits: &mut [Line]) {
    for (word, numbers) in bits.iter_mut().flat_map(|line| &mut line.0).zip(vector.chunks(64)) {
        *word = numbers.iter().enumerate().fold(0, |word, (at, x)| word | (u64::from(*x > 0.0) << at));
    }
}

/// What the largest number is divided by to become `most`.
fn scale(vector: &[f32], most: f32) -> f32 {
    let largest = vector.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    if largest > 0.0 { largest / most } else { 1.0 }
}

#[expect(clippy::cast_possible_truncation, reason = "the scale keeps it within 2047")]
fn rounded(x: f32) -> i16 {
    x.round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(numbers: impl Iterator<Item = f32>) -> Vec<f32> {
        let numbers: Vec<f32> = numbers.collect();
        let length = numbers.iter().map(|x| x * x).sum::<f32>().sqrt();
        numbers.iter().map(|x| x / length).collect()
    }

    #[test]
    fn the_short_form_keeps_cosines() {
        let mut rows = Rows::new(100);
        let vector = |seed: u32| unit((0..100_u32).map(move |n| ((n * 37 + seed * 101) % 61) as f32 - 30.0));
        let (a, b) = (vector(1), vector(2));
        let (row_a, row_b) = (rows.add(&a), rows.add(&b));
        let exact: f32 = a.iter().zip(&b).map(|(x, y)| x * y).sum();
        let sought = rows.seek(&a);
        assert!((rows.similarity(&sought, row_b) - exact).abs() < 0.01);
        assert!((rows.similarity(&sought, row_a) - 1.0).abs() < 0.01);
        assert!((rows.between(row_a, row_b) - exact).abs() < 0.01);
        let distances = rows.distances(&sought, &[row_a, row_b]);
        assert_eq!(distances[0], 0);
        let differing = a.iter().zip(&b).filter(|(x, y)| (**x > 0.0) != (**y > 0.0)).count();
        assert_eq!(usize::from(distances[1]), differing);
        let similarities: Vec<f32> = rows.similarities(&sought, &[row_b, row_a]).collect();
        assert_eq!(similarities, [row_b, row_a].map(|row| rows.similarity(&sought, row)));
    }

    #[test]
    fn a_row_that_is_given_back_holds_nothing_and_is_used_again() {
        let mut rows = Rows::new(3);
        let row = rows.add(&[0.6, 0.8, 0.0]);
        rows.remove(row);
        assert_eq!(rows.similarity(&rows.seek(&[0.6, 0.8, 0.0]), row), 0.0);
        assert_eq!(rows.add(&[0.0, 0.0, 1.0]), row);
    }
}
