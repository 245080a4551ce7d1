// The operator page: no library, no build step, nothing inserted as HTML.
//
// How it works: `poll` asks for the summary, the page of tasks, the slots and the opened task about every two
// seconds, and sooner when events come in. Rows are kept by id and updated in place; while the pointer or the focus
// is in the table, their order is held. Durations are counted on from the moment an answer came in
// (`performance.now()`); the clock of the browser is never compared with that of the server.
//
// Hooks for tests, all as `data-testid`: mode, connection (text; `data-tone`), live (`data-live` = true | false), theme,
// attention, summary, search, state-filter, slot-filter, sort, tasks (the table), row (with `data-id`, `data-name`),
// hold-note, bulk, slots, events, event (with `data-severity`; a gap has `data-gap`), severity, events-pause, detail,
// detail-close, detail-events, attempts, action-VERB (a button of the detail), bulk-VERB, status (the messages),
// dialog, why, back, confirm, help, keys-on. Rows without answer yet are those of the server, without data-testid.
'use strict';

const POLL_MS = 2000;
const SOONEST_MS = 1000; // between two polls that events bring about
const TIMEOUT_MS = 8000;
const BACKOFF_MAX_MS = 10_000;
const PER_PAGE = 100;
const FEED_ROWS = 200;
const FEED_EVERY_MS = 250;
const FEED_PER_RENDER = 30; // rows; what is beyond is counted, not shown
const SLOTS_SHOWN = 30;
const QUEUE_SHOWN = 8;

// ---------------------------------------------------------------------------------------------------------------
// Elements

const $ = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);

/** Sets the text only where it differs, so that a selection of text and the layout survive. */
function setText(node, text) {
  const wanted = text === null || text === undefined ? '' : String(text);
  if (node.textContent !== wanted) node.textContent = wanted;
}

function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/** Runs `build` and replaces the children, but only when what they show has changed. */
const shown = new WeakMap();
function redraw(node, signature, build) {
  if (shown.get(node) === signature) return;
  shown.set(node, signature);
  node.replaceChildren(...[build()].flat().filter(Boolean));
}

/** What was made along with a node: its parts, and what it shows. */
const partsOf = new WeakMap();

/** Makes the children of `parent` those of `items`, by key. Known ones are kept, moved and updated, never rebuilt. */
function reconcile(parent, items, keyOf, create, update) {
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const wanted = new Set(items.map((item) => String(keyOf(item))));
  const known = new Map();
  for (const child of [...parent.children]) {
    if (wanted.has(child.dataset.key)) known.set(child.dataset.key, child);
    else child.remove();
  }
  let at = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let node = known.get(key);
    if (!node) {
      node = create(item);
      node.dataset.key = key;
    }
    update?.(node, item);
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
  }
  if (focused && focused !== document.activeElement && parent.contains(focused)) focused.focus({ preventScroll: true });
}

// ---------------------------------------------------------------------------------------------------------------
// Words

const number = (value) => Number(value).toLocaleString('en');
const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
const words = (label) => String(label ?? '').replaceAll('_', ' ');
const pad = (value) => String(value).padStart(2, '0');

/** A duration that stands still: "850 ms", "4.2 s", "3 m 05 s". */
function duration(ms) {
  if (ms === null || ms === undefined) return '';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 9950) return `${(ms / 1000).toFixed(1).replace(/\.0$/, '')} s`;
  return ticking(ms);
}

/** A duration that counts: whole seconds, then two units. */
function ticking(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m ${pad(s % 60)} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${pad(Math.floor(s / 60) % 60)} m`;
  return `${number(Math.floor(s / 86_400))} d ${Math.floor(s / 3600) % 24} h`;
}

const clockTime = (rfc3339) => String(rfc3339 ?? '').slice(11, 23);

const PHASES = {
  queued: 'queued', delayed: 'delayed', attached: 'attached', waiting: 'waiting',
  waiting_for_permit: 'waiting for a permit', running: 'running', backing_off: 'backing off', paused: 'paused',
  stopping: 'stopping', ended: 'ended',
};
const ATTENTION = {
  failed: 'failed for good', long_backoff: 'long back-off', stuck_stopping: 'stuck stopping',
  not_responding: 'not responding', not_ready: 'not ready',
};
const TONES = {
  running: 'ok', completed: 'ok', backing_off: 'warn', stopping: 'warn', paused: 'info',
  failed: 'bad', fatal: 'bad', lost: 'bad', force_aborted: 'bad', rejected: 'bad',
};
const ENDS = {
  succeeded: 'succeeded', failed: 'failed', panicked: 'panicked', timed_out: 'timed out', fatal: 'fatal',
  canceled: 'canceled', forced: 'forced', lost: 'lost', restarted: 'restarted',
};
const FAILED_ENDS = new Set(['failed', 'panicked', 'timed_out', 'fatal', 'lost']);
const VERBS = {
  cancel: { label: 'Cancel', done: 'Cancel asked', doing: 'canceled', asks: true, danger: true },
  restart: { label: 'Restart', done: 'Restart asked', doing: 'restarted', asks: true },
  'retry-now': { label: 'Retry now', done: 'Retry asked', doing: 'retried now' },
  pause: { label: 'Pause', done: 'Pause asked', doing: 'paused' },
  resume: { label: 'Resume', done: 'Resumed', doing: 'resumed' },
};

const stateLabel = (task) => (task.phase === 'ended' && task.outcome ? task.outcome.label : task.phase);
const stateWord = (label) => PHASES[label] ?? ATTENTION[label] ?? words(label);
const taskTitle = (task) => `${task.name} (#${task.id})`;

// ---------------------------------------------------------------------------------------------------------------
// Small pictures

const ICONS = {
  play: 'M4 2.5l9.5 5.5L4 13.5z',
  again: 'M8 3.2V.8L12.2 4 8 7.2V4.9A3.6 3.6 0 1 0 11.6 8.5h1.8A5.4 5.4 0 1 1 8 3.2z',
  bars: 'M3.5 3h3v10h-3zM9.5 3h3v10h-3z',
  square: 'M3.5 3.5h9v9h-9z',
  clock: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zm0 1.7a4.8 4.8 0 1 1 0 9.6 4.8 4.8 0 0 1 0-9.6zM7.2 4.6v3.9l2.9 1.7.8-1.4-2.1-1.2v-3z',
  lines: 'M2.5 3h11v1.8h-11zM2.5 7.1h11v1.8h-11zM2.5 11.2h7V13h-7z',
  link: 'M2.5 5.5h5v1.7H4.2v4.6h4.6V8.5h1.7v5h-8zM6.5 2.5h7v7h-1.7V5.4L8.9 8.3 7.7 7.1l2.9-2.9H6.5z',
  check: 'M6.4 12.6L2 8.2l1.4-1.4 3 3 6.2-6.2L14 5z',
  cross: 'M3.9 2.5L8 6.6l4.1-4.1 1.4 1.4L9.4 8l4.1 4.1-1.4 1.4L8 9.4l-4.1 4.1-1.4-1.4L6.6 8 2.5 3.9z',
  dash: 'M2.5 7h11v2h-11z',
  alert: 'M8 1.2L15.4 14.5H.6zM7.1 6v4h1.8V6zm0 5.2v1.7h1.8v-1.7z',
};
const STATE_ICONS = {
  running: 'play', backing_off: 'again', paused: 'bars', stopping: 'square', queued: 'lines', delayed: 'clock',
  attached: 'link', waiting: 'clock', waiting_for_permit: 'lines', completed: 'check', canceled: 'dash',
};

const icon = (name) =>
  svg('svg', { class: 'icon', viewBox: '0 0 16 16', 'aria-hidden': 'true' },
    svg('path', { d: ICONS[name], 'fill-rule': 'evenodd' }));
const stateIcon = (label) => icon(STATE_ICONS[label] ?? (TONES[label] === 'bad' ? 'cross' : 'dash'));

const picture = (className, width, height, text, ...children) =>
  svg('svg', { class: className, viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': text },
    svg('title', null, text), ...children);

function endsInWords(recent) {
  if (!recent.length) return 'no attempt has ended yet';
  const counts = new Map();
  for (const { end } of recent) counts.set(end, (counts.get(end) ?? 0) + 1);
  const parts = [...counts].map(([end, count]) => `${count} ${ENDS[end] ?? words(end)}`);
  return `last ${plural(recent.length, 'attempt')}: ${parts.join(', ')}`;
}

/** The last attempts: successes stand on the line, failures hang from it; taller took longer (on a log scale). */
function strip(recent) {
  const [up, down, step] = [13, 9, 5];
  const longest = Math.log1p(Math.max(1, ...recent.map((one) => one.took_ms ?? 0)));
  const bars = recent.slice(-20).map(({ end, took_ms: took }, at) => {
    const share = Math.log1p(took ?? 0) / longest;
    const failed = FAILED_ENDS.has(end);
    const solid = end === 'succeeded' || (failed && end !== 'timed_out');
    const height = Math.max(2.5, share * (failed ? down : up));
    const kind = failed ? 'bad' : end === 'succeeded' ? 'ok' : 'idle';
    const inset = solid ? 0 : 0.5; // an outlined bar: timed out, canceled, forced, restarted
    return svg('rect', {
      class: `bar ${kind}${solid ? '' : ' hollow'}`, x: at * step + inset, width: 4 - 2 * inset,
      y: (failed ? up + 1 : up - height) + inset, height: height - 2 * inset,
    });
  });
  const line = svg('line', { class: 'baseline', x1: 0, x2: 20 * step, y1: up + 0.5, y2: up + 0.5 });
  return picture('strip', 20 * step, up + 1 + down, endsInWords(recent), line, ...bars);
}

function sparkline(values, kind, text) {
  const [step, high] = [3, 28];
  const most = Math.max(1, ...values);
  const bars = values.map((value, at) => {
    const height = value ? Math.max(2, (value / most) * high) : 0.75;
    return svg('rect', { class: `bar ${value ? kind : 'none'}`, x: at * step, y: high - height, width: 2, height });
  });
  return picture('spark', values.length * step, high, text, ...bars);
}

/** The delays by streak, un-jittered, with the place of the current streak. */
function curve(backoff, streak) {
  const delays = backoff.curve_ms;
  const [left, right, top, bottom] = [54, 300, 14, 96];
  const most = Math.max(1, ...delays);
  const x = (at) => left + ((right - left) * at) / Math.max(1, delays.length - 1);
  const y = (ms) => bottom - ((bottom - top) * ms) / most;
  const label = (at, where, text, anchor = 'middle') =>
    svg('text', { x: at, y: where, 'text-anchor': anchor }, text);
  const marks = [0, most / 2, most].flatMap((ms) => [
    svg('line', { class: 'grid', x1: left, x2: right, y1: y(ms), y2: y(ms) }),
    label(left - 6, y(ms) + 3.5, ms ? duration(ms) : '0', 'end'),
  ]);
  const lows = delays.map((_, at) => ((at + 1) % 4 === 0 || at === 0 ? label(x(at), bottom + 13, at + 1) : null));
  const dots = delays.map((ms, at) => svg('circle', { class: 'dot', cx: x(at), cy: y(ms), r: 1.8 }));
  const now = streak > 0 ? Math.min(streak, delays.length) - 1 : null;
  const current = now === null ? [] : [
    svg('line', { class: 'current', x1: x(now), x2: x(now), y1: top, y2: bottom }),
    svg('circle', { class: 'current-dot', cx: x(now), cy: y(delays[now]), r: 4.5 }),
  ];
  const here = now === null ? 'no failure in a row now' : `now at streak ${streak}: ${duration(delays[now])}`;
  const text = `Delay by failures in a row, from ${duration(delays[0])} up to ${duration(most)}; ${here}`;
  return picture('curve-picture', 310, 126, text, ...marks, ...lows,
    svg('polyline', { class: 'line', points: delays.map((ms, at) => `${x(at)},${y(ms)}`).join(' ') }),
    ...dots, ...current, label((left + right) / 2, 122, 'failures in a row'));
}

// ---------------------------------------------------------------------------------------------------------------
// What is remembered

const memory = {
  get(name) {
    try { return localStorage.getItem(`taskvisor.${name}`); } catch { return null; }
  },
  set(name, value) {
    try { localStorage.setItem(`taskvisor.${name}`, value); } catch { /* not allowed: it lasts as long as the page */ }
  },
};

// ---------------------------------------------------------------------------------------------------------------
// Asking the server

class Refused extends Error {
  constructor(status, problem) {
    super(problem?.detail || problem?.title || `the server answered ${status}`);
    this.status = status;
    this.code = problem?.code ?? null;
  }
}

async function ask(path, options = {}) {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const answer = await fetch(`api/v1/${path}`, {
    cache: 'no-store',
    ...options,
    headers: { Accept: 'application/json', ...options.headers },
    signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
  });
  const isJson = /[/+]json/.test(answer.headers.get('content-type') ?? '');
  const body = isJson ? await answer.json() : null;
  if (!answer.ok) throw new Refused(answer.status, body);
  if (!isJson) throw new Error('the answer is not JSON: is something in between?');
  return body;
}

const post = (path, body) => ask(path, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json', 'X-Requested-With': 'taskvisor' },
  body: JSON.stringify(body),
});

// ---------------------------------------------------------------------------------------------------------------
// The view: what is in the address

const FILTERS = ['state', 'text', 'slot', 'sort', 'page'];
let view = readView(location.search);

function readView(search) {
  const given = new URLSearchParams(search);
  const read = {};
  for (const name of FILTERS) read[name] = given.get(name) ?? '';
  if (!/^[1-9]\d{0,8}$/.test(read.page) || read.page === '1') read.page = '';
  const task = given.get('task') ?? '';
  read.task = /^\d{1,20}$/.test(task) ? task : '';
  return read;
}

function queryOf(some) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(some)) if (value) query.set(name, value);
  return query.toString();
}

const filtersOf = ({ task, ...filters }) => filters;

/** A relative address of a view, so that it holds under every prefix. */
function addressOf(some) {
  const query = queryOf(some);
  return query ? `./?${query}` : './';
}

function go(next, { replace = false } = {}) {
  const address = addressOf(next);
  if (address !== addressOf(view)) history[replace ? 'replaceState' : 'pushState'](null, '', address);
  arrive(next);
}

/** Shows a view that the address has already. */
function arrive(next) {
  const before = view;
  view = next;
  if (queryOf(filtersOf(before)) !== queryOf(filtersOf(next))) {
    table.isForced = true;
    clearPicked();
    if (before.page !== next.page || before.sort !== next.sort) $('table-scroll').scrollTop = 0;
    showFilters();
    refresh();
  }
  if (before.task !== next.task) {
    if (next.task) openDetail(next.task);
    else closeDetail();
  }
}

const filterBy = (changes, how) => go({ ...view, page: '', ...changes }, how);

/** A link within the page. It is a real address, so that it can be opened in another tab. */
const viewLink = (some, ...children) => el('a', { href: addressOf(some), 'data-view': true }, ...children);
const taskLink = ({ id, name }) => viewLink({ ...view, task: String(id) }, el('bdi', null, name));

function followLink(event) {
  const link = event.target.closest?.('a[data-view]');
  if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const next = readView(new URL(link.href).search);
  if (next.task && next.task !== view.task) detail.opener = link;
  go(next.task ? { ...view, task: next.task } : next);
  if (link.dataset.view === 'tasks') $('tasks').scrollIntoView({ block: 'nearest' });
}

// ---------------------------------------------------------------------------------------------------------------
// Messages

let sayTimer = null;

function say(text, { isError = false } = {}) {
  clearTimeout(sayTimer);
  setText($('status-text'), isError ? '' : text);
  setText($('status-error'), isError ? text : '');
  $('status-close').hidden = false;
  $('status').classList.add('is-shown');
  if (!isError) sayTimer = setTimeout(unsay, 8000);
}

function unsay() {
  clearTimeout(sayTimer);
  setText($('status-text'), '');
  setText($('status-error'), '');
  $('status-close').hidden = true;
  $('status').classList.remove('is-shown');
}

// ---------------------------------------------------------------------------------------------------------------
// The summary: attention, readiness, counts, sparklines

let summary = null;
const canAct = () => summary?.mode === 'full';

function showSummary(answer) {
  summary = answer;
  const needing = answer.attention.reduce((sum, kind) => sum + kind.count, 0);
  document.title = (needing ? `(${needing}) ` : '') + answer.name;
  setText($('title'), answer.name);
  setText($('mode'), canAct() ? 'full access' : 'read-only');
  $('mode').dataset.mode = answer.mode;
  setText($('operator'), answer.operator ? `as ${answer.operator}` : '');
  $('mode').hidden = false;
  $('operator').hidden = !answer.operator;
  $('summary').hidden = false;
  showAttention(answer, needing);
  showReady(answer);
  showCounts(answer);
  showSparks(answer.spark);
  $('table').classList.toggle('can-act', canAct());
}

function showAttention({ attention }, needing) {
  $('attention').dataset.tone = needing ? 'bad' : 'ok';
  setText($('attention-title'), needing ? `${number(needing)} ${needing === 1 ? 'needs' : 'need'} attention` : 'Attention');
  redraw($('attention-calm'), 'calm', () => [icon('check'), 'Nothing needs attention']);
  $('attention-calm').hidden = needing > 0;
  $('attention-list').hidden = needing === 0;
  reconcile($('attention-list'), attention.filter((kind) => kind.count > 0), (kind) => kind.kind, createKind, updateKind);
}

function createKind(kind) {
  const parts = { count: el('strong'), title: el('span'), tasks: el('ul'), more: el('p', { class: 'muted' }) };
  const link = el('a', { href: `./?${kind.query}`, 'data-view': 'tasks', class: 'kind-link' }, icon('alert'), parts.count, ' ', parts.title);
  const node = el('li', { class: 'kind', 'data-kind': kind.kind }, el('h3', null, link), parts.tasks, parts.more);
  partsOf.set(node, parts);
  return node;
}

function updateKind(node, kind) {
  const parts = partsOf.get(node);
  const some = kind.tasks.slice(0, 3);
  setText(parts.count, number(kind.count));
  setText(parts.title, kind.title);
  reconcile(parts.tasks, some, (task) => task.id,
    (task) => el('li', null, taskLink(task), ' ', el('span', { class: 'muted' })),
    (item, task) => {
      setText(item.lastElementChild, task.text);
      setAttribute(item.firstElementChild, 'href', addressOf({ ...view, task: String(task.id) }));
    });
  setText(parts.more, kind.count > some.length ? `and ${number(kind.count - some.length)} more` : '');
}

function showReady({ ready, not_up: notUp, state }) {
  const why = notUp.slice(0, 3).map((task) => `${task.name}: ${task.why || stateWord(task.phase)}`).join('; ');
  const more = notUp.length > 3 ? `; and ${notUp.length - 3} more` : '';
  const word = state === 'serving' ? (ready ? 'Ready' : 'Not ready') : words(state).replace(/^./, (c) => c.toUpperCase());
  const tone = state === 'serving' && ready ? 'ok' : 'bad';
  redraw($('ready'), `${word}${why}${more}`, () => [
    el('span', { class: `tone-${tone} word` }, icon(tone === 'ok' ? 'check' : 'alert'), word),
    why && el('span', { class: 'muted' }, why + more),
  ]);
}

function showCounts({ counts, ended, total }) {
  const chips = [{ label: 'living', state: '', count: null }, { label: 'all', state: 'all', count: total }];
  for (const phase of Object.keys(PHASES)) {
    if (phase !== 'ended' && counts[phase]) chips.push({ label: phase, state: phase, count: counts[phase], mark: true });
  }
  for (const [label, count] of Object.entries(ended ?? {})) {
    if (count) chips.push({ label, state: label, count, mark: true });
  }
  reconcile($('counts'), chips, (chip) => chip.label, createChip, (node, chip) => {
    const { link, count } = partsOf.get(node);
    setText(count, chip.count === null ? '' : number(chip.count));
    setAttribute(link, 'aria-current', view.state === chip.state ? 'true' : null);
  });
}

function createChip(chip) {
  const count = el('strong');
  const mark = chip.mark && el('span', { class: `tone-${TONES[chip.label] ?? 'idle'}` }, stateIcon(chip.label));
  const link = viewLink({ state: chip.state }, mark, el('span', null, stateWord(chip.label)), ' ', count);
  link.dataset.view = 'tasks';
  const node = el('li', null, link);
  partsOf.set(node, { link, count });
  return node;
}

function showSparks({ step_ms: step, starts, failures }) {
  const span = duration(step * starts.length);
  const sum = (values) => values.reduce((all, one) => all + one, 0);
  const figure = (values, kind, title) => {
    const total = number(sum(values));
    return el('figure', null,
      el('figcaption', null, title, ' ', el('strong', null, total)),
      sparkline(values, kind, `${title} in the last ${span}: ${total}; at most ${Math.max(0, ...values)} in ${duration(step)}`));
  };
  redraw($('sparks'), JSON.stringify([starts, failures]), () => [
    figure(starts, 'info', 'Starts'), figure(failures, 'bad', 'Failures'),
    el('p', { class: 'muted' }, `last ${span}`),
  ]);
}

// ---------------------------------------------------------------------------------------------------------------
// The table of tasks

const table = {
  answer: null, // the last one
  at: 0, // when it came in
  isForced: false, // the next answer is shown in its order, whatever the pointer is on
  isPointed: false,
  current: null, // the id of the row that j and k moved to
};

const isHeld = () => table.isPointed || $('rows').contains(document.activeElement);

function showTasks(answer) {
  table.answer = answer;
  table.at = performance.now();
  if (isHeld() && !table.isForced) updateHeldRows();
  else arrangeRows();
  showCaption(answer);
  showPager(answer);
  showPicked();
}

/** Rows in the order of the answer. */
function arrangeRows() {
  table.isForced = false;
  const hadFocus = $('rows').contains(document.activeElement);
  for (const head of document.querySelectorAll('#table th[hidden]')) head.hidden = false;
  reconcile($('rows'), table.answer.tasks, (task) => task.id, createRow, updateRow);
  if (hadFocus && document.activeElement === document.body) $('table-scroll').focus({ preventScroll: true });
  $('empty').hidden = table.answer.tasks.length > 0;
  setText($('empty'), view.state || view.text || view.slot ? 'No task matches.' : 'There are no living tasks.');
  setText($('hold-note'), '');
  for (const id of [...picked.ids.keys()]) if (!rowOf(id)) picked.ids.delete(id);
}

/** Only the cells: no row moves, comes or goes. */
function updateHeldRows() {
  const coming = new Map(table.answer.tasks.map((task) => [String(task.id), task]));
  const order = [...coming.keys()];
  const rows = [...$('rows').children];
  let isSame = rows.length === order.length;
  rows.forEach((row, at) => {
    const task = coming.get(row.dataset.key);
    isSame &&= order[at] === row.dataset.key;
    if (task) updateRow(row, task);
    else if (partsOf.has(row)) markGone(row);
  });
  setText($('hold-note'), isSame ? '' : 'Order is held while you are in the table');
}

function releaseRows() {
  if (table.answer && !isHeld() && $('hold-note').textContent) arrangeRows();
}

function markGone(row) {
  row.classList.add('is-gone');
  setText(partsOf.get(row).gone, 'gone from this list');
}

const rowOf = (id) => $('rows').querySelector(`tr[data-id="${id}"]`);

function createRow(task) {
  const parts = {
    pick: el('input', { type: 'checkbox', 'aria-label': `Select ${taskTitle(task)}`, onchange: onPick }),
    link: taskLink(task),
    marks: el('span', { class: 'marks' }),
    gone: el('span', { class: 'gone' }),
    state: el('span', { class: 'state' }),
    flags: el('span', { class: 'flags' }),
    recent: el('td', { class: 'c-recent', 'data-label': 'Recent' }),
  };
  const cell = (name, label, ...children) => (parts[name] = el('td', { class: `c-${name}`, 'data-label': label }, ...children));
  const row = el('tr', { 'data-testid': 'row', 'data-id': task.id, 'data-name': task.name },
    el('td', { class: 'c-pick' }, parts.pick),
    el('td', { class: 'c-name', 'data-label': 'Name' }, parts.link, parts.marks, parts.gone),
    el('td', { class: 'c-state', 'data-label': 'State' }, parts.state, parts.flags),
    cell('time', 'In state'), cell('attempt', 'Attempt'), cell('streak', 'Streak'), cell('next', 'Next'),
    cell('error', 'Last error'), parts.recent, cell('policy', 'Policy'));
  partsOf.set(row, parts);
  return row;
}

function updateRow(row, task) {
  const parts = partsOf.get(row);
  const label = stateLabel(task);
  parts.task = task;
  row.classList.remove('is-gone');
  row.classList.toggle('needs', task.attention.length > 0);
  setAttribute(row, 'aria-current', String(task.id) === table.current ? 'true' : null);
  setText(parts.gone, '');
  parts.pick.checked = picked.ids.has(String(task.id));
  setAttribute(parts.link, 'href', addressOf({ ...view, task: String(task.id) }));
  showMarks(parts.marks, task);
  showState(parts.state, label);
  setText(parts.flags, flagsOf(task).join(', '));
  setText(parts.attempt, task.attempt ? number(task.attempt) : '');
  setText(parts.streak, task.streak ? number(task.streak) : '');
  setText(parts.error, task.last_failure?.text);
  setAttribute(parts.error, 'title', task.last_failure?.text);
  setText(parts.policy, task.policy);
  redraw(parts.recent, JSON.stringify(task.recent), () => strip(task.recent));
  tickRow(parts);
}

function showMarks(node, task) {
  const marks = [`#${task.id}`];
  if (task.slot) marks.push(`slot ${task.slot}${task.position ? `, place ${task.position}` : ''}`);
  if (task.is_required) marks.push('required');
  if (task.is_paused && task.phase !== 'paused') marks.push('to be paused');
  redraw(node, marks.join('|'), () => marks.map((mark) => el('span', { class: 'mark' }, mark)));
}

function showState(node, label) {
  redraw(node, label, () => [stateIcon(label), stateWord(label)]);
  node.className = `state tone-${TONES[label] ?? 'idle'}`;
}

/** What is said beside the state: what needs attention, unless the state says it already. */
function flagsOf(task) {
  const flags = task.attention.filter((kind) => kind !== 'failed').map((kind) => ATTENTION[kind] ?? words(kind));
  if (task.is_responding === false && !task.attention.includes('not_responding')) flags.push(ATTENTION.not_responding);
  return flags;
}

const inPhase = (task, at) => ticking(task.in_phase_ms + now() - at);

function untilNext(task, at) {
  if (task.next_attempt_in_ms === null) return '';
  const left = task.next_attempt_in_ms - (now() - at);
  return left <= 0 ? 'due' : `in ${ticking(left + 999)}`;
}

/** What counts by itself between two answers. A row that has gone stands still. */
function tickRow(parts) {
  setText(parts.time, inPhase(parts.task, table.at));
  setText(parts.next, untilNext(parts.task, table.at));
}

function tickRows() {
  for (const row of $('rows').children) {
    const parts = partsOf.get(row);
    if (parts && !row.classList.contains('is-gone')) tickRow(parts);
  }
}

function showCaption({ total, page, per_page: perPage, tasks }) {
  const first = (page - 1) * perPage + 1;
  const range = total > tasks.length && tasks.length ? `${number(first)}–${number(first + tasks.length - 1)} of ` : '';
  const which = view.state.split(',').map(stateWord).join(' or ') || 'living';
  const more = [view.text && `with “${view.text}”`, view.slot && `in slot “${view.slot}”`].filter(Boolean);
  setText($('caption'), [`${range}${plural(total, 'task')}`, which, ...more].join(' · '));
}

function showPager({ page, pages }) {
  redraw($('pager'), `${page}/${pages}/${queryOf(view)}`, () => {
    if (pages <= 1) return [];
    const step = (to, text, name) => (to < 1 || to > pages || to === page
      ? el('span', { class: 'step off' }, text)
      : el('a', { href: addressOf({ ...view, page: to > 1 ? String(to) : '' }), 'data-view': true, class: 'step', 'aria-label': name }, text));
    return [
      step(1, 'First', 'First page'), step(page - 1, 'Previous', 'Previous page'),
      el('span', { 'aria-current': 'page' }, `page ${number(page)} of ${number(pages)}`),
      step(page + 1, 'Next', 'Next page'), step(pages, 'Last', 'Last page'),
    ];
  });
}

function showRefusedFilter(error) {
  table.answer = null;
  $('rows').replaceChildren();
  $('pager').replaceChildren();
  shown.delete($('pager'));
  setText($('caption'), 'No tasks shown');
  setText($('empty'), `The server refused this filter: ${error.message}`);
  $('empty').hidden = false;
}

// Filters and sorting

function showFilters() {
  const put = (id, value) => { if ($(id) !== document.activeElement || $(id).value.trim() !== value) $(id).value = value; };
  offer($('state-filter'), view.state, view.state.split(',').map(stateWord).join(' or '));
  offer($('sort'), view.sort, words(view.sort));
  put('search', view.text);
  put('slot-filter', view.slot);
  $('state-filter').value = view.state;
  $('sort').value = view.sort;
  $('clear').hidden = !(view.state || view.text || view.slot || view.sort);
  const [, minus, key] = /^(-?)(.*)$/.exec(view.sort);
  for (const head of document.querySelectorAll('th[data-sort]')) {
    setAttribute(head, 'aria-sort', head.dataset.sort !== key ? null : minus ? 'descending' : 'ascending');
  }
  if (summary) showCounts(summary);
}

/** Adds a choice to a select that does not have it: an address can say more than the list. */
function offer(select, value, text) {
  if (![...select.options].some((option) => option.value === value)) select.append(el('option', { value }, text));
}

/** The header cells become buttons: first one way, then the other, then the default order again. */
function makeSortable(head) {
  const key = head.dataset.sort;
  const first = ['name', 'state', 'next'].includes(key) ? key : `-${key}`;
  const second = first === key ? `-${key}` : key;
  const next = () => (view.sort === first ? second : view.sort === second ? '' : first);
  head.replaceChildren(el('button', { type: 'button', class: 'sort', onclick: () => filterBy({ sort: next() }) }, head.textContent));
}

// The current row

function moveCurrent(step) {
  const rows = [...$('rows').children].filter((row) => partsOf.has(row));
  if (!rows.length) return;
  const before = rows.findIndex((row) => row.dataset.id === table.current);
  const at = before < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, before + step));
  setCurrent(rows[at].dataset.id);
  partsOf.get(rows[at]).link.focus();
  rows[at].scrollIntoView({ block: 'nearest' });
}

function setCurrent(id) {
  table.current = id;
  for (const row of $('rows').children) setAttribute(row, 'aria-current', row.dataset.id === id ? 'true' : null);
}

// ---------------------------------------------------------------------------------------------------------------
// Picked rows and what is done with them

const picked = { ids: new Map(), isEverything: false }; // id -> name; or all that match the filter, on every page

function onPick(event) {
  const row = event.target.closest('tr');
  picked.isEverything = false;
  if (event.target.checked) picked.ids.set(row.dataset.id, row.dataset.name);
  else picked.ids.delete(row.dataset.id);
  showPicked();
}

function pickShown(isOn) {
  picked.isEverything = false;
  picked.ids.clear();
  for (const row of $('rows').children) {
    if (isOn && partsOf.has(row)) picked.ids.set(row.dataset.id, row.dataset.name);
  }
  showPicked();
}

function pickEverything() {
  pickShown(true);
  picked.isEverything = true;
  showPicked();
}

const clearPicked = () => pickShown(false);

function showPicked() {
  const rows = [...$('rows').children].filter((row) => partsOf.has(row));
  const count = picked.ids.size;
  const total = table.answer?.total ?? 0;
  for (const row of rows) partsOf.get(row).pick.checked = picked.ids.has(row.dataset.id);
  $('pick-all').checked = count > 0 && count === rows.length;
  $('pick-all').indeterminate = count > 0 && count < rows.length;
  $('bulk').hidden = count === 0 || !canAct();
  setText($('bulk-count'), picked.isEverything ? `All ${number(total)} that match` : `${number(count)} selected`);
  setText($('bulk-shown'), `Select all ${number(rows.length)} shown`);
  setText($('bulk-all'), `Select all ${number(total)} that match`);
  $('bulk-shown').hidden = count === rows.length && !picked.isEverything;
  $('bulk-all').hidden = picked.isEverything || total <= rows.length;
}

function selectorOf() {
  if (!picked.isEverything) return { ids: [...picked.ids.keys()].map(Number) };
  const selector = { state: view.state || 'living' };
  if (view.text) selector.text = view.text;
  if (view.slot) selector.slot = view.slot;
  return selector;
}

/** First asks the server what would happen, then the operator, then does it to those that were shown. */
async function actOnPicked(verb) {
  const { label, doing, danger } = VERBS[verb];
  const selector = selectorOf();
  const plan = await tell(() => post('actions', { verb, selector, dry_run: true, why: null }));
  if (!plan) return;
  const able = plan.results.filter((result) => result.accepted);
  const unable = plan.results.filter((result) => !result.accepted);
  if (!plan.accepted) {
    say(`${plural(plan.matched, 'task matches', 'tasks match')}, but none can be ${doing} now.`, { isError: true });
    return;
  }
  const notAll = plan.accepted < plan.matched ? ` ${number(plan.accepted)} of them can be ${doing} now.` : '';
  const why = await confirmed({
    title: `${label} ${plural(plan.accepted, 'task')}?`,
    text: `${plural(plan.matched, 'task matches', 'tasks match')}.${notAll}`,
    list: [...able.map(taskTitle), ...unable.map((one) => `${taskTitle(one)}: left alone, ${one.detail ?? words(one.code)}`)],
    button: `${label} ${plural(plan.accepted, 'task')}`,
    danger,
  });
  if (why === null) return;
  const exactly = able.length === plan.accepted ? { ids: able.map((one) => one.id) } : selector;
  const done = await tell(() => post('actions', { verb, selector: exactly, dry_run: false, why: why || null }));
  if (!done) return;
  const failed = done.results.find((result) => !result.accepted);
  const but = failed ? ` Not ${taskTitle(failed)}: ${failed.detail ?? words(failed.code)}.` : '';
  say(`${VERBS[verb].done}: ${number(done.accepted)} of ${plural(done.matched, 'task')}.${but}`, { isError: done.accepted === 0 });
  clearPicked();
  refresh();
}

// ---------------------------------------------------------------------------------------------------------------
// Acting on one task

/** Does it, and says what went wrong if it did. */
async function tell(action) {
  try {
    return await action();
  } catch (error) {
    const how = error instanceof Refused ? 'The server refused' : 'No answer';
    say(`${how}: ${error.message}`, { isError: true });
    return null;
  }
}

const verbsOf = (task) => task.actions.map((verb) => verb.replaceAll('_', '-')).filter((verb) => VERBS[verb]);

async function act(task, verb) {
  const { label, done, asks, danger } = VERBS[verb];
  let why = '';
  if (asks) {
    why = await confirmed({
      title: `${label} ${task.name}?`,
      text: `#${task.id}, ${stateWord(stateLabel(task))}${task.attempt ? `, attempt ${number(task.attempt)}` : ''}.`,
      button: `${label} this task`,
      danger,
    });
    if (why === null) return;
  }
  const answer = await tell(() => post(`tasks/${task.id}/actions/${verb}`, why ? { why } : {}));
  if (!answer) return;
  say(answer.asked_by_this_call ? `${done}: ${taskTitle(task)}` : `${taskTitle(task)}: somebody had asked for that before`);
  refresh();
}

/** What `x` does: the opened task, else the current row. */
function cancelCurrent() {
  const row = table.current && rowOf(table.current);
  const task = view.task ? detail.task : row && partsOf.get(row).task;
  if (!task) say('No row is current: move to one with j and k.');
  else if (!canAct()) say('This page is read-only: nothing can be canceled here.', { isError: true });
  else if (!verbsOf(task).includes('cancel')) say(`${taskTitle(task)} cannot be canceled: it is ${stateWord(stateLabel(task))}.`, { isError: true });
  else act(task, 'cancel');
}

/** Resolves to the "why" that was given, perhaps empty, or to null when the operator went back. */
let settleQuestion = null;
function confirmed({ title, text, list = [], button, danger = false }) {
  const most = 8;
  setText($('ask-title'), title);
  setText($('ask-text'), text);
  setText($('ask-confirm'), button);
  $('ask-confirm').classList.toggle('danger', danger);
  $('ask-list').hidden = !list.length;
  $('ask-list').replaceChildren(...list.slice(0, most).map((line) => el('li', null, line)));
  if (list.length > most) $('ask-list').append(el('li', { class: 'muted' }, `and ${number(list.length - most)} more`));
  $('ask-why').value = '';
  settleQuestion?.(null);
  if (!$('ask').open) $('ask').showModal();
  $('ask-why').focus();
  return new Promise((resolve) => { settleQuestion = resolve; });
}

function settle(answer) {
  const resolve = settleQuestion;
  settleQuestion = null;
  if ($('ask').open) $('ask').close();
  resolve?.(answer);
}

// ---------------------------------------------------------------------------------------------------------------
// One task

const detail = { task: null, at: 0, opener: null, events: [] };

function openDetail(id) {
  Object.assign(detail, { task: null, events: [] });
  detail.opener ??= document.activeElement;
  detail.scroll = window.scrollY;
  $('detail').hidden = false;
  document.body.classList.add('has-detail');
  $('detail-body').hidden = true;
  $('detail-trouble').hidden = true;
  setText($('detail-title'), `Task #${id}`);
  for (const part of ['detail-state', 'detail-actions', 'detail-attempts', 'detail-curve', 'detail-events', 'detail-facts']) {
    $(part).replaceChildren();
    shown.delete($(part));
  }
  $('detail').scrollTop = 0;
  $('detail-title').focus({ preventScroll: true });
  if (matchMedia('(max-width: 999px)').matches) window.scrollTo(0, 0);
  loadDetail(true);
}

function closeDetail() {
  const row = detail.task && rowOf(detail.task.id);
  const opener = detail.opener?.isConnected ? detail.opener : row && partsOf.get(row)?.link;
  $('detail').hidden = true;
  document.body.classList.remove('has-detail');
  if (matchMedia('(max-width: 999px)').matches) window.scrollTo(0, detail.scroll ?? 0);
  (opener && opener !== document.body ? opener : $('table-scroll')).focus({ preventScroll: true });
  Object.assign(detail, { task: null, opener: null, events: [] });
}

const leaveDetail = () => go({ ...view, task: '' });

async function loadDetail(withEvents = false, signal) {
  const id = view.task;
  if (!id) return;
  try {
    const [{ task }, attempts, history] = await Promise.all([
      ask(`tasks/${id}`, { signal }),
      ask(`tasks/${id}/attempts`, { signal }),
      withEvents ? ask(`events?task=${id}&limit=50`, { signal }) : null,
    ]);
    if (view.task !== id) return;
    Object.assign(detail, { task, at: performance.now() });
    if (history) detail.events = history.events.slice(-50);
    showDetail(attempts);
  } catch (error) {
    if (view.task !== id) return;
    if (!(error instanceof Refused)) {
      if (signal) throw error; // part of a poll, which tells it
      showTrouble(`No answer: ${error.message}`);
      return;
    }
    detail.task = null;
    $('detail-actions').replaceChildren();
    shown.delete($('detail-actions'));
    showTrouble(error.status === 404 ? 'The server does not know this task any more.' : error.message);
  }
}

function showTrouble(text) {
  $('detail-trouble').hidden = !text;
  setText($('detail-trouble'), text);
}

function showDetail({ attempts, running, backoff }) {
  const { task } = detail;
  showTrouble('');
  $('detail-body').hidden = false;
  setText($('detail-title'), task.name);
  redraw($('detail-state'), `${stateLabel(task)}|${flagsOf(task)}`, () => {
    const state = el('span');
    showState(state, stateLabel(task));
    return [state, ...flagsOf(task).map((flag) => el('span', { class: 'flags' }, flag))];
  });
  showActions(task);
  showFailure(task.last_failure);
  showFacts();
  showAttempts(attempts, running);
  showBackoff(backoff, task.streak);
  showDetailEvents();
}

function showActions(task) {
  const verbs = canAct() ? verbsOf(task) : [];
  const text = canAct() ? 'Nothing to do in this state.' : 'Read-only: no actions from here.';
  reconcile($('detail-actions'), verbs.length ? verbs : [text], (verb) => verb, (verb) => (VERBS[verb]
    ? el('button', {
      type: 'button', 'data-testid': `action-${verb}`, class: VERBS[verb].danger ? 'danger' : null,
      onclick: () => detail.task && act(detail.task, verb),
    }, VERBS[verb].label)
    : el('span', { class: 'muted' }, verb)));
}

function showFailure(failure) {
  $('detail-failure').hidden = !failure;
  if (!failure) return;
  const facts = [failure.kind, failure.is_fatal && 'fatal', failure.exit_code !== null && `exit code ${failure.exit_code}`];
  setText($('detail-failure-kind'), facts.filter(Boolean).join(', '));
  setText($('detail-failure-text'), failure.text);
}

function factsOf(task) {
  const worker = task.worker === null ? '' : [
    `${task.worker}`, task.is_polling && 'polling now', task.is_responding === false && 'not responding',
  ].filter(Boolean).join(', ');
  const uptime = task.uptime_ms === null ? '' : ticking(task.uptime_ms + now() - detail.at);
  return [
    ['Id', `#${task.id}`],
    ['Slot', task.slot && `${task.slot}${task.position ? `, place ${task.position}` : ''}`],
    ['In state', inPhase(task, detail.at)],
    ['Age', ticking(task.age_ms + now() - detail.at)],
    ['Next attempt', untilNext(task, detail.at)],
    ['Attempt', task.attempt && number(task.attempt)],
    ['Up for', uptime],
    ['Restarts', task.restarts && number(task.restarts)],
    ['Failures in a row', task.streak && number(task.streak)],
    ['Outcome', task.outcome && (task.outcome.text || words(task.outcome.label))],
    ['Canceled because', words(task.cancel_cause)],
    ['Stopping for', task.stopping_ms !== null && duration(task.stopping_ms)],
    ['Required', task.is_required && 'yes, for readiness'],
    ['Paused', task.is_paused && 'yes'],
    ['Worker', worker],
    ['Removed', task.phase === 'ended' && (task.is_removed ? 'yes' : 'not yet: it still holds its thread')],
    ['Policy', task.policy],
  ].filter(([, value]) => value);
}

function showFacts() {
  if (!detail.task) return;
  reconcile($('detail-facts'), factsOf(detail.task), ([name]) => name,
    ([name]) => el('div', null, el('dt', null, name), el('dd')),
    (node, [, value]) => setText(node.lastElementChild, value));
}

const WHY_NEXT = {
  interval: () => 'its interval',
  backoff: (next) => `back-off at streak ${next.streak}`,
  retry_after: () => 'as the failure asked for',
  restart: () => 'restarted',
};

function afterAttempt(next) {
  if (!next) return '';
  const why = (WHY_NEXT[next.why] ?? (() => words(next.why)))(next);
  return `then ${next.delay_ms ? duration(next.delay_ms) : 'at once'}: ${why}`;
}

function showAttempts(attempts, running) {
  const list = attempts.slice().reverse();
  const longest = Math.max(1, ...list.map((one) => one.took_ms));
  const runs = running && [{ ...running, isRunning: true }];
  reconcile($('detail-attempts'), [...(runs ?? []), ...list], (one) => `${one.attempt}${one.isRunning ? 'r' : ''}`,
    createAttempt, (node, one) => updateAttempt(node, one, longest));
  if (!list.length && !running) $('detail-attempts').append(el('li', { class: 'muted' }, 'None yet.'));
}

function createAttempt(one) {
  const label = one.isRunning ? 'running' : one.end;
  const tone = one.isRunning ? 'ok' : FAILED_ENDS.has(label) ? 'bad' : label === 'succeeded' ? 'ok' : 'idle';
  const parts = {
    took: el('span', { class: 'took' }),
    bar: svg('rect', { class: `bar ${tone}`, x: 0, y: 0, height: 3, width: 0 }),
  };
  const mark = one.isRunning ? icon('play') : icon(tone === 'bad' ? 'cross' : tone === 'ok' ? 'check' : 'dash');
  const node = el('li', { class: 'attempt' },
    el('p', { class: 'attempt-line' },
      el('span', { class: 'attempt-number' }, `#${one.attempt}`),
      el('time', { datetime: one.started_at, title: one.started_at }, clockTime(one.started_at)),
      el('span', { class: `tone-${tone} word` }, mark, one.isRunning ? 'running' : ENDS[label] ?? words(label)),
      parts.took),
    !one.isRunning && svg('svg', { class: 'attempt-bar', viewBox: '0 0 100 3', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, parts.bar),
    one.failure && el('p', { class: 'attempt-text' }, one.failure.text),
    one.next && el('p', { class: 'muted' }, afterAttempt(one.next)));
  partsOf.set(node, parts);
  return node;
}

function updateAttempt(node, one, longest) {
  const { took, bar } = partsOf.get(node);
  setText(took, one.isRunning ? `for ${ticking(one.uptime_ms ?? 0)}` : `took ${duration(one.took_ms)}`);
  if (!one.isRunning) setAttribute(bar, 'width', Math.max(1, (100 * one.took_ms) / longest));
}

function showBackoff(backoff, streak) {
  const hasCurve = backoff?.curve_ms?.some((ms) => ms > 0);
  $('detail-backoff').hidden = !hasCurve;
  if (!hasCurve) return;
  const { first_ms: first, factor, max_ms: max, jitter, is_immediate: immediate } = backoff;
  setText($('detail-backoff-text'), [
    `${duration(first)} × ${factor} up to ${duration(max)}`,
    jitter === 'none' ? 'no jitter' : `${jitter} jitter (the curve is without it)`,
    immediate && 'the first retry at once',
  ].filter(Boolean).join(', '));
  redraw($('detail-curve'), JSON.stringify([backoff.curve_ms, streak]), () => curve(backoff, streak));
}

function showDetailEvents() {
  const newestFirst = detail.events.slice().reverse();
  reconcile($('detail-events'), newestFirst, (event) => event.id, (event) => eventRow(event, false));
  if (!newestFirst.length) $('detail-events').append(el('li', { class: 'muted' }, 'None are kept.'));
}

// ---------------------------------------------------------------------------------------------------------------
// Slots

function showSlots({ slots }) {
  $('slots').hidden = $('jump-slots').hidden = slots.length === 0;
  reconcile($('slot-list'), slots.slice(0, SLOTS_SHOWN), (slot) => slot.name, createSlot, updateSlot);
  $('slot-more').hidden = slots.length <= SLOTS_SHOWN;
  setText($('slot-more'), `…and ${plural(slots.length - SLOTS_SHOWN, 'more slot')}. Filter the tasks by slot to see one of them.`);
  const names = slots.slice(0, 500).map((slot) => slot.name);
  redraw($('slot-names'), names.join('\n'), () => names.map((name) => el('option', { value: name })));
}

function createSlot(slot) {
  const parts = { facts: el('p', { class: 'muted' }), owners: el('ul', { class: 'owners' }), queue: el('ol', { class: 'queue' }), more: el('p', { class: 'muted' }) };
  const link = viewLink({ slot: slot.name }, el('bdi', null, slot.name));
  link.dataset.view = 'tasks';
  const node = el('li', { class: 'slot' }, el('h3', null, link), parts.facts, parts.owners, parts.queue, parts.more);
  partsOf.set(node, parts);
  return node;
}

function updateSlot(node, slot) {
  const parts = partsOf.get(node);
  const line = (task) => el('li', null, taskLink(task), ' ', el('span', { class: 'muted' }));
  const put = (text) => (item, task) => {
    setAttribute(item.firstElementChild, 'href', addressOf({ ...view, task: String(task.id) }));
    setText(item.lastElementChild, text(task));
  };
  setText(parts.facts, [
    words(slot.state), `${slot.owners.length} of ${slot.concurrency} in use`,
    slot.in_use_ms && `for ${ticking(slot.in_use_ms)}`, slot.attached && `${slot.attached} attached`,
    slot.opens_in_ms && `opens in ${duration(slot.opens_in_ms)}`,
  ].filter(Boolean).join(' · '));
  reconcile(parts.owners, slot.owners, (task) => task.id, line,
    put((task) => `${stateWord(task.phase)} for ${ticking(task.in_phase_ms)}`));
  reconcile(parts.queue, slot.queue.slice(0, QUEUE_SHOWN), (task) => task.id, line, put((task) => [
    `waits for ${ticking(task.age_ms)}`,
    task.priority && `priority ${task.priority}`,
    task.due_in_ms !== null && `due in ${duration(task.due_in_ms)}`,
    task.times_out_in_ms !== null && `gives up in ${duration(task.times_out_in_ms)}`,
  ].filter(Boolean).join(', ')));
  const rest = slot.queue.length - QUEUE_SHOWN;
  setText(parts.more, rest > 0 ? `and ${plural(rest, 'more', 'more')} in the queue` : '');
}

// ---------------------------------------------------------------------------------------------------------------
// Events. They can come in faster than anybody reads: they are kept by severity (so that a flood of small ones does
// not push out an error), and shown a few times a second, the newest of them.

const SEVERITIES = ['debug', 'info', 'warn', 'error'];
const feed = {
  kept: Object.fromEntries(SEVERITIES.map((severity) => [severity, []])),
  arrived: 0,
  waiting: [],
  skipped: 0,
  isPaused: false,
  isPointed: false,
  least: 'debug',
  timer: null,
};

const passes = (entry) => SEVERITIES.indexOf(entry.severity) >= SEVERITIES.indexOf(feed.least);

/** An entry is an event, or something the page has to say in between: a gap, a restart. */
function keep(entry) {
  const ring = feed.kept[entry.severity] ?? feed.kept.info;
  entry.order = ++feed.arrived;
  ring.push(entry);
  if (ring.length > FEED_ROWS) ring.shift();
  if (!passes(entry)) return;
  feed.waiting.push(entry);
  if (feed.waiting.length > FEED_ROWS) {
    feed.waiting.shift();
    feed.skipped += 1;
  }
}

function renderSoon() {
  feed.timer ??= setTimeout(() => {
    feed.timer = null;
    renderFeed();
    if (view.task && detail.hasNews) {
      detail.hasNews = false;
      showDetailEvents();
    }
  }, FEED_EVERY_MS);
}

function renderFeed(most = FEED_PER_RENDER) {
  const waiting = feed.waiting.length + feed.skipped;
  if (feed.isPaused || feed.isPointed) {
    const why = feed.isPaused ? 'Paused' : 'Held while the pointer is here';
    setText($('feed-note'), waiting ? `${why}: ${number(waiting)} waiting` : feed.isPaused ? why : '');
    return;
  }
  setText($('feed-note'), summary?.events.lost ? `${plural(summary.events.lost, 'event')} lost so far` : '');
  if (!waiting) return;
  const fresh = feed.waiting.slice(-most);
  const rows = fresh.reverse().map((entry) => eventRow(entry));
  const more = waiting - fresh.length;
  if (more > 0) rows.push(el('li', { class: 'feed-more', 'data-skipped': more }, `…${number(more)} more not shown`));
  feed.waiting = [];
  feed.skipped = 0;
  $('feed').querySelector('.feed-empty')?.remove();
  $('feed').prepend(...rows);
  while ($('feed').childElementCount > FEED_ROWS) $('feed').lastElementChild.remove();
}

/** From what is kept: at the start, and when the filter changes. */
function rebuildFeed() {
  const all = SEVERITIES.flatMap((severity) => feed.kept[severity]).filter(passes);
  feed.waiting = all.sort((a, b) => a.order - b.order).slice(-FEED_ROWS);
  feed.skipped = 0;
  $('feed').replaceChildren(el('li', { class: 'feed-empty muted' }, 'No events yet.'));
  const { isPaused, isPointed } = feed;
  Object.assign(feed, { isPaused: false, isPointed: false });
  renderFeed(FEED_ROWS);
  Object.assign(feed, { isPaused, isPointed });
}

function eventRow(event, withTask = true) {
  if (event.note) {
    return el('li', { class: 'feed-note', 'data-testid': 'event', 'data-severity': event.severity, 'data-gap': event.isGap }, icon('alert'), event.note);
  }
  return el('li', { class: 'feed-row', 'data-testid': 'event', 'data-severity': event.severity },
    el('time', { datetime: event.at }, clockTime(event.at)),
    el('span', { class: `severity severity-${event.severity}` }, event.severity),
    el('span', { class: 'feed-text' },
      el('span', { class: 'feed-label' }, words(event.label)),
      withTask && event.task && ' ', withTask && event.task && taskLink(event.task),
      ' ', el('span', null, restOf(event))));
}

/** The text without what is shown in places of its own. */
function restOf({ text, label, task }) {
  let rest = text ?? '';
  if (rest.startsWith(label)) rest = rest.slice(label.length).trimStart();
  const who = task && taskTitle(task);
  if (who && rest.startsWith(who)) rest = rest.slice(who.length).trimStart();
  return rest.replace(/^: /, '');
}

function takeEvent(event) {
  const [boot] = splitId(event.id);
  if (boot === stream.boot && event.seq <= stream.seq) return false; // replayed, and known
  stream.boot = boot;
  stream.seq = event.seq;
  stream.lastId = event.id;
  keep(event);
  if (view.task && event.task && String(event.task.id) === view.task && !detail.events.some((one) => one.id === event.id)) {
    detail.events.push(event);
    if (detail.events.length > 50) detail.events.shift();
    detail.hasNews = true;
  }
  return true;
}

function splitId(id) {
  const at = String(id).lastIndexOf('-');
  return [id.slice(0, at), Number(id.slice(at + 1))];
}

function takeGap({ lost, reason }) {
  const how = { overrun: 'more came than the server keeps', slow: 'this page was too slow', restarted: 'the server was restarted' };
  const what = lost === null ? 'Some events were missed' : `${plural(lost, 'event was', 'events were')} missed`;
  keep({ note: `${what}: ${how[reason] ?? words(reason)}`, isGap: true, severity: 'warn' });
  renderSoon();
}

// The stream

const stream = { source: null, timer: null, failures: 0, lastId: null, boot: null, seq: 0 };

/** What happened before this page, then what happens. */
async function startEvents() {
  $('events').hidden = $('jump-events').hidden = false;
  try {
    const { events, boot } = await ask('events?limit=100');
    events.forEach(takeEvent);
    stream.boot ??= boot;
    renderFeed(FEED_ROWS);
    if (!$('feed').childElementCount) rebuildFeed();
  } catch { /* the stream, or the next poll, tells it */ }
  openStream();
}

function openStream() {
  closeStream();
  if (!isOn()) return;
  const source = new EventSource(`api/v1/events${stream.lastId ? `?last_event_id=${encodeURIComponent(stream.lastId)}` : ''}`);
  stream.source = source;
  source.onopen = () => {
    stream.failures = 0;
    showConnection();
  };
  source.addEventListener('lifecycle', (message) => {
    if (!takeEvent(JSON.parse(message.data))) return;
    renderSoon();
    pollSoon();
  });
  source.addEventListener('gap', (message) => takeGap(JSON.parse(message.data)));
  source.addEventListener('bye', () => {
    live.isDraining = true;
    retryStream();
    pollSoon();
  });
  source.onerror = retryStream;
}

function closeStream() {
  clearTimeout(stream.timer);
  stream.source?.close();
  stream.source = null;
}

function retryStream() {
  closeStream();
  stream.failures += 1;
  stream.timer = setTimeout(openStream, backoff(stream.failures));
  showConnection();
}

/** Without a stream (too many of them, say) the events come with the polls. */
async function catchUp(signal) {
  if (stream.source || !stream.failures) return;
  const after = stream.lastId ? `after=${encodeURIComponent(stream.lastId)}&` : '';
  const { events, gap } = await ask(`events?${after}limit=100`, { signal });
  if (gap) takeGap({ lost: null, reason: 'overrun' });
  events.forEach(takeEvent);
  renderSoon();
}

// ---------------------------------------------------------------------------------------------------------------
// Staying up to date

const live = {
  isPaused: false, // by the operator
  isHidden: false, // the tab
  isDraining: false,
  failures: 0,
  boot: null,
  okAt: null, // when the last answer came in
  polledAt: -Infinity,
  dueAt: Infinity,
  timer: null,
  abort: null,
  standsAt: null, // the time that is shown while nothing is updated
};

const isOn = () => !live.isPaused && !live.isHidden;
const backoff = (failures) => Math.min(BACKOFF_MAX_MS, 500 * 2 ** Math.min(failures, 8));

/** The time for everything that counts: it stands still while the page is not live. */
const now = () => live.standsAt ?? performance.now();

function schedule(ms) {
  clearTimeout(live.timer);
  live.dueAt = performance.now() + ms;
  live.timer = setTimeout(poll, ms);
}

/** An event came in: what is shown may be old. */
function pollSoon() {
  if (!isOn() || live.failures || live.abort) return;
  const wait = Math.max(0, live.polledAt + SOONEST_MS - performance.now());
  if (live.dueAt - performance.now() > wait) schedule(wait);
}

/** Now, even when paused: somebody asked. */
function refresh() {
  live.abort?.abort();
  live.abort = null;
  poll();
}

async function poll() {
  clearTimeout(live.timer);
  if (live.isHidden) return;
  const abort = new AbortController();
  const { signal } = abort;
  live.abort = abort;
  live.polledAt = performance.now();
  live.dueAt = Infinity;
  try {
    const query = queryOf({ ...filtersOf(view), per_page: PER_PAGE });
    const [about, tasks, slots] = await Promise.all([
      ask('summary', { signal }),
      ask(`tasks?${query}`, { signal }).catch(keepBadFilter),
      ask('slots', { signal }),
      catchUp(signal),
    ]);
    if (signal.aborted) return;
    answered(about, tasks, slots);
    await loadDetail(false, signal);
  } catch (error) {
    if (signal.aborted) return;
    failed(error);
  }
  live.abort = null;
  if (isOn()) schedule(live.failures ? backoff(live.failures) : POLL_MS);
}

/** A filter that the server does not understand is no trouble of the connection. */
function keepBadFilter(error) {
  if (error instanceof Refused && error.status === 400) return error;
  throw error;
}

function answered(about, tasks, slots) {
  const wasAway = live.failures > 0;
  live.failures = 0;
  live.okAt = performance.now();
  live.standsAt = isOn() ? null : live.okAt;
  live.isDraining = about.state !== 'serving' || (live.isDraining && about.boot === live.boot);
  noticeBoot(about.boot);
  showSummary(about);
  if (tasks instanceof Refused) showRefusedFilter(tasks);
  else showTasks(tasks);
  showSlots(slots);
  if (wasAway) {
    say('Connected again.');
    if (!stream.source) openStream();
  }
  showConnection();
}

function failed(error) {
  live.failures += 1;
  live.standsAt ??= performance.now();
  if (error instanceof Refused && error.code === 'shutting_down') live.isDraining = true;
  if (error instanceof Refused && error.status < 500) say(`The server refused: ${error.message}`, { isError: true });
  else if (live.failures === 2) say('The connection is lost; trying again.', { isError: true });
  showConnection();
}

/** Another boot: numbers and ids of before mean nothing now. */
function noticeBoot(boot) {
  const before = live.boot;
  live.boot = boot;
  if (before === null || before === boot) return;
  live.isDraining = false;
  table.isForced = true;
  table.current = null;
  clearPicked();
  Object.assign(stream, { lastId: null, boot: null, seq: 0, failures: 0 });
  keep({ note: 'The server was restarted', severity: 'warn' });
  say('The server was restarted. Everything here is from the new run.');
  closeStream();
  startEvents();
  if (view.task) loadDetail(true);
}

function showConnection() {
  const [tone, text] = connection();
  setText($('connection'), text);
  $('connection').dataset.tone = tone;
}

function connection() {
  const age = live.okAt === null ? null : performance.now() - live.okAt;
  const last = age === null ? 'no answer yet' : `last update ${ticking(age)} ago`;
  if (live.isHidden) return ['idle', 'paused while the tab is hidden'];
  if (live.failures) return ['bad', `${live.isDraining ? 'the server is draining, ' : ''}reconnecting, ${last}`];
  if (live.isDraining) return ['warn', 'the server is draining'];
  if (live.isPaused) return ['warn', `paused, ${last}`];
  if (age === null) return ['idle', 'connecting'];
  if (age > 3 * POLL_MS) return ['bad', `stale, ${last}`];
  if (stream.failures > 1) return ['warn', 'live; event stream reconnecting'];
  return ['ok', 'live'];
}

/** Starts or stops everything that goes on by itself. */
function showLive() {
  $('live').dataset.live = String(!live.isPaused);
  setText($('live'), live.isPaused ? 'Go live' : 'Pause');
  if (isOn()) {
    live.standsAt = live.failures ? live.standsAt : null;
    openStream();
    refresh();
  } else {
    live.standsAt ??= performance.now();
    clearTimeout(live.timer);
    live.abort?.abort();
    live.abort = null;
    closeStream();
  }
  showConnection();
}

function togglePaused() {
  live.isPaused = !live.isPaused;
  showLive();
  say(live.isPaused ? 'Paused: nothing here changes until you go live again.' : 'Live.');
}

function noticeVisibility() {
  const isHidden = document.hidden || document.visibilityState === 'hidden';
  if (isHidden === live.isHidden) return;
  live.isHidden = isHidden;
  if (!live.isPaused || !isHidden) showLive();
  showConnection();
}

function tick() {
  showConnection();
  if (!isOn() || live.failures) return;
  tickRows();
  showFacts();
}

// ---------------------------------------------------------------------------------------------------------------
// Keys and theme

let keysOn = memory.get('keys') !== 'off';

const KEYS = {
  '/': () => { $('search').focus(); $('search').select(); },
  j: () => moveCurrent(1),
  k: () => moveCurrent(-1),
  p: togglePaused,
  r: () => { table.isForced = true; refresh(); },
  x: cancelCurrent,
  '?': () => openHelp(),
};

const isTyping = (node) => node.matches?.('input, select, textarea, [contenteditable]');

function onKey(event) {
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector('dialog[open]')) return; // a dialog has its own Esc and Enter
  if (event.key === 'Escape') {
    if (isTyping(event.target)) event.target.blur();
    else if (view.task) leaveDetail();
    return;
  }
  if (isTyping(event.target)) return;
  if (event.key === 'Enter') {
    const isFree = !event.target.closest?.('a, button, summary');
    if (keysOn && isFree && table.current && rowOf(table.current)) partsOf.get(rowOf(table.current)).link.click();
    return;
  }
  if (!keysOn || event.repeat && !['j', 'k'].includes(event.key)) return;
  const action = KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function openHelp() {
  $('keys-on').checked = keysOn;
  $('help').showModal();
}

const THEMES = ['auto', 'light', 'dark'];

function showTheme(theme) {
  if (theme === 'auto') document.documentElement.removeAttribute('data-theme');
  else document.documentElement.dataset.theme = theme;
  setText($('theme'), `Theme: ${theme}`);
}

/** From "auto" first to what it is not now, so that the first press is seen. */
function nextTheme() {
  const isDark = matchMedia('(prefers-color-scheme: dark)').matches;
  const round = isDark ? ['auto', 'light', 'dark'] : ['auto', 'dark', 'light'];
  const before = document.documentElement.dataset.theme ?? 'auto';
  const next = round[(round.indexOf(before) + 1) % round.length];
  memory.set('theme', next);
  showTheme(next);
}

// ---------------------------------------------------------------------------------------------------------------
// Start

function debounced(action, ms) {
  let timer = null;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, ms);
  };
}

function listenToFilters() {
  const typed = () => filterBy({ text: $('search').value.trim(), slot: $('slot-filter').value.trim() }, { replace: true });
  const typedSoon = debounced(typed, 250);
  $('search').addEventListener('input', typedSoon);
  $('slot-filter').addEventListener('input', typedSoon);
  $('state-filter').addEventListener('change', () => filterBy({ state: $('state-filter').value }));
  $('sort').addEventListener('change', () => filterBy({ sort: $('sort').value }));
  $('clear').addEventListener('click', () => {
    go({ ...readView(''), task: view.task });
    $('search').focus();
  });
  $('filters').addEventListener('submit', (event) => {
    event.preventDefault();
    typed();
  });
}

function listenToTable() {
  const rows = $('rows');
  rows.addEventListener('pointerover', (event) => { table.isPointed = event.pointerType === 'mouse'; });
  rows.addEventListener('pointerleave', () => {
    table.isPointed = false;
    releaseRows();
  });
  rows.addEventListener('focusin', (event) => setCurrent(event.target.closest('tr')?.dataset.id ?? null));
  rows.addEventListener('focusout', () => setTimeout(releaseRows));
  $('pick-all').addEventListener('change', () => pickShown($('pick-all').checked));
  $('bulk-shown').addEventListener('click', () => pickShown(true));
  $('bulk-all').addEventListener('click', pickEverything);
  $('bulk-none').addEventListener('click', () => {
    clearPicked();
    $('table-scroll').focus({ preventScroll: true });
  });
  $('bulk-verbs').append(...Object.entries(VERBS).map(([verb, { label, danger }]) =>
    el('button', { type: 'button', 'data-testid': `bulk-${verb}`, class: danger ? 'danger' : null, onclick: () => actOnPicked(verb) }, label)));
}

function listenToFeed() {
  $('feed').addEventListener('pointerover', (event) => { feed.isPointed = event.pointerType === 'mouse'; });
  $('feed').addEventListener('pointerleave', () => {
    feed.isPointed = false;
    renderFeed();
  });
  $('feed-pause').addEventListener('click', () => {
    feed.isPaused = !feed.isPaused;
    setText($('feed-pause'), feed.isPaused ? 'Resume events' : 'Pause events');
    renderFeed(FEED_ROWS);
  });
  $('severity').addEventListener('change', () => {
    feed.least = $('severity').value;
    rebuildFeed();
  });
}

function listenToDialogs() {
  $('ask-form').addEventListener('submit', (event) => {
    event.preventDefault();
    settle($('ask-why').value.trim());
  });
  $('ask-back').addEventListener('click', () => settle(null));
  $('ask').addEventListener('close', () => settle(null));
  $('help-open').addEventListener('click', openHelp);
  $('keys-on').addEventListener('change', () => {
    keysOn = $('keys-on').checked;
    memory.set('keys', keysOn ? 'on' : 'off');
  });
}

function start() {
  for (const id of ['top-buttons', 'connection']) $(id).hidden = false;
  $('apply').hidden = true;
  showTheme(THEMES.includes(memory.get('theme')) ? memory.get('theme') : 'auto');
  document.querySelectorAll('th[data-sort]').forEach(makeSortable);
  listenToFilters();
  listenToTable();
  listenToFeed();
  listenToDialogs();
  $('live').addEventListener('click', togglePaused);
  $('theme').addEventListener('click', nextTheme);
  $('detail-close').addEventListener('click', leaveDetail);
  $('status-close').addEventListener('click', unsay);
  document.addEventListener('click', followLink);
  document.addEventListener('keydown', onKey);
  document.addEventListener('visibilitychange', noticeVisibility);
  window.addEventListener('popstate', () => arrive(readView(location.search)));
  window.addEventListener('pagehide', closeStream);
  window.addEventListener('pageshow', (event) => { if (event.persisted) showLive(); });
  showFilters();
  live.isHidden = document.hidden;
  $('live').dataset.live = 'true';
  if (view.task) openDetail(view.task);
  startEvents();
  refresh();
  setInterval(tick, 500);
}

start();
