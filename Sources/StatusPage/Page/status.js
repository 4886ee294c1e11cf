'use strict';

// Asks the shop every two seconds, and shows what it says and what has become of it.

const pauseMilliseconds = 2_000;
const patienceMilliseconds = 8_000;  // Longer than the shop takes to give up on MariaDB.
const staleMilliseconds = 3 * pauseMilliseconds;
const rateMilliseconds = 10_000;     // Rates are over so long a time: calmer than two seconds.
const historyMilliseconds = { min: 60_000, max: 5 * 60_000 };

/** Scrapes of the last seconds, the oldest first: `{time, scrape}`. */
let scrapes = [];
/** What was measured in the last minutes, the oldest first. */
let samples = [];
/** What /status.json said last. */
let status;
/** What the worker last audited, and whether it answers. */
let audit, workerAnswers;
/** When the shop last answered, and why it does not, if so. */
let answeredAt, failure;

// --- How figures are written ------------------------------------------------------------------

const threeDigits = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const write = {
  count: (value) => whole.format(value),
  rate: (value) => (value < 100 ? threeDigits : whole).format(value),
  share: (value) => `${threeDigits.format(value * 100)} %`,
  bytes: (value) => `${threeDigits.format(value / 2 ** 20)} MiB`,
  duration(seconds) {
    if (seconds === 0) return '0 s';
    if (seconds < 1) return `${threeDigits.format(seconds * 1_000)} ms`;
    if (seconds < 120) return `${threeDigits.format(seconds)} s`;
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
    title: 'Latency', write: write.duration, leastMaximum: 0.001,
    series: [{ key: 'p50', name: 'p50' }, { key: 'p99', name: 'p99' }],
  }, {
    title: 'Requests a second', write: write.rate, leastMaximum: 1,
    series: [{ key: 'requests', name: 'all' }, { key: 'failures', name: 'failed (5xx)' }],
  }, {
    title: 'Commands in a batch', write: write.rate, leastMaximum: 2,
    series: [{ key: 'batch', name: 'mean' }],
  }, {
    title: 'Conflicts a second', write: write.rate, leastMaximum: 1,
    series: [{ key: 'conflicts', name: 'lost races' }, { key: 'retries', name: 'retries' }],
  }, {
    title: 'Workers busy', write: write.share, leastMaximum: 1,
    series: [{ key: 'busy', name: 'of all' }],
  }, {
    title: 'Ledger queue', write: write.count, leastMaximum: 10,
    series: [{ key: 'queued', name: 'commands waiting' }],
  }, {
    title: 'Oldest event waiting', write: write.duration, leastMaximum: 10,
    series: [{ key: 'eventAge', name: 'age' }],
  },
];

/** Figures that have no chart. */
const figures = [
  ['Median commit', 'commit', write.duration],
  ['Commits whose answer was lost', 'unknownCommits', write.count],
  ['Events without deliveries yet', 'undispatched', write.count],
  ['Deliveries waiting', 'pending', write.count],
  ['Deliveries given up', 'dead', write.count],
  ['Cache hits', 'cacheHits', write.share],
  ['Memory', 'memory', write.bytes],
  ['Open files', 'openFiles', write.count],
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

const isOrder = ({ kind }) => kind === 'order';
const isPublic = ({ route }) => /^\/(api|products)/.test(route);

/** What two scrapes and the status say about now. */
function measure(earlier, later, status, time) {
  const seconds = (later.time - earlier.time) / 1_000;
  const gauge = (name) => sum(later.scrape, `commerce_${name}`);
  const grown = (name, matches) => growth(earlier.scrape, later.scrape, `commerce_${name}`, matches);
  const rate = (name, matches) => {
    const amount = grown(name, matches);
    return amount === undefined ? undefined : amount / seconds;
  };
  const ofRequests = (q) => quantile(q, earlier.scrape, later.scrape,
    'commerce_http_request_duration_seconds', isPublic);
  const hits = grown('cache_requests_total', ({ result }) => result === 'hit');
  const looked = grown('cache_requests_total');
  return {
    time,
    orders: rate('commands_total', (labels) => isOrder(labels) && labels.result === 'accepted'),
    refusals: rate('commands_total', (labels) => isOrder(labels) && labels.result === 'refused'),
    p50: ofRequests(0.5),
    p99: ofRequests(0.99),
    requests: rate('http_requests_total', isPublic),
    failures: rate('http_requests_total', (labels) => isPublic(labels) && labels.status === '5xx'),
    batch: mean(earlier.scrape, later.scrape, 'commerce_ledger_batch_commands'),
    conflicts: rate('ledger_conflicts_total'),
    retries: rate('ledger_retries_total'),
    busy: gauge('workers') > 0 ? gauge('workers_busy') / gauge('workers') : undefined,
    queued: gauge('ledger_queued'),
    commit: quantile(0.5, earlier.scrape, later.scrape, 'commerce_ledger_settle_duration_seconds'),
    unknownCommits: gauge('ledger_unknown_commits_total'),
    cacheHits: looked > 0 ? hits / looked : undefined,
    memory: gauge('process_resident_memory_bytes'),
    openFiles: gauge('process_open_fds'),
    undispatched: status.outbox?.undispatched,
    pending: status.outbox?.pending,
    dead: status.outbox?.dead,
    eventAge: status.outbox?.oldestAgeSeconds,
  };
}

const started = ({ scrape }) => sum(scrape, 'commerce_process_start_time_seconds');

/** The last audit that the worker has done; undefined before the first. */
function lastAudit(scrape) {
  const endedAt = sum(scrape, 'commerce_audit_last_success_timestamp_seconds');
  if (!endedAt) return undefined;
  const rules = (scrape.get('commerce_audit_violations') ?? [])
    .map(({ labels, value }) => ({ rule: labels.rule, violations: value }));
  return { endedAt, seconds: sum(scrape, 'commerce_audit_duration_seconds'), rules };
}

function remember(text, newStatus) {
  const time = Date.now();
  const newest = { time, scrape: parseMetrics(text) };
  // Another process counts from zero. There is one at least that is old enough, if there can be.
  scrapes = scrapes.filter((scrape) => started(scrape) === started(newest));
  while (scrapes.length > 1 && scrapes[1].time <= time - rateMilliseconds) scrapes.shift();
  status = newStatus;
  if (scrapes.length) samples.push(measure(scrapes[0], newest, status, time));
  scrapes.push(newest);
  samples = samples.filter((sample) => sample.time > time - historyMilliseconds.max);
}

async function get(address) {
  const response = await fetch(address, {
    cache: 'no-store', signal: AbortSignal.timeout(patienceMilliseconds),
  });
  if (!response.ok) throw new Error(`The answer to ${address} is ${response.status}.`);
  return response;
}

async function ask() {
  try {
    const [metrics, json, work] = await Promise.all([
      get('metrics'), get('status.json'),
      get('work/metrics').catch(() => undefined),  // The shop sells without its worker.
    ]);
    remember(await metrics.text(), await json.json());
    workerAnswers = work !== undefined;
    audit = work ? lastAudit(parseMetrics(await work.text())) : audit;
    answeredAt = Date.now();
    failure = undefined;
  } catch (error) {
    failure = error.name === 'TimeoutError'
      ? `No answer came within ${patienceMilliseconds / 1_000} s.` : error.message;
  }
  show();
  setTimeout(ask, pauseMilliseconds);
}

// --- Judging ----------------------------------------------------------------------------------

const violations = () => (audit?.rules ?? []).reduce((all, rule) => all + rule.violations, 0);

/** What an operator has to know, the worst first: `[level, sentence]`. */
function problems() {
  if (failure !== undefined) return [['bad', `Asked again every two seconds. ${failure}`]];
  const now = samples.at(-1) ?? {};
  const dead = status?.outbox?.dead ?? 0;
  return [
    [status?.database === false, 'bad', 'MariaDB does not answer: orders and charges get 503.'],
    [violations() > 0, 'bad', `The audit found what is wrong: ${violations() === 1 ? '1 row' : `${write.count(violations())} rows`}.`],
    [status?.cache === false, 'warning', 'memcached does not answer: everything works, slower.'],
    [workerAnswers === false, 'warning', 'The worker does not answer: events and audits wait.'],
    [now.failures > 0, 'warning', `${written(now.failures, write.rate)} requests a second fail.`],
    [now.busy > 0.9, 'warning', 'Nearly all workers are busy.'],
    [now.eventAge > 60, 'warning', `An event has been waiting for ${written(now.eventAge, write.duration)}.`],
    [dead > 0, 'warning', `${write.count(dead)} deliveries were given up.`],
  ].filter(([holds]) => holds).map(([, level, sentence]) => [level, sentence]);
}

/** The state of each part: `[name, level, words]`. Nothing is known of a shop that is silent. */
function parts() {
  if (!status || failure !== undefined) {
    return ['MariaDB', 'memcached', 'Worker', 'Events', 'Audit'].map((name) => [name, 'unknown', 'unknown']);
  }
  const answers = (yes) => (yes ? ['good', 'answers'] : ['bad', 'does not answer']);
  const { database, cache, outbox } = status;
  const waiting = outbox && outbox.undispatched + outbox.pending;
  return [
    ['MariaDB', ...answers(database)],
    ['memcached', ...(cache === null ? ['unknown', 'not used'] : answers(cache))],
    ['Worker', ...answers(workerAnswers)],
    ['Events', ...(!outbox ? ['unknown', 'unknown']
      : outbox.dead ? ['warning', `${write.count(outbox.dead)} given up`]
        : [outbox.oldestAgeSeconds > 60 ? 'warning' : 'good',
          waiting ? `${write.count(waiting)} waiting` : 'none waits'])],
    ['Audit', ...(!audit ? ['unknown', 'not yet']
      : violations() ? ['bad', `${write.count(violations())} violations`] : ['good', 'all is right'])],
  ];
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
  const isAsking = !status && failure === undefined;
  const level = isAsking ? 'unknown' : found[0]?.[0] ?? 'good';
  const text = isAsking ? 'Asking the shop…' : failure !== undefined ? 'The shop does not answer'
    : { bad: 'Something is wrong', warning: 'Something needs a look', good: 'All is well' }[level];
  // Only what has changed is touched: a screen reader says it.
  if (byID('verdict-text').textContent !== text) byID('verdict-text').textContent = text;
  byID('verdict').className = level;
  const list = byID('problems');
  const sentences = found.map(([, sentence]) => sentence);
  if (sentences.join() !== [...list.children].map((item) => item.textContent).join()) {
    list.replaceChildren(...sentences.map((sentence) => element('li', '', sentence)));
  }
  document.title = `${level === 'good' ? '' : `${signs[level]} `}Commerce: status`;
}

function showAbout() {
  const isStale = answeredAt !== undefined && Date.now() - answeredAt > staleMilliseconds;
  document.body.classList.toggle('stale', isStale);
  if (answeredAt === undefined) return;
  const version = scrapes.at(-1).scrape.get('commerce_build_info')?.[0].labels.version;
  const start = started(scrapes.at(-1));
  const ago = write.duration(Math.floor((Date.now() - answeredAt) / 1_000));
  byID('about').textContent = [
    version && `version ${version}`,
    start && `up ${write.duration(Math.max(1, Math.floor(Date.now() / 1_000 - start)))}`,
    isStale ? `figures are ${ago} old` : 'live',
  ].filter(Boolean).join(' · ');
}

function showParts() {
  byID('parts').replaceChildren(...parts().map(([name, level, words]) =>
    element('li', '', sign(level), element('span', 'name', name), ' ', element('span', 'state', words))));
}

function showProducts() {
  const products = status?.products ?? [];
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
}

function showAudit() {
  byID('audit-summary').textContent = audit
    ? `Ended ${write.duration(Math.max(0, Math.floor(Date.now() / 1_000 - audit.endedAt)))} ago`
      + `, took ${write.duration(audit.seconds)}.`
    : 'There has been none since the worker was started.';
  byID('audit').hidden = !audit;
  byID('audit').tBodies[0].replaceChildren(...(audit?.rules ?? []).map(({ rule, violations }) =>
    row(rules[rule] ?? rule, numberCell(write.count(violations), violations ? 'bad' : ''))));
}

function showFigures() {
  const now = samples.at(-1) ?? {};
  const ofCharts = charts.flatMap(({ title, series, write }) => series.map(({ key, name }) =>
    [series.length > 1 ? `${title}, ${name}` : title, key, write]));
  byID('figures').tBodies[0].replaceChildren(...[...ofCharts, ...figures].map(([title, key, write]) => {
    const made = row(title, numberCell(written(now[key], write)));
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
  const values = chart.series.map(({ key, name }, number) => element('span', `value series-${number}`,
    element('b', '', written(shown[key], chart.write)), ` ${name}`));
  if (pointed) values.push(element('span', 'value time', new Date(pointed.time).toLocaleTimeString()));
  chart.values.replaceChildren(...values);
  chart.svg.setAttribute('aria-label', `${chart.title} lately; now `
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
