//! Finding a circle among things that wait for each other.

/// The nodes of a circle in the order in which each waits for the next, or `None` when there is none. `waits_for` gives,
/// for each node, the nodes that it waits for; every one must be below `waits_for.len()`.
#[must_use]
pub fn find_cycle(waits_for: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut marks = vec![Mark::New; waits_for.len()];
    for start in 0..waits_for.len() {
        if marks[start] != Mark::New {
            continue;
        }
        // The way from the start to where we are, each with the next of its edges to look at. Not by recursion: a chain
        // may be as long as the list.
        let mut way = vec![(start, 0)];
        marks[start] = Mark::OnTheWay;
        while let Some((node, edge)) = way.last_mut() {
            let node = *node;
            let Some(&next) = waits_for[node].get(*edge) else {
                marks[node] = Mark::Free;
                way.pop();
                continue;
            };
            *edge += 1;
            match marks[next] {
                Mark::New => {
                    marks[next] = Mark::OnTheWay;
                    way.push((next, 0));
                }
                Mark::OnTheWay => {
                    return Some(
                        way.iter().map(|(node, _)| *node).skip_while(|node| *node != next).collect(),
                    );
                }
                Mark::Free => {}
            }
        }
    }
    None
}

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    New,
    OnTheWay,
    /// Nothing that can be reached from it leads in a circle.
    Free,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By definition: a node is on a circle when it is reached from one of those it waits for.
    fn has_cycle(waits_for: &[Vec<usize>]) -> bool {
        (0..waits_for.len()).any(|node| {
            let mut reached = vec![false; waits_for.len()];
            let mut open = waits_for[node].clone();
            while let Some(next) = open.pop() {
                if !std::mem::replace(&mut reached[next], true) {
                    open.extend(&waits_for[next]);
                }
            }
            reached[node]
        })
    }

    fn graphs() -> impl Strategy<Value = Vec<Vec<usize>>> {
        (1_usize..12).prop_flat_map(|nodes| {
            proptest::collection::vec((0..nodes, 0..nodes), 0..nodes * 2).prop_map(move |edges| {
                let mut waits_for = vec![Vec::new(); nodes];
                for (from, to) in edges {
                    waits_for[from].push(to);
                }
                waits_for
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn a_circle_is_found_when_there_is_one_and_is_one(waits_for in graphs()) {
            match find_cycle(&waits_for) {
                None => prop_assert!(!has_cycle(&waits_for)),
                Some(cycle) => {
                    for (n, node) in cycle.iter().enumerate() {
                        let next = cycle[(n + 1) % cycle.len()];
                        prop_assert!(waits_for[*node].contains(&next), "{:?} in {:?}", cycle, waits_for);
                    }
                    let distinct: std::collections::BTreeSet<_> = cycle.iter().collect();
                    prop_assert!(!cycle.is_empty() && distinct.len() == cycle.len());
                }
            }
        }
    }

    #[test]
    fn a_long_chain_needs_no_deep_stack() {
        let mut chain: Vec<Vec<usize>> = (1..200_000).map(|next| vec![next]).collect();
        chain.push(Vec::new());
        assert_eq!(find_cycle(&chain), None);
        chain[199_999].push(199_998);
        assert_eq!(find_cycle(&chain), Some(vec![199_998, 199_999]));
    }
}
