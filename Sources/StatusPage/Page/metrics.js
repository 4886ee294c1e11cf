'use strict';

// Prometheus' text format, and what two scrapes of it say about the time between them.

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
 * By how much a counter grew between two scrapes; undefined where it is not there. A series that is
 * only in the later one began at zero.
 */
function growth(earlier, later, name, matches) {
  const now = sum(later, name, matches);
  return now === undefined ? undefined : now - (sum(earlier, name, matches) ?? 0);
}

/** The mean of what a histogram recorded between two scrapes; undefined where that is nothing. */
function mean(earlier, later, name) {
  const count = growth(earlier, later, `${name}_count`);
  return count > 0 ? growth(earlier, later, `${name}_sum`) / count : undefined;
}

/**
 * A quantile of what a histogram recorded between two scrapes, as Prometheus' histogram_quantile
 * has it: linear within a bucket, and the last bound for what lies above it. Undefined where
 * nothing was recorded.
 */
function quantile(q, earlier, later, name, matches = () => true) {
  const bounds = [...new Set((later.get(`${name}_bucket`) ?? []).map(({ labels }) => labels.le))];
  const buckets = bounds
    .map((le) => ({
      bound: le === '+Inf' ? Infinity : Number(le),
      count: growth(earlier, later, `${name}_bucket`,
        (labels) => labels.le === le && matches(labels)) ?? 0,
    }))
    .sort((a, b) => a.bound - b.bound);
  const rank = q * (buckets.at(-1)?.count ?? 0);
  if (!(rank > 0)) return undefined;
  const index = buckets.findIndex(({ count }) => count >= rank);
  const below = buckets[index - 1] ?? { bound: 0, count: 0 };
  const { bound, count } = buckets[index];
  if (bound === Infinity) return below.bound;
  return below.bound + (bound - below.bound) * (rank - below.count) / (count - below.count);
}
