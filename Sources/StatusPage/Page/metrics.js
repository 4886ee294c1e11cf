'use strict';

// Prometheus' text format, and what two states of the shop's counters say about the time between them.

/**
 * Reads the text format.
 *
 * @returns {Map<string, {labels: Object<string, string>, value: number}[]>} by name
 */
function parseMetrics(text) {
  const scrape = new Map();
  for (const line of text.split('\n')) {
    const parts = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!parts) continue;  // A comment, or the end.
    const labels = {};
    for (const [, name, value] of (parts[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      labels[name] = value.replace(/\\(.)/g, (_, sign) => (sign === 'n' ? '\n' : sign));
    }
    const value = Number(parts[3].replace('Inf', 'Infinity'));
    if (!scrape.has(parts[1])) scrape.set(parts[1], []);
    scrape.get(parts[1]).push({ labels, value });
  }
  return scrape;
}

/** The sum of a name's series whose labels match; undefined where there is none. */
function sum(scrape, name, matches = () => true) {
  const series = (scrape.get(name) ?? []).filter(({ labels }) => matches(labels));
  return series.length ? series.reduce((total, { value }) => total + value, 0) : undefined;
}

/**
 * By how much a counter grew between two samples; undefined where it is not there. One that is only
 * in the later began at zero.
 */
function growth(earlier, later, name) {
  return later[name] === undefined ? undefined : later[name] - (earlier[name] ?? 0);
}

/**
 * A quantile of what a histogram recorded between two samples, as Prometheus' histogram_quantile
 * has it: linear within a bucket, and the last bound for what lies above it. Undefined where
 * nothing was recorded.
 *
 * @param bounds the upper bounds of the buckets but the last, ascending
 */
function quantile(q, earlier, later, name, bounds) {
  const counts = (later[name] ?? []).map((count, index) => count - (earlier[name]?.[index] ?? 0));
  const rank = q * (counts.at(-1) ?? 0);
  if (!(rank > 0)) return undefined;
  const index = counts.findIndex((count) => count >= rank);
  if (index >= bounds.length) return bounds.at(-1);
  const [below, from] = index ? [counts[index - 1], bounds[index - 1]] : [0, 0];
  return from + (bounds[index] - from) * (rank - below) / (counts[index] - below);
}
