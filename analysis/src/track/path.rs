//! The likeliest sequence of trails: which of them the pilot is on at each hop, if on any (Viterbi 1967).

/// The cost of a pilot's beginning where none was, of its end, and of its going over from one trail to another, as
/// log-likelihood ratios.
const BEGINS: f64 = 10.0;
const ENDS: f64 = 8.0;
const GOES_OVER: f64 = 22.0;

/// Which trail at each hop; `None`: the pilot is not there. `scores[trail][hop]` are log-likelihood ratios against its
/// absence; `first` is where it was before the first hop.
pub(super) fn likeliest(scores: &[Vec<f64>], first: Option<usize>) -> Vec<Option<usize>> {
    let hops = scores.iter().map(Vec::len).min().unwrap_or(0);
    let states = scores.len() + 1;
    let absent = scores.len();
    let cost = |from: usize, to: usize| match (from == absent, to == absent) {
        _ if from == to => 0.0,
        (true, false) => BEGINS,
        (false, true) => ENDS,
        _ => GOES_OVER,
    };
    let mut best: Vec<f64> = (0..states).map(|to| -cost(first.unwrap_or(absent), to)).collect();
    let mut from = vec![vec![0usize; states]; hops];
    for hop in 0..hops {
        let mut next = vec![f64::NEG_INFINITY; states];
        for to in 0..states {
            let gain = if to == absent { 0.0 } else { scores[to][hop] };
            for (state, value) in best.iter().enumerate() {
                // Where it was before the first hop has been counted.
                let value = value + gain - if hop == 0 && state != to { f64::INFINITY } else { cost(state, to) };
                if value > next[to] {
                    next[to] = value;
                    from[hop][to] = state;
                }
            }
        }
        best = next;
    }
    let mut state = (0..states).max_by(|&a, &b| best[a].total_cmp(&best[b])).unwrap_or(absent);
    let mut path = vec![None; hops];
    for hop in (0..hops).rev() {
        path[hop] = (state != absent).then_some(state);
        state = from[hop][state];
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hop_alone_decides_nothing_and_several_do() {
        let with_gap = |hops: usize| (0..60).map(|n| if (20..20 + hops).contains(&n) { -12.0 } else { 12.0 }).collect();
        let absent = |path: Vec<Option<usize>>| path.iter().filter(|state| state.is_none()).count();
        assert_eq!(absent(likeliest(&[with_gap(1)], Some(0))), 0);
        assert_eq!(absent(likeliest(&[with_gap(2)], Some(0))), 2);
        assert_eq!(absent(likeliest(&[with_gap(60)], Some(0))), 40, "what never comes back is absent to the end");
        assert_eq!(likeliest(&[], Some(0)), []);
    }

    #[test]
    fn the_pilot_goes_over_to_another_trail_where_that_begins_to_fit() {
        let scores: [Vec<f64>; 2] = [
            (0..40).map(|n| if n < 17 { 9.0 } else { -4.0 }).collect(),
            (0..40).map(|n| if n < 17 { -4.0 } else { 9.0 }).collect(),
        ];
        let path = likeliest(&scores, None);
        assert!(path[..17].iter().all(|&state| state == Some(0)) && path[17..].iter().all(|&state| state == Some(1)));
    }
}
