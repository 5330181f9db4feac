//! `teff run --census`: prints which operations were dispatched how often. Knows only the runtime's counts.

use teff_runtime::Census;

/// Prints the `top` most frequent operations and pairs of them, each with its share of all dispatches and
/// the sum of the shares so far.
pub(crate) fn print(top: usize) {
    let Census { total, ops, pairs } = Census::take();
    eprintln!("{total} dispatches of {} operations", ops.len());
    let names = ops.iter().map(|(name, count)| (name.clone(), *count));
    table(total, names.take(top));
    eprintln!("{} pairs", pairs.len());
    let names = pairs
        .iter()
        .map(|([a, b], count)| (format!("{a:32} {b}"), *count));
    table(total, names.take(top));
}

fn table(total: u64, rows: impl Iterator<Item = (String, u64)>) {
    let share = |count| 100.0 * count as f64 / (total.max(1)) as f64;
    let mut sum = 0;
    for (name, count) in rows {
        sum += count;
        eprintln!(
            "{:6.2}% {:6.2}% {count:>14}  {name}",
            share(count),
            share(sum)
        );
    }
}
