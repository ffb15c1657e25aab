//! Shares a list of requests out between threads so that they end at about the same time.

/// What a request costs, by its place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    /// All cost the same.
    Even,
    /// Each costs as much as its place from the front.
    Rising,
}

/// Cuts `items` into `shares` runs of about equal cost, keeping the order.
pub(super) fn spread<T>(mut items: Vec<T>, shares: usize, cost: Cost) -> Vec<Vec<T>> {
    let total = items.len();
    let mut runs = Vec::with_capacity(shares);
    for share in (1..shares).rev() {
        runs.push(items.split_off(cut(total, share, shares, cost).min(items.len())));
    }
    runs.push(items);
    runs.reverse();
    runs
}

/// Where run number `share` begins: the cost before it is `share / shares` of all.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a cut need not be exact, and lists are short of 2^52"
)]
fn cut(total: usize, share: usize, shares: usize, cost: Cost) -> usize {
    let part = share as f64 / shares as f64;
    let place = match cost {
        Cost::Even => part,
        Cost::Rising => part.sqrt(),
    };
    (place * total as f64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_keep_the_order_and_lose_nothing() {
        for cost in [Cost::Even, Cost::Rising] {
            for total in [0, 1, 2, 7, 100] {
                let items: Vec<usize> = (0..total).collect();
                assert_eq!(spread(items.clone(), 3, cost).concat(), items);
            }
        }
    }

    #[test]
    fn late_items_that_cost_more_make_a_shorter_run() {
        let runs = spread((0..1000).collect(), 2, Cost::Rising);
        assert_eq!(runs[0].len(), 707);
    }
}
