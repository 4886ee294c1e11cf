'use strict';

// What an operator has to know: of each fact its words and how bad it is, once.

const lateSeconds = 60;       // As the alert EventsLate has it.
const nearlyAll = 0.9;        // As the alert WorkersSaturated has it.

/** The sum of what an audit found. */
const violations = (audit) => (audit?.rules ?? []).reduce((all, rule) => all + rule.violations, 0);

/** `1 row`, `2 rows`. */
const counted = (number, noun) => `${write.count(number)} ${noun}${number === 1 ? '' : 's'}`;

/** A part that answers or not; what it means if not, and how bad that is. */
const answering = (name, yes, level, sentence) =>
  (yes ? { name, level: 'good', words: 'answers' } : { name, level, words: 'does not answer', sentence });

/** Events on their way to whoever has to know of them. */
function eventsPart(outbox) {
  const name = 'Events';
  if (!outbox) return { name, level: 'unknown', words: 'unknown' };
  const waiting = outbox.undispatched + outbox.pending;
  if (outbox.dead) {
    return {
      name, level: 'warning', words: `${write.count(outbox.dead)} given up`,
      sentence: `${counted(outbox.dead, 'delivery').replace('deliverys', 'deliveries')} of events failed for good: see commerce events list --state dead.`,
    };
  }
  if (outbox.oldestAgeSeconds > lateSeconds) {
    const age = write.duration(outbox.oldestAgeSeconds);
    return {
      name, level: 'warning', words: `${write.count(waiting)} waiting, for ${age}`,
      sentence: `An event has been waiting for ${age}.`,
    };
  }
  return { name, level: 'good', words: waiting ? `${write.count(waiting)} waiting` : 'none waits' };
}

function auditPart(audit) {
  const name = 'Audit';
  if (!audit) return { name, level: 'unknown', words: 'not yet' };
  const rows = violations(audit);
  if (!rows) return { name, level: 'good', words: 'all is right' };
  return {
    name, level: 'bad', words: `${counted(rows, 'row')} wrong`,
    sentence: `The audit found what is wrong: ${counted(rows, 'row')}.`,
  };
}

/**
 * The state of each part: `{name, level, words, sentence}`. Nothing is known of a shop that is silent.
 *
 * @param known `{status, worker, broker, notifier, audit}`: what was heard last; a broker that is
 *   undefined is not used, and nobody knows of one that is null
 */
function judgeParts({ status, worker, broker, notifier, audit }, isSilent) {
  if (!status || isSilent) {
    const names = ['MariaDB', 'memcached', 'Worker', 'RabbitMQ', 'Notifier', 'Events', 'Audit'];
    return names.map((name) => ({ name, level: 'unknown', words: 'unknown' }));
  }
  const unused = (name) => ({ name, level: 'unknown', words: 'not used' });
  const unheardOf = (name) => ({ name, level: 'unknown', words: 'unknown' });
  return [
    answering('MariaDB', status.database, 'bad', 'MariaDB does not answer: nobody can order.'),
    status.cache === null ? unused('memcached') : answering('memcached', status.cache, 'warning',
      'memcached does not answer: everything works, slower.'),
    answering('Worker', worker, 'bad',
      'The worker does not answer: events, notifications and audits wait.'),
    broker === undefined ? unused('RabbitMQ') : broker === null ? unheardOf('RabbitMQ') : answering('RabbitMQ', broker, 'warning',
      'RabbitMQ does not answer: events and notifications wait.'),
    broker === undefined ? unused('Notifier') : answering('Notifier', notifier, 'warning',
      'The notifier does not answer: buyers are told of their orders later.'),
    eventsPart(status.outbox),
    auditPart(audit),
  ];
}

/** What is wrong, the worst first: `{level, sentence}`. */
function judge(parts, now) {
  const facts = [
    ...parts,
    now.failures > 0 && {
      level: 'warning', sentence: `${write.rate(now.failures)} requests a second fail: the log has the cause of each.`,
    },
    now.busy > nearlyAll && {
      level: 'warning', sentence: 'Nearly all threads are busy: what comes now waits.',
    },
  ].filter((fact) => fact?.sentence);
  return ['bad', 'warning'].flatMap((level) => facts.filter((fact) => fact.level === level));
}
