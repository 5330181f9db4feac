//! The plot of a comparison, as SVG: a row for each program, a point for each engine, on a logarithmic axis of its time
//! by the reference's. Readable on light and dark ground, because text and lines take their colour from a style that
//! follows the reader's setting.

use std::fmt::Write;

use crate::report::{EngineColumn, Report};

const ROW: f64 = 20.0;
const LEFT: f64 = 122.0;
const WIDTH: f64 = 900.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 66.0;
/// A colour for each engine, the same in every plot. They differ in lightness too, and can be told apart on white and on
/// near-black.
const COLOURS: [(&str, &str); 10] = [
    ("teff-metered", "#8a8f98"),
    ("teff-loop", "#b8a48a"),
    ("silverfir", "#e5484d"),
    ("wasmi", "#3e9bff"),
    ("stitch", "#f5a524"),
    ("wasm3", "#2fae66"),
    ("tinywasm", "#a06bff"),
    ("pulley", "#12b5b0"),
    ("cranelift", "#e26bb0"),
    ("native", "#7d5a2b"),
];

/// Draws the report; the reference is the line at 1.
pub(crate) fn svg(report: &Report) -> String {
    let others: Vec<(usize, &EngineColumn)> = report.engines.iter().enumerate().skip(1).collect();
    let (low, high) = range(report);
    let scale = |ratio: f64| {
        let part = (ratio.clamp(low, high) / low).ln() / (high / low).ln();
        LEFT + part * (WIDTH - LEFT - RIGHT)
    };
    let rows = report.programs.len() + 1;
    let bottom = TOP + ROW * rows as f64 + 8.0;
    let height = bottom + 42.0;
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="12">
<style>
text {{ fill: #24292f }} .faint {{ fill: #656d76 }} .grid {{ stroke: #d0d7de }} .one {{ stroke: #24292f }} .mean {{ fill: #eef1f4 }}
@media (prefers-color-scheme: dark) {{
text {{ fill: #e6edf3 }} .faint {{ fill: #8d96a0 }} .grid {{ stroke: #373e47 }} .one {{ stroke: #e6edf3 }} .mean {{ fill: #22272e }}
}}
</style>
<title>CPU time as a multiple of {reference}'s, logarithmic</title>"#,
        reference = report.engines[0].label
    );
    // The legend, in two lines if it needs them.
    let mut x = LEFT;
    let mut y = 16.0;
    for &(_, engine) in &others {
        let label = format!("{} {}", engine.label, mean_of(engine, report));
        let width = 26.0 + 6.9 * label.chars().count() as f64;
        if x + width > WIDTH - RIGHT {
            x = LEFT;
            y += 20.0;
        }
        let _ = writeln!(
            svg,
            r#"<circle cx="{:.1}" cy="{:.1}" r="5" fill="{}"/><text x="{:.1}" y="{:.1}">{label}</text>"#,
            x + 5.0,
            y - 4.0,
            colour(engine),
            x + 14.0,
            y
        );
        x += width;
    }
    for tick in ticks(low, high) {
        let x = scale(tick);
        let class = if tick == 1.0 { "one" } else { "grid" };
        let _ = writeln!(
            svg,
            r#"<line class="{class}" x1="{x:.1}" y1="{:.1}" x2="{x:.1}" y2="{bottom:.1}"/><text class="faint" x="{x:.1}" y="{:.1}" text-anchor="middle">{tick}</text>"#,
            TOP - 4.0,
            bottom + 15.0
        );
    }
    let _ = writeln!(
        svg,
        r#"<rect class="mean" x="0" y="{TOP:.1}" width="{WIDTH}" height="{ROW}" rx="3" opacity="0.6"/>"#
    );
    let mean = others.iter().map(|&(_, engine)| (engine, engine.ratio));
    row(&mut svg, 0, "geometric mean", mean, &scale);
    for (number, program) in report.programs.iter().enumerate() {
        let ratios = others
            .iter()
            .map(|&(index, engine)| (engine, program.ratio(index)));
        row(&mut svg, number + 1, program.program, ratios, &scale);
    }
    let _ = writeln!(
        svg,
        r#"<text class="faint" x="{:.1}" y="{:.1}" text-anchor="middle">CPU time as a multiple of {}'s: further right is slower. {}.</text>
</svg>"#,
        (LEFT + WIDTH) / 2.0,
        bottom + 34.0,
        report.engines[0].label,
        report.processor
    );
    svg
}

/// The geometric mean, and of how many programs if it is not of all.
fn mean_of(engine: &EngineColumn, report: &Report) -> String {
    match engine.ratio {
        None => String::new(),
        Some(ratio) if engine.counted == report.programs.len() => format!("{ratio:.2}"),
        Some(ratio) => format!("{ratio:.2} (of {})", engine.counted),
    }
}

fn colour(engine: &EngineColumn) -> &'static str {
    let found = COLOURS.iter().find(|(name, _)| *name == engine.name);
    found.map_or("#656d76", |(_, colour)| colour)
}

fn row<'a>(
    svg: &mut String,
    number: usize,
    name: &str,
    ratios: impl Iterator<Item = (&'a EngineColumn, Option<f64>)>,
    scale: &impl Fn(f64) -> f64,
) {
    let y = TOP + ROW * (number as f64 + 0.5);
    let _ = writeln!(
        svg,
        r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{name}</text><line class="grid" x1="{LEFT}" y1="{y:.1}" x2="{:.1}" y2="{y:.1}" stroke-width="0.5"/>"#,
        LEFT - 10.0,
        y + 4.0,
        WIDTH - RIGHT
    );
    for (engine, ratio) in ratios {
        if let Some(ratio) = ratio {
            let _ = writeln!(
                svg,
                r#"<circle cx="{:.1}" cy="{y:.1}" r="{}" fill="{}" fill-opacity="0.9"/>"#,
                scale(ratio),
                if number == 0 { 6 } else { 4 },
                colour(engine)
            );
        }
    }
}

/// The ends of the axis: round numbers around all ratios.
fn range(report: &Report) -> (f64, f64) {
    let (mut low, mut high) = (0.5f64, 2.0f64);
    for program in &report.programs {
        for ratio in (1..report.engines.len()).filter_map(|index| program.ratio(index)) {
            low = low.min(ratio);
            high = high.max(ratio);
        }
    }
    (low * 0.9, high * 1.1)
}

/// 1, 2 and 5 times the powers of ten between the ends.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let steps = [
        0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0,
    ];
    let inside = |tick: &f64| (low..=high).contains(tick);
    steps.into_iter().filter(inside).collect()
}
