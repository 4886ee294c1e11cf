'use strict';

// Asks the shop every two seconds, and shows what it says and what has become of it.

const pauseMilliseconds = 2_000;
const patienceMilliseconds = 8_000;  // Longer than the shop takes to give up on MariaDB.
const staleMilliseconds = 3 * pauseMilliseconds;
const rateMilliseconds = 10_000;     // Rates are over so long a time: calmer than two seconds.
const historyMilliseconds = { min: 60_000, max: 10 * 60_000 };

/** What the process said of itself: `{start, version, boundsSeconds}`. */
let process;
/** The states of its counters in the last minutes, the oldest first. */
let states = [];
/** What was measured between them, the oldest first. */
let samples = [];
/** What was heard last of the shop and its parts, for `judgeParts`. */
let known = {};
/** When the shop last answered, and why it does not, if so. */
let answeredAt, failure;

// --- How figures are written ------------------------------------------------------------------

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const short = (value) => (value < 9.95 ? tenths : whole).format(value);
const write = {
  count: (value) => whole.format(value),
  rate: (value) => (value > 0 && value < 0.05 ? '< 0.1' : short(value)),
  share: (value) => (value > 0 && value < 0.01 ? '< 1 %' : `${whole.format(value * 100)} %`),
  bytes: (value) => `${whole.format(value / 2 ** 20)} MiB`,
  duration(seconds) {
    if (seconds === 0) return '0 s';
    if (seconds < 0.00005) return '< 0.1 ms';
    if (seconds < 0.9995) return `${short(seconds * 1_000)} ms`;
    if (seconds < 120) return `${short(seconds)} s`;
    const [minutes, hours, days] = [60, 3_600, 86_400].map((unit) => Math.floor(seconds / unit));
    if (minutes < 10 && seconds % 60 >= 1) return `${minutes} min ${Math.floor(seconds % 60)} s`;
    if (hours < 1) return `${minutes} min`;
    return days < 1 ? `${hours} h ${minutes % 60} min` : `${days} d ${hours % 24} h`;
  },
};

/** A value, or a dash where there is none. */
const written = (value, as) => (value === undefined || value === null ? '–' : as(value));

// --- What is shown ----------------------------------------------------------------------------

const charts = [
  {
    title: 'Orders a second', write: write.rate, leastMaximum: 1,
    series: [{ key: 'orders', name: 'accepted' }, { key: 'refusals', name: 'refused' }],
  }, {
    title: 'Time to answer', write: write.duration, leastMaximum: 0.001,
    series: [{ key: 'p50', name: 'half' }, { key: 'p99', name: '99 of 100' }],
  }, {
    title: 'Requests a second', write: write.rate, leastMaximum: 1,
    series: [{ key: 'requests', name: 'all' }, { key: 'failures', name: 'failed (5xx)' }],
  }, {
    title: 'Orders and charges waiting', write: write.count, leastMaximum: 10,
    series: [{ key: 'queued', name: 'in line' }],
  }, {
    title: 'Time of a commit in MariaDB', write: write.duration, leastMaximum: 0.001,
    series: [{ key: 'commit', name: 'half' }],
  }, {
    title: 'Threads busy', write: write.share, leastMaximum: 1,
    series: [{ key: 'busy', name: 'of all' }],
  },
];

/** Figures that have no chart. */
const figures = [
  ['Events not handed out yet', 'undispatched', write.count],
  ['Deliveries waiting', 'pending', write.count],
  ['Deliveries given up', 'dead', write.count],
  ['Found in memcached', 'cacheHits', write.share],
  ['Connections to MariaDB in use', 'connections', write.count],
  ['Memory', 'memory', write.bytes],
  ['Open files', 'files', write.count],
];

/** What the audit's rules say. */
const rules = {
  points: 'Points are what the payments have made them',
  stock: 'Stock is what its movements have made it',
  order_lines: 'Orders have lines, which make their total',
  order_payment: 'Orders took their total, once',
  order_event: 'Orders have their events',
  cancel: 'Cancels gave everything back, once',
  orphans: 'No row is about something that is not there',
  sales: 'Sales of 72 hours are those of the hours',
};

// --- Measuring --------------------------------------------------------------------------------

/** What two states of the counters say about the time of the later. */
function measure(earlier, later) {
  const seconds = (later.time - earlier.time) / 1_000;
  const grown = (name) => growth(earlier, later, name);
  const rate = (name) => (grown(name) === undefined ? undefined : grown(name) / seconds);
  const share = (part, all) => (all > 0 ? part / all : undefined);
  const quantileOf = (q, name) => quantile(q, earlier, later, name, process.boundsSeconds);
  return {
    time: later.time,
    orders: rate('accepted'),
    refusals: rate('refused'),
    p50: quantileOf(0.5, 'latency'),
    p99: quantileOf(0.99, 'latency'),
    requests: rate('requests'),
    failures: rate('failed'),
    queued: later.queued,
    commit: quantileOf(0.5, 'commit'),
    busy: share(later.busy, later.workers),
    cacheHits: share(grown('cacheHits'), grown('cacheLooks')),
    connections: later.connections,
    memory: later.memory,
    files: later.files,
  };
}

/** The state that a rate up to another is counted from; undefined for the oldest. */
function stateBefore(state) {
  const older = states.filter(({ time }) => time < state.time);
  return older.findLast(({ time }) => time <= state.time - rateMilliseconds) ?? older[0];
}

/** Takes in what a process remembers. Another process counts from zero. */
function remember({ start, version, boundsSeconds, samples: newStates }) {
  if (start !== process?.start) [states, samples] = [[], []];
  process = { start, version, boundsSeconds };
  for (const state of newStates) {
    const earlier = stateBefore(state);
    if (earlier) samples.push(measure(earlier, state));
    states.push(state);
  }
  const oldest = (states.at(-1)?.time ?? 0) - historyMilliseconds.max;
  states = states.filter(({ time }) => time >= oldest);
  samples = samples.filter(({ time }) => time >= oldest);
}

/** The last audit that the worker has done; undefined before the first. */
function lastAudit(scrape) {
  const endedAt = sum(scrape, 'commerce_audit_last_success_timestamp_seconds');
  if (!endedAt) return undefined;
  const rules = (scrape.get('commerce_audit_violations') ?? [])
    .map(({ labels, value }) => ({ rule: labels.rule, violations: value }));
  return { endedAt, seconds: sum(scrape, 'commerce_audit_duration_seconds'), rules };
}

async function get(address) {
  const response = await fetch(address, {
    cache: 'no-store', signal: AbortSignal.timeout(patienceMilliseconds),
  });
  if (!response.ok) throw new Error(`The answer to ${address.replace(/\?.*/, '')} is ${response.status}.`);
  return response;
}

/** The metrics of a part; undefined where it does not answer, for the shop sells without it. */
const metricsOf = (part) => get(`${part}/metrics`)
  .then((response) => response.text()).then(parseMetrics).catch(() => undefined);

/** What the worker says, and the notifier where events go through a broker: the worker knows. */
async function askParts() {
  const work = await metricsOf('work');
  const isBrokerUsed = work ? work.has('commerce_broker_up') : known.broker !== undefined;
  const notify = isBrokerUsed ? await metricsOf('notify') : undefined;
  const answers = [work, notify].filter(Boolean).map((scrape) => sum(scrape, 'commerce_broker_up'));
  return {
    worker: work !== undefined,
    notifier: notify !== undefined,
    broker: !isBrokerUsed ? undefined : answers.length ? answers.every((up) => up === 1) : null,
    audit: work ? lastAudit(work) : known.audit,
  };
}

async function ask() {
  try {
    const after = `after=${states.at(-1)?.time ?? 0}&process=${process?.start ?? 0}`;
    const [status, parts] = await Promise.all([
      get(`status.json?${after}`).then((response) => response.json()), askParts(),
    ]);
    remember(status.history);
    known = { status, ...parts };
    answeredAt = Date.now();
    failure = undefined;
  } catch (error) {
    failure = error.name === 'TimeoutError'
      ? `No answer came within ${patienceMilliseconds / 1_000} s.` : error.message;
  }
  show();
  setTimeout(ask, pauseMilliseconds);
}

const isSilent = () => failure !== undefined;

/** The last of what was measured and counted. */
const now = () => ({ ...samples.at(-1), ...known.status?.outbox });

const parts = () => judgeParts(known, isSilent());

function problems() {
  if (isSilent()) return [{ level: 'bad', sentence: `Asked again every two seconds. ${failure}` }];
  return judge(parts(), now());
}

// --- Showing ----------------------------------------------------------------------------------

const byID = (id) => document.getElementById(id);
const signs = { good: '✓', warning: '!', bad: '✕', unknown: '–' };

/** An element with a class and words; words are never read as HTML. */
function element(name, className = '', ...contents) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...contents);
  return made;
}

function sign(level) {
  const made = element('span', `sign ${level}`, signs[level]);
  made.setAttribute('aria-hidden', 'true');
  return made;
}

function row(header, ...cells) {
  const made = element('tr', '', element('th', '', header), ...cells);
  made.firstChild.scope = 'row';
  return made;
}

const numberCell = (text, className = '') => element('td', `number ${className}`, text);

function showVerdict() {
  const found = problems();
  const isAsking = !known.status && !isSilent();
  const level = isAsking ? 'unknown' : found[0]?.level ?? 'good';
  const text = isAsking ? 'Asking the shop…' : isSilent() ? 'The shop does not answer'
    : { bad: 'Something is wrong', warning: 'Something needs a look', good: 'All is well' }[level];
  // Only what has changed is touched: a screen reader says it.
  if (byID('verdict-text').textContent !== text) byID('verdict-text').textContent = text;
  byID('verdict').className = level;
  const list = byID('problems');
  const sentences = found.map(({ sentence }) => sentence);
  if (sentences.join() !== [...list.children].map((item) => item.textContent).join()) {
    list.replaceChildren(...sentences.map((sentence) => element('li', '', sentence)));
  }
  document.title = `${level === 'good' ? '' : `${signs[level]} `}Commerce: status`;
}

function showAbout() {
  const isStale = answeredAt !== undefined && Date.now() - answeredAt > staleMilliseconds;
  document.body.classList.toggle('stale', isStale);
  if (answeredAt === undefined) return;
  const ago = write.duration(Math.floor((Date.now() - answeredAt) / 1_000));
  byID('about').textContent = [
    `version ${process.version}`,
    `up ${write.duration(Math.max(1, Math.floor((Date.now() - process.start) / 1_000)))}`,
    isStale ? `figures are ${ago} old` : 'live',
  ].filter(Boolean).join(' · ');
}

function showParts() {
  byID('parts').replaceChildren(...parts().map(({ name, level, words }) =>
    element('li', '', sign(level), element('span', 'name', name), ' ', element('span', 'state', words))));
}

function showProducts() {
  const products = known.status?.products ?? [];
  const rows = products.map(({ name, stock, sold }) => {
    const made = row(name, numberCell(write.count(sold)),
      stock > 0 ? numberCell(write.count(stock)) : numberCell('sold out', 'bad'));
    const meter = element('meter');
    const max = Math.max(1, stock + sold);
    Object.assign(meter, { max, low: max / 10, optimum: max, value: stock });
    meter.setAttribute('aria-label', `what is left of ${name}`);
    made.firstChild.append(meter);
    return made;
  });
  byID('products').tBodies[0].replaceChildren(...rows);
  byID('products').hidden = !rows.length;
  byID('no-products').hidden = rows.length > 0 || !known.status?.products;
}

function showAudit() {
  const { audit } = known;
  byID('audit-summary').textContent = audit
    ? `Ended ${write.duration(Math.max(0, Math.floor(Date.now() / 1_000 - audit.endedAt)))} ago`
      + `, took ${write.duration(audit.seconds)}.`
    : 'There has been none since the worker was started.';
  byID('audit').hidden = !audit;
  byID('audit').tBodies[0].replaceChildren(...(audit?.rules ?? []).map(({ rule, violations }) =>
    row(rules[rule] ?? rule, numberCell(write.count(violations), violations ? 'bad' : ''))));
}

function showFigures() {
  const values = now();
  byID('figures').tBodies[0].replaceChildren(...figures.map(([title, key, write]) => {
    const made = row(title, numberCell(written(values[key], write)));
    made.dataset.figure = key;
    return made;
  }));
}

/** Makes a chart's elements. Pointing into it shows the values of that time. */
function makeChart(chart) {
  chart.values = element('p', 'values');
  chart.svg = svgElement('svg', { role: 'img' });
  chart.svg.addEventListener('pointermove', (event) => {
    const { left, width } = chart.svg.getBoundingClientRect();
    const { first, last } = spanShown();
    chart.pointedAt = first + (last - first) * (event.clientX - left) / width;
    showChart(chart);
  });
  chart.svg.addEventListener('pointerleave', () => {
    chart.pointedAt = undefined;
    showChart(chart);
  });
  return element('figure', '', element('figcaption', '', chart.title), chart.values, chart.svg);
}

/** The time that the charts show: as long as there is history, within bounds. */
function spanShown() {
  const last = samples.at(-1)?.time ?? Date.now();
  const age = last - (samples[0]?.time ?? last);
  const { min, max } = historyMilliseconds;
  const length = Math.min(max, Math.max(min, age));
  const words = `${write.duration(Math.round(length / 1_000))} ago`;
  return { first: last - length, last, gap: pauseMilliseconds + patienceMilliseconds, words };
}

function showChart(chart) {
  const distance = ({ time }) => Math.abs(time - chart.pointedAt);
  const pointed = chart.pointedAt === undefined ? undefined
    : samples.reduce((best, sample) => (best && distance(best) <= distance(sample) ? best : sample), undefined);
  const shown = pointed ?? samples.at(-1) ?? {};
  const values = chart.series.map(({ key, name }, number) => {
    const made = element('b', '', written(shown[key], chart.write));
    made.dataset.figure = key;
    return element('span', `value series-${number}`, made, ` ${name}`);
  });
  if (pointed) values.push(element('span', 'value time', new Date(pointed.time).toLocaleTimeString()));
  chart.values.replaceChildren(...values);
  chart.svg.setAttribute('aria-label', `${chart.title} in the last minutes; now `
    + chart.series.map(({ key, name }) => `${written((samples.at(-1) ?? {})[key], chart.write)} ${name}`).join(', '));
  drawChart(chart.svg, chart, samples, spanShown(), pointed);
}

function show() {
  showVerdict();
  showAbout();
  showParts();
  showProducts();
  showAudit();
  showFigures();
  charts.forEach(showChart);
}

byID('charts').replaceChildren(...charts.map(makeChart));
show();
setInterval(showAbout, 1_000);
addEventListener('resize', () => charts.forEach(showChart));
ask();
