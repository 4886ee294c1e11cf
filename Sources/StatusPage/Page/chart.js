'use strict';

// A line chart of one or two series over a span of time, in SVG.

const chartHeight = 104;
const plot = { top: 16, bottom: 18, right: 6 };  // Room for words, and for the last dot.

function svgElement(name, attributes = {}, text = '') {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
}

/** The least of 1, 2 or 5 times a power of ten that is not below a value. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999);
}

/** Runs of samples that have a value, without a pause that is long enough to be a gap. */
function runs(samples, key, gapMilliseconds) {
  const found = [[]];
  for (const sample of samples) {
    const run = found.at(-1);
    const isGap = run.length && sample.time - run.at(-1).time > gapMilliseconds;
    if (sample[key] === undefined || isGap) found.push([]);
    if (sample[key] !== undefined) found.at(-1).push(sample);
  }
  return found.filter((run) => run.length);
}

/**
 * Draws the chart anew.
 *
 * @param svg where
 * @param chart its series, least maximum, and how it writes a value
 * @param samples what was measured, the oldest first
 * @param span the first and last time, the pause that is a gap, in milliseconds, and the first in words
 * @param pointed the sample that the reader points at, if any
 */
function drawChart(svg, chart, samples, span, pointed) {
  const width = svg.clientWidth || 320;
  svg.setAttribute('viewBox', `0 0 ${width} ${chartHeight}`);
  const values = samples.flatMap((sample) => chart.series.map(({ key }) => sample[key] ?? 0));
  const top = roundUp(Math.max(chart.leastMaximum, ...values));
  const left = (time) => (time - span.first) / (span.last - span.first) * (width - plot.right);
  const height = chartHeight - plot.top - plot.bottom;
  const up = (value) => plot.top + height * (1 - value / top);

  const drawing = [0, top / 2, top].map((value) => svgElement('line',
    { class: value ? 'grid' : 'axis', x2: width, y1: up(value), y2: up(value) }));
  chart.series.forEach(({ key }, number) => {
    for (const run of runs(samples, key, span.gap)) {
      const points = run.map((sample) => `${left(sample.time)},${up(sample[key])}`);
      const [start, end] = [run[0], run.at(-1)].map((sample) => left(sample.time));
      if (number === 0) {
        drawing.push(svgElement('path',
          { class: 'area', d: `M${start},${up(0)}L${points.join('L')}L${end},${up(0)}Z` }));
      }
      drawing.push(svgElement('path', { class: `line series-${number}`, d: `M${points.join('L')}` }));
    }
  });
  const marked = pointed ?? samples.at(-1);
  if (pointed) {
    drawing.push(svgElement('line', {
      class: 'pointer', x1: left(pointed.time), x2: left(pointed.time), y1: plot.top, y2: up(0),
    }));
  }
  chart.series.forEach(({ key }, number) => {
    if (marked?.[key] === undefined) return;
    drawing.push(svgElement('circle', {
      class: `dot series-${number}`, r: 4, cx: left(marked.time), cy: up(marked[key]),
    }));
  });
  // Last, so that no line crosses a word.
  for (const value of [top / 2, top]) {
    drawing.push(svgElement('text', { class: 'tick', y: up(value) - 3 }, chart.write(value)));
  }
  drawing.push(svgElement('text', { class: 'tick', y: chartHeight - 4 }, span.words));
  drawing.push(svgElement('text', { class: 'tick end', x: width, y: chartHeight - 4 }, 'now'));
  svg.replaceChildren(...drawing);
}
