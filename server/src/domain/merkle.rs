//! The Merkle tree over a log (RFC 6962 2.1, RFC 9162 2.1): whoever knows its root knows the log.
//!
//! ```text
//! MTH(∅)       = SHA-256("")
//! MTH({d})     = SHA-256(0x00 ‖ d)
//! MTH(D[0:n])  = SHA-256(0x01 ‖ MTH(D[0:k]) ‖ MTH(D[k:n])),  k the largest power of two below n
//! ```
//!
//! Leaves are numbered from 0. Nothing here holds more than a few hashes, however long the log is.

use aws_lc_rs::digest::{Context, SHA256};

/// A SHA-256 value.
pub type Hash = [u8; 32];

/// `SHA-256(0x00 ‖ data)`.
pub fn leaf_hash(data: &[u8]) -> Hash {
    hash(&[&[0], data])
}

/// `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    hash(&[&[1], left, right])
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut bytes = [0; 32];
    // SHA-256 has 32 bytes; copying what both have cannot be out of bounds.
    for (to, from) in bytes.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    bytes
}

/// A tree that only grows: the roots of its complete subtrees, the largest (and earliest) first. One for each bit
/// that is set in its size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The tree of `size` leaves with these complete subtrees; `None` when there are too many or too few.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// Adds the next leaf, by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let (mut hash, mut size) = (leaf, self.size);
        while size & 1 == 1 {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
            size >>= 1;
        }
        self.peaks.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// Number of leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// `MTH` of all leaves.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return hash(&[]) };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }

    /// The tree of the leaves `from..to` alone, as far as this tree has them; `from` must be where one of its
    /// complete subtrees begins (or its end).
    fn part(&self, from: u64, to: u64) -> Option<Self> {
        let (mut begin, mut part) = (0_u64, Self::default());
        for (level, peak) in self.levels().zip(&self.peaks) {
            let end = begin.checked_add(1_u64.checked_shl(level)?)?;
            if begin >= from && end <= to {
                part.peaks.push(*peak);
                part.size = part.size.checked_add(end - begin)?;
            }
            begin = end;
        }
        (part.size == to.min(self.size).saturating_sub(from)).then_some(part)
    }

    /// The heights of the complete subtrees.
    fn levels(&self) -> impl Iterator<Item = u32> + use<> {
        let size = self.size;
        (0..u64::BITS).rev().filter(move |level| size >> level & 1 == 1)
    }
}

/// Computes the hashes that a proof needs, of several ranges of leaves, in one pass over the log.
pub struct RangeHasher {
    ranges: Vec<(u64, u64)>,
    trees: Vec<Frontier>,
    next: u64,
}

impl RangeHasher {
    /// For ranges of [`inclusion_ranges`] or [`consistency_ranges`]; the leaves to come begin behind those that
    /// `base` has. `None` when a range needs leaves that only `base` saw.
    pub fn new(base: &Frontier, ranges: Vec<(u64, u64)>) -> Option<Self> {
        let trees = ranges
            .iter()
            .map(
                |(from, to)| {
                    if *from < base.size { base.part(*from, *to) } else { Some(Frontier::default()) }
                },
            )
            .collect::<Option<Vec<_>>>()?;
        Some(Self { ranges, trees, next: base.size })
    }

    /// The end of the last range: later leaves are not needed.
    pub fn end(&self) -> u64 {
        self.ranges.iter().map(|(_, to)| *to).max().unwrap_or(0)
    }

    /// Takes the next leaf.
    pub fn push(&mut self, leaf: Hash) {
        for ((from, to), tree) in self.ranges.iter().zip(&mut self.trees) {
            if (*from..*to).contains(&self.next) {
                tree.push(leaf);
            }
        }
        self.next = self.next.saturating_add(1);
    }

    /// The hash of each range; `None` when leaves are missing.
    pub fn finish(self) -> Option<Vec<Hash>> {
        let whole = self.ranges.iter().zip(&self.trees).all(|((from, to), tree)| tree.size == to - from);
        whole.then(|| self.trees.iter().map(Frontier::root).collect())
    }
}

/// `PATH(index, D[size])`, RFC 6962 2.1.1: the ranges whose hashes prove that a leaf is in the tree. `None` unless
/// it is.
pub fn inclusion_ranges(index: u64, size: u64) -> Option<Vec<(u64, u64)>> {
    if index >= size {
        return None;
    }
    let (mut from, mut to, mut ranges) = (0, size, Vec::new());
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            ranges.push((middle, to));
            to = middle;
        } else {
            ranges.push((from, middle));
            from = middle;
        }
    }
    ranges.reverse();
    Some(ranges)
}

/// `PROOF(earlier, D[size])`, RFC 6962 2.1.2: the ranges whose hashes prove that the tree of `size` leaves begins
/// with all those of the earlier one. `None` unless `0 < earlier ≤ size`.
pub fn consistency_ranges(earlier: u64, size: u64) -> Option<Vec<(u64, u64)>> {
    if earlier == 0 || earlier > size {
        return None;
    }
    let (mut from, mut to, mut ranges) = (0, size, Vec::new());
    while earlier < to {
        let middle = from + split(to - from);
        if earlier <= middle {
            ranges.push((middle, to));
            to = middle;
        } else {
            ranges.push((from, middle));
            from = middle;
        }
    }
    if from > 0 {
        ranges.push((from, to));
    }
    ranges.reverse();
    Some(ranges)
}

/// Whether `proof` shows that the leaf is number `index` in the tree (RFC 9162 2.1.3.2).
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut position, mut last, mut hash) = (index, size - 1, *leaf);
    for step in proof {
        if last == 0 {
            return false;
        }
        if position & 1 == 1 || position == last {
            hash = node_hash(step, &hash);
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, step);
        }
        position >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether `proof` shows that the tree begins with all leaves of the earlier one (RFC 9162 2.1.4.2).
pub fn verify_consistency(earlier: u64, size: u64, proof: &[Hash], old_root: &Hash, root: &Hash) -> bool {
    if earlier == 0 || earlier > size {
        return false;
    }
    if earlier == size {
        return proof.is_empty() && old_root == root;
    }
    let mut steps = proof.iter();
    let first = if earlier.is_power_of_two() { Some(old_root) } else { steps.next() };
    let Some(first) = first else { return false };
    let (mut position, mut last) = (earlier - 1, size - 1);
    while position & 1 == 1 {
        position >>= 1;
        last >>= 1;
    }
    let (mut old, mut new) = (*first, *first);
    for step in steps {
        if last == 0 {
            return false;
        }
        if position & 1 == 1 || position == last {
            old = node_hash(step, &old);
            new = node_hash(step, &new);
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, step);
        }
        position >>= 1;
        last >>= 1;
    }
    last == 0 && old == *old_root && new == *root
}

/// The largest power of two below `size`, which is at least 2.
const fn split(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

#[cfg(test)]
mod tests {
    use kunji_shared::encoding::encode_hex;
    use proptest::prelude::*;

    use super::*;

    /// Straight from the definition.
    fn mth(leaves: &[Vec<u8>]) -> Hash {
        match leaves {
            [] => hash(&[]),
            [leaf] => leaf_hash(leaf),
            _ => {
                let middle = usize::try_from(split(leaves.len() as u64)).unwrap();
                node_hash(&mth(&leaves[..middle]), &mth(&leaves[middle..]))
            }
        }
    }

    fn leaves(count: u64) -> Vec<Vec<u8>> {
        (0..count).map(|n| n.to_be_bytes().to_vec()).collect()
    }

    fn frontier(leaves: &[Vec<u8>]) -> Frontier {
        let mut frontier = Frontier::default();
        for leaf in leaves {
            frontier.push(leaf_hash(leaf));
        }
        frontier
    }

    fn proof(leaves: &[Vec<u8>], first: usize, ranges: Vec<(u64, u64)>) -> Option<Vec<Hash>> {
        let mut hasher = RangeHasher::new(&frontier(&leaves[..first]), ranges)?;
        for leaf in &leaves[first..] {
            hasher.push(leaf_hash(leaf));
        }
        hasher.finish()
    }

    /// The trees that implementations of Certificate Transparency are tested with.
    #[test]
    fn known_answers() {
        let leaves: Vec<Vec<u8>> = [
            &[][..],
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
        ]
        .map(<[u8]>::to_vec)
        .to_vec();
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        for (size, root) in roots.iter().enumerate() {
            assert_eq!(encode_hex(&frontier(&leaves[..size]).root()), *root, "{size}");
        }
        let inclusion = proof(&leaves, 0, inclusion_ranges(0, 8).unwrap()).unwrap();
        assert_eq!(
            inclusion.iter().map(|hash| encode_hex(hash)).collect::<Vec<_>>(),
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ]
        );
        let consistency = proof(&leaves, 0, consistency_ranges(6, 8).unwrap()).unwrap();
        assert_eq!(
            consistency.iter().map(|hash| encode_hex(hash)).collect::<Vec<_>>(),
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
    }

    #[test]
    fn growing_gives_the_roots_of_the_definition() {
        let all = leaves(130);
        for size in 0..=130 {
            assert_eq!(frontier(&all[..size]).root(), mth(&all[..size]), "{size}");
        }
    }

    #[test]
    fn every_proof_of_small_trees_holds_and_no_other() {
        let all = leaves(33);
        for size in 1..=33 {
            let root = mth(&all[..size]);
            let n = size as u64;
            for index in 0..n {
                let leaf = leaf_hash(&all[usize::try_from(index).unwrap()]);
                let path = proof(&all[..size], 0, inclusion_ranges(index, n).unwrap()).unwrap();
                assert!(verify_inclusion(&leaf, index, n, &path, &root));
                assert!(!verify_inclusion(&leaf_hash(b"other"), index, n, &path, &root));
                assert!(!verify_inclusion(&leaf, (index + 1) % n, n, &path, &root) || n == 1);
                assert!(path.is_empty() || !verify_inclusion(&leaf, index, n, &path[1..], &root));
            }
            for earlier in 1..=n {
                let old = mth(&all[..usize::try_from(earlier).unwrap()]);
                let path = proof(&all[..size], 0, consistency_ranges(earlier, n).unwrap()).unwrap();
                assert!(verify_consistency(earlier, n, &path, &old, &root), "{earlier} of {n}");
                assert!(!verify_consistency(earlier, n, &path, &leaf_hash(b"other"), &root));
                assert!(!verify_consistency(earlier, n, &path, &old, &leaf_hash(b"other")));
            }
        }
        assert!(inclusion_ranges(3, 3).is_none() && consistency_ranges(0, 3).is_none());
        assert!(consistency_ranges(4, 3).is_none());
    }

    proptest! {
        /// Proofs about the later part of a log need only the frontier of the earlier part.
        #[test]
        fn earlier_leaves_are_not_needed(first in 0_usize..70, more in 1_usize..70, at in 0_usize..70) {
            let all = leaves((first + more) as u64);
            let (size, index) = (all.len() as u64, (first + at % more) as u64);
            let root = mth(&all);
            let path = proof(&all, first, inclusion_ranges(index, size).unwrap()).unwrap();
            let leaf = leaf_hash(&all[usize::try_from(index).unwrap()]);
            prop_assert!(verify_inclusion(&leaf, index, size, &path, &root));
            let earlier = index + 1;
            let path = proof(&all, first, consistency_ranges(earlier, size).unwrap()).unwrap();
            let old = mth(&all[..usize::try_from(earlier).unwrap()]);
            prop_assert!(verify_consistency(earlier, size, &path, &old, &root));
        }

        /// What only the frontier has seen is refused, or proved rightly; never proved wrongly.
        #[test]
        fn proofs_about_earlier_leaves_are_right_or_none(first in 1_usize..70, more in 0_usize..70, at in 0_usize..70) {
            let all = leaves((first + more) as u64);
            let (size, index) = (all.len() as u64, (at % first) as u64);
            if let Some(path) = proof(&all, first, inclusion_ranges(index, size).unwrap()) {
                let leaf = leaf_hash(&all[usize::try_from(index).unwrap()]);
                prop_assert!(verify_inclusion(&leaf, index, size, &path, &mth(&all)));
            }
        }

        #[test]
        fn any_change_changes_the_root(count in 1_usize..100, at in 0_usize..100, swap in 0_usize..100) {
            let all = leaves(count as u64);
            let (at, swap) = (at % count, swap % count);
            let root = frontier(&all).root();
            let mut edited = all.clone();
            edited[at].push(0);
            prop_assert_ne!(frontier(&edited).root(), root);
            let mut removed = all.clone();
            removed.remove(at);
            prop_assert_ne!(frontier(&removed).root(), root);
            let mut swapped = all.clone();
            swapped.swap(at, swap);
            prop_assert_eq!(frontier(&swapped).root() == root, at == swap);
        }
    }
}
