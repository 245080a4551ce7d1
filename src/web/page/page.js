// The operator page: no library, no build step, no text inserted as HTML.
//
// `poll` asks for the summary, a page of tasks, the slots and the opened task about every two seconds, sooner after
// events. Rows are kept by id and changed in place; while the pointer or the focus is in the table, their order
// is held. Durations are counted on from when an answer came in (`performance.now()`): clocks are never compared.
//
// `data-testid` names what tests look for: mode, connection (`data-tone`), live (`data-live`), theme, attention, summary,
// search, state-filter, slot-filter, tasks, row (`data-id`, `data-name`; only rows of the script), hold-note, bulk,
// bulk-VERB, slots, events, event (`data-severity`, `data-gap`), severity, events-pause, detail, detail-close,
// detail-events, attempts, action-VERB, status (the messages), dialog, why, back, confirm, help, keys-on.
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

// ---- Elements

const $ = (id) => document.getElementById(id);

function fill(node, attributes, children) {
	for (const [name, value] of Object.entries(attributes ?? {})) {
		if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? '' : value);
	}
	node.append(...children.filter((child) => child || child === 0));
	return node;
}

const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) =>
	fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
const on = (id, event, action) => $(id).addEventListener(event, action);
const orNone = (items) => (items.length ? items : [el('li', { class: 'muted' }, 'None.')]);
const muted = (...children) => el('span', { class: 'muted' }, ...children);

function setText(node, text) {
	const to = typeof node === 'string' ? $(node) : node;
	if (to.textContent !== String(text ?? '')) to.textContent = text ?? '';
}

function setAttribute(node, name, value) {
	if (value === null) node.removeAttribute(name);
	else node.setAttribute(name, value);
}

/**
 * Makes the children of `parent` look like `wanted`, touching only what differs. Children with a `data-key` are kept
 * by it, so that focus, selected text and what the pointer is on survive. Listeners sit on the containers.
 */
function show(parent, ...wanted) {
	const focused = parent.contains(document.activeElement) ? document.activeElement : null;
	morphChildren(parent, fill(new DocumentFragment(), null, wanted).childNodes);
	// Chromium takes the focus from what is moved.
	if (focused && focused !== document.activeElement && parent.contains(focused)) focused.focus({ preventScroll: true });
}

const keyOf = (node) => node.dataset?.key;

function morphChildren(parent, children) {
	const wanted = [...children];
	const keys = new Set(wanted.map(keyOf));
	const known = new Map();
	for (const child of [...parent.childNodes]) {
		const key = keyOf(child);
		if (key && !keys.has(key)) child.remove();
		else if (key) known.set(key, child);
	}
	let at = parent.firstChild;
	for (const next of wanted) {
		const isSimilar = at && !keyOf(at) && at.nodeName === next.nodeName;
		const old = keyOf(next) ? known.get(keyOf(next)) : isSimilar ? at : null;
		if (old && old === at) at = at.nextSibling;
		else parent.insertBefore(old ?? next, at);
		if (old) morph(old, next);
	}
	while (at) {
		const rest = at.nextSibling;
		at.remove();
		at = rest;
	}
}

function morph(node, wanted) {
	if (node.nodeType === Node.TEXT_NODE) {
		if (node.data !== wanted.data) node.data = wanted.data;
		return;
	}
	for (const { name } of [...node.attributes]) if (!wanted.hasAttribute(name)) node.removeAttribute(name);
	for (const { name, value } of wanted.attributes) if (node.getAttribute(name) !== value) node.setAttribute(name, value);
	morphChildren(node, wanted.childNodes);
}

// ---- Words

const number = (value) => Number(value).toLocaleString('en');
const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
const words = (label) => String(label ?? '').replaceAll('_', ' ');
const pad = (value) => String(value).padStart(2, '0');

/** A duration that stands still: "850 ms", "4.2 s", "3 m 05 s", "5 m". */
function duration(ms) {
	if (ms === null || ms === undefined) return '';
	if (ms < 1000) return `${Math.round(ms)} ms`;
	if (ms < 9950) return `${(ms / 1000).toFixed(1).replace(/\.0$/, '')} s`;
	return ticking(ms).replace(/ 00 .$/, '');
}

/** A duration that counts: whole seconds, then two units. */
function ticking(ms) {
	const s = Math.max(0, Math.floor(ms / 1000));
	if (s < 60) return `${s} s`;
	if (s < 3600) return `${Math.floor(s / 60)} m ${pad(s % 60)} s`;
	if (s < 86_400) return `${Math.floor(s / 3600)} h ${pad(Math.floor(s / 60) % 60)} m`;
	return `${number(Math.floor(s / 86_400))} d ${Math.floor(s / 3600) % 24} h`;
}

const clockTime = (rfc3339) => (rfc3339 ?? '').slice(11, 23);

const PHASES = [
	'running', 'backing_off', 'between_runs', 'paused', 'stopping', 'queued', 'delayed', 'attached', 'waiting', 'waiting_for_permit',
];
const STATE_WORDS = { waiting_for_permit: 'waiting for a permit', long_backoff: 'long back-off', force_aborted: 'force-aborted' };
const TONES = {
	running: 'ok', completed: 'ok', backing_off: 'warn', stopping: 'warn', paused: 'info',
	info: 'info', warn: 'warn', error: 'bad', failed: 'bad', fatal: 'bad', lost: 'bad', force_aborted: 'bad', rejected: 'bad',
};
const FAILED_ENDS = new Set(['failed', 'panicked', 'timed_out', 'fatal', 'lost']);
const VERBS = { cancel: 'Cancel', restart: 'Restart', 'retry-now': 'Retry now', pause: 'Pause', resume: 'Resume' };
const ASKS = ['cancel', 'restart'];
const isDanger = (verb) => verb === 'cancel';

const stateLabel = ({ phase, outcome, streak }) =>
	phase === 'ended' && outcome ? outcome.label : phase === 'backing_off' && !streak ? 'between_runs' : phase;
const stateWord = (label) => STATE_WORDS[label] ?? words(label);
const taskTitle = (task) => `${task.name} (#${task.id})`;

// ---- Small pictures

const ICONS = {
	play: 'M4 2.5l9.5 5.5L4 13.5z',
	again: 'M8 3.2V.8L12.2 4 8 7.2V4.9A3.6 3.6 0 1 0 11.6 8.5h1.8A5.4 5.4 0 1 1 8 3.2z',
	bars: 'M3.5 3h3v10h-3zM9.5 3h3v10h-3z',
	square: 'M3.5 3.5h9v9h-9z',
	lines: 'M2.5 3h11v1.8h-11zM2.5 7.1h11v1.8h-11zM2.5 11.2h7V13h-7z',
	check: 'M6.4 12.6L2 8.2l1.4-1.4 3 3 6.2-6.2L14 5z',
	cross: 'M3.9 2.5L8 6.6l4.1-4.1 1.4 1.4L9.4 8l4.1 4.1-1.4 1.4L8 9.4l-4.1 4.1-1.4-1.4L6.6 8 2.5 3.9z',
	dash: 'M2.5 7h11v2h-11z',
	alert: 'M8 1.2L15.4 14.5H.6zM7.1 6v4h1.8V6zm0 5.2v1.7h1.8v-1.7z',
};
const STATE_ICONS = {
	running: 'play', backing_off: 'again', paused: 'bars', stopping: 'square', completed: 'check', canceled: 'dash',
};

const toneOf = (label) => TONES[label] ?? 'idle';
const iconOf = (label) => STATE_ICONS[label] ?? (toneOf(label) === 'bad' ? 'cross' : 'lines');
const icon = (name) =>
	svg('svg', { class: 'icon', viewBox: '0 0 16 16', 'aria-hidden': 'true' }, svg('path', { d: ICONS[name], 'fill-rule': 'evenodd' }));
const withIcon = (name, tone, text) => el('span', { class: `word tone-${tone}` }, icon(name), text);

const picture = (className, width, height, text, ...children) =>
	svg('svg', { class: className, viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': text },
		svg('title', null, text), ...children);

function endsInWords(recent) {
	if (!recent.length) return 'no attempt has ended yet';
	const counts = new Map();
	for (const { end } of recent) counts.set(end, (counts.get(end) ?? 0) + 1);
	return `last ${plural(recent.length, 'attempt')}: ${[...counts].map(([end, count]) => `${count} ${words(end)}`).join(', ')}`;
}

const endTone = (end) => (['succeeded', 'running'].includes(end) ? 'ok' : FAILED_ENDS.has(end) ? 'bad' : 'idle');

/**
 * The last attempts: successes stand on the line, failures hang from it; taller took longer (on a log scale).
 * Outlined are those that were cut short: timed out, canceled, forced, restarted.
 */
function strip(recent) {
	const [up, down, step] = [13, 9, 5];
	const longest = Math.log1p(Math.max(1, ...recent.map((one) => one.took_ms ?? 0)));
	const bars = recent.slice(-20).map(({ end, took_ms: took }, at) => {
		const tone = endTone(end);
		const inset = tone === 'idle' || end === 'timed_out' ? 0.5 : 0;
		const height = Math.max(2.5, (Math.log1p(took ?? 0) / longest) * (tone === 'bad' ? down : up));
		return svg('rect', {
			class: `bar ${tone}${inset ? ' hollow' : ''}`, x: at * step + inset, width: 4 - 2 * inset,
			y: (tone === 'bad' ? up + 1 : up - height) + inset, height: height - 2 * inset,
		});
	});
	const line = svg('line', { class: 'baseline', x2: 20 * step, y1: up + 0.5, y2: up + 0.5 });
	return picture('strip', 20 * step, up + 1 + down, endsInWords(recent), line, ...bars);
}

function sparkline(values, kind, text) {
	const [step, high] = [3, 28];
	const most = Math.max(1, ...values);
	const bars = values.map((value, at) => {
		const height = value ? Math.max(2, (value / most) * high) : 0.75;
		return svg('rect', { class: `bar ${value ? kind : 'idle'}`, x: at * step, y: high - height, width: 2, height });
	});
	return picture('spark', values.length * step, high, text, ...bars);
}

/** The delays by failures in a row, without jitter, with the place of the current streak. */
function curve(delays, streak) {
	const [left, right, top, bottom] = [54, 300, 14, 96];
	const most = Math.max(1, ...delays);
	const x = (at) => left + ((right - left) * at) / Math.max(1, delays.length - 1);
	const y = (ms) => bottom - ((bottom - top) * ms) / most;
	const label = (at, under, text, anchor = 'middle') => svg('text', { x: at, y: under, 'text-anchor': anchor }, text);
	const axis = [0, most / 2, most].flatMap((ms) => [
		svg('line', { class: 'grid', x1: left, x2: right, y1: y(ms), y2: y(ms) }),
		label(left - 6, y(ms) + 3.5, ms ? duration(ms) : '0', 'end'),
	]);
	const steps = delays.map((_, at) => at).filter((at) => at === 0 || at % 4 === 3);
	const now = Math.min(streak, delays.length) - 1;
	const here = now < 0 ? 'no failure in a row now' : `now at streak ${streak}: ${duration(delays[now])}`;
	const current = now < 0 ? [] : [
		svg('line', { class: 'current', x1: x(now), x2: x(now), y1: top, y2: bottom }),
		svg('circle', { class: 'current-dot', cx: x(now), cy: y(delays[now]), r: 4.5 }),
	];
	return picture('curve', 310, 126, `Delay by failures in a row, from ${duration(delays[0])} up to ${duration(most)}; ${here}`,
		...axis, ...steps.map((at) => label(x(at), bottom + 13, String(at + 1))),
		svg('polyline', { points: delays.map((ms, at) => `${x(at)},${y(ms)}`).join(' ') }),
		...current, label((left + right) / 2, 122, `failures in a row (${here})`));
}

// ---- What is remembered

const memory = {
	get(name) {
		try { return localStorage.getItem(`taskvisor.${name}`); } catch { return null; }
	},
	set(name, value) {
		try { localStorage.setItem(`taskvisor.${name}`, value); } catch { /* not allowed: it lasts as long as the page */ }
	},
};

// ---- Asking the server

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

// ---- The view: what is in the address

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
		picked.clear();
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

/** Links are real addresses, good for another tab; a click on one with `data-view` stays in the page. */
const taskLink = ({ id, name }) =>
	el('a', { href: addressOf({ ...view, task: String(id) }), 'data-view': '' }, el('bdi', null, name));

function followLink(event) {
	const link = event.target.closest?.('a[data-view]');
	if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
	event.preventDefault();
	const next = readView(new URL(link.href).search);
	if (next.task && next.task !== view.task) detail.opener = link;
	go(next.task ? { ...view, task: next.task } : next);
	if (link.dataset.view === 'tasks') $('tasks').scrollIntoView({ block: 'nearest' });
}

// ---- Messages

let sayTimer = null;

function say(text, isError = false) {
	clearTimeout(sayTimer);
	setText('status-text', isError ? '' : text);
	setText('status-error', isError ? text : '');
	$('status-close').hidden = !text;
	$('status').classList.toggle('is-shown', Boolean(text));
	if (text && !isError) sayTimer = setTimeout(unsay, 8000);
}

const unsay = () => say('');

// ---- The summary: attention, readiness, counts, sparklines

let summary = null;
const canAct = () => summary?.mode === 'full';

function showSummary(answer) {
	summary = answer;
	const needing = answer.needs_attention;
	document.title = (needing ? `(${needing}) ` : '') + answer.name;
	setText('title', answer.name);
	setText('mode', canAct() ? 'full access' : 'read-only');
	$('mode').dataset.mode = answer.mode;
	setText('operator', answer.operator && `as ${answer.operator}`);
	$('mode').hidden = $('summary').hidden = false;
	$('table').classList.toggle('can-act', canAct());
	showAttention(answer.attention, needing);
	showReady(answer);
	showCounts(answer);
	showSparks(answer.spark);
}

function showAttention(attention, needing) {
	$('attention').dataset.tone = needing ? 'bad' : 'ok';
	setText('attention-title', needing ? `${number(needing)} ${needing === 1 ? 'needs' : 'need'} attention` : 'Attention');
	$('attention-calm').hidden = needing > 0;
	show($('attention-calm'), icon('check'), 'Nothing needs attention');
	show($('attention-list'), ...attention.filter((kind) => kind.count > 0).map(attentionKind));
}

function attentionKind({ kind, count, title, query, tasks }) {
	const some = tasks.slice(0, 3);
	const link = el('a', { href: `./?${query}`, 'data-view': 'tasks', class: 'kind-link' }, icon('alert'), `${number(count)} ${title}`);
	return el('li', { class: 'kind', 'data-kind': kind, 'data-key': kind },
		el('h3', null, link),
		el('ul', null, ...some.map((task) => el('li', { 'data-key': task.id }, taskLink(task), ' ', task.text))),
		count > some.length && el('p', null, `and ${number(count - some.length)} more`));
}

function showReady({ ready, not_up: notUp, state }) {
	const why = notUp.slice(0, 3).map((task) => `${task.name}: ${task.why || stateWord(task.phase)}`);
	if (notUp.length > 3) why.push(`and ${notUp.length - 3} more`);
	const isFine = state === 'serving' && ready;
	const word = state !== 'serving' ? words(state) : ready ? 'Ready' : 'Not ready';
	show($('ready'), withIcon(isFine ? 'check' : 'alert', isFine ? 'ok' : 'bad', word), muted(why.join('; ')));
}

function showCounts({ counts, ended }) {
	const phases = PHASES.filter((phase) => counts[phase]);
	const living = phases.reduce((sum, phase) => sum + counts[phase], 0);
	const chip = (state, count, text, mark) => el('li', { 'data-key': text },
		el('a', { href: addressOf({ state }), 'data-view': 'tasks', 'aria-current': view.state === state && 'true' },
			mark && withIcon(iconOf(state), toneOf(state)), text, el('strong', null, number(count))));
	show($('counts'),
		chip('', living, 'living'), chip('all', Object.values(ended).reduce((sum, n) => sum + n, living), 'all'),
		...phases.map((phase) => chip(phase, counts[phase], stateWord(phase), true)),
		...Object.entries(ended).map(([label, count]) => chip(label, count, stateWord(label), true)));
}

function showSparks({ step_ms: step, starts, failures }) {
	const span = duration(step * starts.length);
	const figure = (values, kind, title) => {
		const total = number(values.reduce((all, one) => all + one, 0));
		const text = `${title} in the last ${span}: ${total}; at most ${Math.max(0, ...values)} in ${duration(step)}`;
		return el('figure', null, el('figcaption', null, `${title}, ${span} `, el('strong', null, total)), sparkline(values, kind, text));
	};
	show($('sparks'), figure(starts, 'info', 'Starts'), figure(failures, 'bad', 'Failures'));
}

// ---- The table of tasks

const table = {
	answer: null, // the last one
	at: 0, // when it came in
	byId: new Map(), // its tasks
	isForced: true, // the next answer is shown in its order, wherever the pointer is
	isPointed: false,
	current: null, // the id of the row that j and k moved to
};

const rowsNow = () => [...$('rows').querySelectorAll('[data-testid="row"]')];
const rowOf = (id) => $('rows').querySelector(`[data-key="${id}"]`);
const linkOf = (id) => rowOf(id)?.querySelector('.c-name a');
const isHeld = () => table.isPointed || $('rows').contains(document.activeElement);

function showTasks(answer) {
	table.answer = answer;
	table.at = performance.now();
	table.byId = new Map(answer.tasks.map((task) => [String(task.id), task]));
	if (isHeld() && !table.isForced) updateHeldRows();
	else arrangeRows();
	showCaption(answer);
	showPager(answer);
	showPicked();
}

/** Rows in the order of the answer. */
function arrangeRows() {
	const { tasks } = table.answer;
	const hadFocus = $('rows').contains(document.activeElement);
	table.isForced = false;
	for (const head of document.querySelectorAll('#table th[hidden]')) head.hidden = false;
	show($('rows'), ...tasks.map(taskRow));
	if (hadFocus && document.activeElement === document.body) $('table-scroll').focus({ preventScroll: true });
	$('empty').hidden = tasks.length > 0;
	setText('empty', view.state || view.text || view.slot ? 'No task matches.' : 'There are no living tasks.');
	setText('hold-note', '');
	for (const id of picked) if (!table.byId.has(id)) picked.delete(id);
}

/** Only the cells: no row moves, comes or goes. */
function updateHeldRows() {
	const rows = rowsNow();
	const isSame = rows.map(keyOf).join() === [...table.byId.keys()].join();
	for (const row of rows) {
		const task = table.byId.get(keyOf(row));
		if (task) morph(row, taskRow(task));
		else if (!row.classList.contains('is-gone')) {
			row.classList.add('is-gone');
			show(row.querySelector('.c-state'), el('strong', null, 'gone from this list'));
		}
	}
	setText('hold-note', isSame ? '' : 'Order is held while you are in the table');
}

function releaseRows() {
	if (table.answer && !isHeld() && $('hold-note').textContent) arrangeRows();
}

function taskRow(task) {
	const cell = (name, label, ...children) => el('td', { class: `c-${name}`, 'data-label': label }, ...children);
	const row = {
		'data-key': task.id, 'data-testid': 'row', 'data-id': task.id, 'data-name': task.name,
		class: task.attention.length > 0 && 'needs', 'aria-current': String(task.id) === table.current && 'true',
	};
	return el('tr', row,
		cell('pick', null, el('input', { type: 'checkbox', 'aria-label': `Select ${taskTitle(task)}` })),
		cell('name', 'Name', taskLink(task), el('span', { class: 'marks' }, ...marksOf(task).map((mark) => el('span', null, mark)))),
		cell('state', 'State', stateOf(task), ...flagsOf(task)),
		cell('time', 'In state', inPhase(task, table.at)),
		cell('attempt', 'Attempt', task.attempt > 0 && number(task.attempt)),
		cell('streak', 'Streak', task.streak > 0 && number(task.streak)),
		cell('next', 'Next', untilNext(task, table.at)),
		cell('error', 'Last error', task.last_failure && el('span', { class: 'clamp', title: task.last_failure.text }, task.last_failure.text)),
		cell('recent', 'Recent', strip(task.recent)),
		cell('policy', 'Policy', el('span', { class: 'clamp', title: task.policy }, task.policy)));
}

const stateOf = (task) => {
	const label = stateLabel(task);
	return withIcon(iconOf(label), toneOf(label), stateWord(label));
};

const slotOf = ({ slot, position }) => slot && `slot ${slot}${position ? `, place ${position}` : ''}`;

const marksOf = (task) => [
	`#${task.id}`, slotOf(task), task.is_required && 'required',
	task.is_paused && task.phase !== 'paused' && 'to be paused',
].filter(Boolean);

/** What is said beside the state: what needs attention, unless the state says it already. */
function flagsOf(task) {
	const kinds = new Set(task.attention);
	if (task.is_responding === false) kinds.add('not_responding');
	kinds.delete('failed_for_good');
	return [...kinds].map((kind) => el('span', { class: 'flag' }, stateWord(kind)));
}

// What counts by itself between two answers.

const inPhase = (task, at) => ticking(task.in_phase_ms + now() - at);

function untilNext(task, at) {
	if (task.next_attempt_in_ms === null) return '';
	const left = task.next_attempt_in_ms - (now() - at);
	return left > 0 ? ticking(left + 999) : 'due';
}

function tickRows() {
	for (const row of rowsNow()) {
		const task = table.byId.get(keyOf(row)); // none for a row that has gone: it stands still
		if (!task) continue;
		setText(row.querySelector('.c-time'), inPhase(task, table.at));
		setText(row.querySelector('.c-next'), untilNext(task, table.at));
	}
}

// Around the table

const statesInWords = () => view.state.split(',').map(stateWord).join(' or ');

function showCaption({ total, page, per_page: perPage, tasks }) {
	const first = (page - 1) * perPage + 1;
	const range = total > tasks.length && tasks.length ? `${number(first)}–${number(first + tasks.length - 1)} of ` : '';
	const which = statesInWords() || 'living';
	const more = [view.text && `with “${view.text}”`, view.slot && `in slot “${view.slot}”`];
	setText('caption', [`${range}${plural(total, 'task')}`, which, ...more].filter(Boolean).join(' · '));
}

function showPager({ page, pages }) {
	const step = (to, text) => (to < 1 || to > pages || to === page
		? el('span', { class: 'muted' }, text)
		: el('a', { href: addressOf({ ...view, page: to > 1 ? String(to) : '' }), 'data-view': '', 'aria-label': `${text} page` }, text));
	const steps = () => [
		step(1, 'First'), step(page - 1, 'Previous'), el('span', null, `page ${number(page)} of ${number(pages)}`),
		step(page + 1, 'Next'), step(pages, 'Last'),
	];
	show($('pager'), ...(pages > 1 ? steps() : []));
}

function showRefusedFilter(error) {
	table.isForced = true;
	showTasks({ tasks: [], total: 0, page: 1, pages: 1, per_page: 1 });
	setText('empty', `The server refused this filter: ${error.message}`);
}

function showFilters() {
	const select = $('state-filter'); // an address can say more than the list has
	if (![...select.options].some(({ value }) => value === view.state)) select.append(el('option', { value: view.state }, statesInWords()));
	select.value = view.state;
	for (const [id, text] of [['search', view.text], ['slot-filter', view.slot]]) {
		if ($(id).value.trim() !== text) $(id).value = text;
	}
	for (const head of document.querySelectorAll('th[data-sort]')) {
		const at = [head.dataset.sort, `-${head.dataset.sort}`].indexOf(view.sort);
		setAttribute(head, 'aria-sort', [null, 'ascending', 'descending'][at + 1]);
	}
	if (summary) showCounts(summary);
}

/** A header cell becomes a button: one way, the other way, the default order again. */
function makeSortable(head) {
	const key = head.dataset.sort;
	const ways = ['name', 'state', 'next'].includes(key) ? [key, `-${key}`] : [`-${key}`, key];
	const button = el('button', { type: 'button', class: 'sort' }, head.textContent);
	button.addEventListener('click', () => filterBy({ sort: [...ways, ''][ways.indexOf(view.sort) + 1] }));
	head.replaceChildren(button);
}

function moveCurrent(step) {
	const ids = rowsNow().map(keyOf);
	if (!ids.length) return;
	const at = Math.min(ids.length - 1, Math.max(0, ids.indexOf(table.current) + step));
	linkOf(ids[at]).focus(); // which makes it the current one
	rowOf(ids[at]).scrollIntoView({ block: 'nearest' });
}

function setCurrent(id) {
	table.current = id;
	for (const row of rowsNow()) setAttribute(row, 'aria-current', keyOf(row) === id ? 'true' : null);
}

// ---- Picked rows and what is done with them

const picked = new Set(); // ids, only of rows that are shown

function pick(id, isOn) {
	if (isOn) picked.add(id);
	else picked.delete(id);
	showPicked();
}

function pickShown(isOn) {
	picked.clear();
	if (isOn) for (const id of table.byId.keys()) if (rowOf(id)) picked.add(id);
	showPicked();
}

function showPicked() {
	const rows = rowsNow();
	for (const row of rows) row.querySelector('input').checked = picked.has(keyOf(row));
	$('pick-all').checked = picked.size > 0 && picked.size === rows.length;
	$('pick-all').indeterminate = picked.size > 0 && picked.size < rows.length;
	$('bulk').hidden = picked.size === 0 || !canAct();
	setText('bulk-count', `${number(picked.size)} selected`);
}

/** Asks the server what would happen, then the operator; then does it to those that were shown. */
async function actOnPicked(verb) {
	const label = VERBS[verb];
	const send = (ids, more) => tell(() => post('actions', { verb, selector: { ids }, ...more }));
	const plan = await send([...picked].map(Number), { dry_run: true, why: null });
	if (!plan) return;
	const able = plan.results.filter((one) => one.accepted);
	const left = plan.results.filter((one) => !one.accepted);
	const matching = plural(plan.matched, 'task matches', 'tasks match');
	const refusal = (one) => `${taskTitle(one)}: ${one.detail ?? words(one.code)}`;
	if (!able.length) {
		say(`${matching}, but it applies to none now.`, true);
		return;
	}
	const why = await confirmed({
		title: `${label} ${plural(able.length, 'task')}?`,
		text: `${matching}; it applies to ${number(able.length)} now.`,
		list: [...able.map(taskTitle), ...left.map((one) => `left alone: ${refusal(one)}`)],
		danger: isDanger(verb),
	});
	if (why === null) return;
	const result = await send(able.map((one) => one.id), { dry_run: false, why: why || null });
	if (!result) return;
	const failed = result.results.find((one) => !one.accepted);
	say(`${label} asked: ${number(result.accepted)} of ${plural(result.matched, 'task')}.${failed ? ` Not ${refusal(failed)}.` : ''}`, !result.accepted);
	pickShown(false);
	refresh();
}

// ---- Acting on one task

/** Does it, and says what went wrong if it did. */
async function tell(action) {
	try {
		return await action();
	} catch (error) {
		const how = error instanceof Refused ? 'The server refused' : 'No answer';
		say(`${how}: ${error.message}`, true);
		return null;
	}
}

const verbsOf = (task) => task.actions.map((verb) => verb.replaceAll('_', '-')).filter((verb) => VERBS[verb]);

async function act(task, verb) {
	const label = VERBS[verb];
	let why = '';
	if (ASKS.includes(verb)) {
		why = await confirmed({
			title: `${label} ${task.name}?`,
			text: `#${task.id}, ${stateWord(stateLabel(task))}${task.attempt ? `, attempt ${number(task.attempt)}` : ''}.`,
			danger: isDanger(verb),
		});
		if (why === null) return;
	}
	const answer = await tell(() => post(`tasks/${task.id}/actions/${verb}`, why ? { why } : {}));
	if (!answer) return;
	say(answer.asked_by_this_call ? `${label} asked: ${taskTitle(task)}` : `${taskTitle(task)}: that had been asked before`);
	refresh();
}

/** What `x` does: the opened task, else the current row. */
function cancelCurrent() {
	const task = view.task ? detail.task : table.byId.get(table.current);
	if (!task) say('No row is current: move with j and k.');
	else if (!canAct()) say('Read-only: nothing can be canceled here.', true);
	else if (!verbsOf(task).includes('cancel')) say(`${taskTitle(task)} cannot be canceled: it is ${stateWord(stateLabel(task))}.`, true);
	else act(task, 'cancel');
}

/** Resolves to the "why", perhaps empty; to null when the operator went back. */
let settleQuestion = null;
function confirmed({ title, text, list = [], danger = false }) {
	const most = 8;
	setText('ask-title', title);
	setText('ask-text', text);
	setText('ask-confirm', title.replace(/\?$/, ''));
	$('ask-confirm').classList.toggle('danger', danger);
	const more = list.length > most && `and ${number(list.length - most)} more`;
	show($('ask-list'), ...[...list.slice(0, most), more].filter(Boolean).map((line) => el('li', null, line)));
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

// ---- One task

const detail = { task: null, at: 0, isGone: false, opener: null, scroll: 0, events: [], hasNews: false };
const isNarrow = () => matchMedia('(width < 1000px)').matches; // then it takes the place of everything else

function openDetail(id) {
	Object.assign(detail, { task: null, isGone: false, events: [], scroll: window.scrollY });
	detail.opener ??= document.activeElement;
	document.body.classList.add('has-detail');
	$('detail').hidden = false;
	$('detail').scrollTop = 0;
	$('detail-body').hidden = true;
	setText('detail-title', `Task #${id}`);
	for (const part of ['state', 'actions', 'attempts', 'events']) show($(`detail-${part}`));
	showTrouble('');
	$('detail-title').focus({ preventScroll: true });
	if (isNarrow()) window.scrollTo(0, 0);
	loadDetail(true);
}

function closeDetail() {
	const opener = detail.opener?.isConnected && detail.opener !== document.body ? detail.opener : linkOf(detail.task?.id);
	document.body.classList.remove('has-detail');
	$('detail').hidden = true;
	if (isNarrow()) window.scrollTo(0, detail.scroll);
	(opener ?? $('table-scroll')).focus({ preventScroll: true });
	Object.assign(detail, { task: null, opener: null, events: [] });
}

const leaveDetail = () => go({ ...view, task: '' });

/** With `signal` it is part of a poll, which tells what is wrong with the connection. */
async function loadDetail(withEvents, signal) {
	const id = view.task;
	if (!id || (detail.isGone && !withEvents)) return;
	try {
		const [{ task }, attempts, history] = await Promise.all([
			ask(`tasks/${id}`, { signal }),
			ask(`tasks/${id}/attempts`, { signal }),
			withEvents ? ask(`events?task=${id}&limit=50`, { signal }) : null,
		]);
		if (view.task !== id) return;
		Object.assign(detail, { task, at: performance.now() });
		if (history) detail.events = history.events;
		showDetail(attempts);
	} catch (error) {
		if (view.task !== id) return;
		if (!(error instanceof Refused) && signal) throw error;
		detail.isGone = error.status === 404;
		if (error instanceof Refused) detail.task = null;
		show($('detail-actions'));
		showTrouble(detail.isGone ? 'The server does not know this task any more.' : error.message);
	}
}

function showTrouble(text) {
	$('detail-trouble').hidden = !text;
	setText('detail-trouble', text);
}

function showDetail({ attempts, running, backoff }) {
	const { task } = detail;
	const failure = task.last_failure;
	showTrouble('');
	$('detail-body').hidden = false;
	show($('detail-title'), el('bdi', null, task.name));
	show($('detail-state'), stateOf(task), ...flagsOf(task));
	show($('detail-actions'), ...actionButtons(task));
	$('detail-failure').hidden = !failure;
	if (failure) show($('detail-failure'), ...failureParts(failure));
	showFacts();
	showAttempts(attempts, running);
	showBackoff(backoff, task.streak);
	showDetailEvents();
}

function failureParts({ text, kind, is_fatal: isFatal, exit_code: code }) {
	const facts = [kind, isFatal && 'fatal', code !== null && `exit code ${code}`].filter(Boolean).join(', ');
	return [
		el('h3', null, 'Last failure'), el('p', null, facts),
		el('pre', { tabindex: 0, role: 'region', 'aria-label': 'Text of the last failure' }, text),
	];
}

function actionButtons(task) {
	if (!canAct()) return [muted('Read-only: no actions from here.')];
	const verbs = verbsOf(task);
	if (!verbs.length) return [muted('Nothing to do in this state.')];
	return verbs.map((verb) => el('button', {
		type: 'button', 'data-key': verb, 'data-verb': verb, 'data-testid': `action-${verb}`, class: isDanger(verb) && 'danger',
	}, VERBS[verb]));
}

function factsOf(task) {
	const since = now() - detail.at;
	const worker = [task.worker, task.is_polling && 'polling now', task.is_responding === false && 'not responding'];
	return {
		Id: `#${task.id}`,
		Slot: slotOf(task)?.slice('slot '.length),
		'In state': inPhase(task, detail.at),
		Age: ticking(task.age_ms + since),
		'Next attempt': untilNext(task, detail.at),
		Attempt: task.attempt,
		'Up for': task.uptime_ms !== null && ticking(task.uptime_ms + since),
		Restarts: task.restarts,
		'Failures in a row': task.streak,
		Outcome: task.outcome && (task.outcome.text || words(task.outcome.label)),
		'Canceled because': words(task.cancel_cause),
		'Stopping for': task.stopping_ms !== null && ticking(task.stopping_ms + since),
		Required: task.is_required && 'yes, for readiness',
		Paused: task.is_paused && 'yes',
		Worker: task.worker !== null && worker.filter((one) => one !== false).join(', '),
		Removed: task.phase === 'ended' && (task.is_removed ? 'yes' : 'not yet: it holds its thread'),
		Policy: task.policy,
	};
}

function showFacts() {
	if (!detail.task) return;
	const facts = Object.entries(factsOf(detail.task)).filter(([, value]) => value);
	show($('detail-facts'), ...facts.map(([name, value]) => el('div', { 'data-key': name }, el('dt', null, name), el('dd', null, value))));
}

function afterAttempt({ delay_ms: delay, why, streak }) {
	const reasons = { interval: 'its interval', backoff: `back-off at streak ${streak}`, retry_after: 'as the failure asked for' };
	return `then ${delay ? `after ${duration(delay)}` : 'at once'}: ${reasons[why] ?? words(why)}`;
}

function showAttempts(attempts, running) {
	const list = attempts.map(attemptItem).reverse();
	if (running) list.unshift(attemptItem({ ...running, end: 'running', failure: null, next: null }));
	show($('detail-attempts'), ...orNone(list));
}

function attemptItem({ attempt, started_at: start, end, took_ms: took, uptime_ms: up, failure, next }) {
	const isRunning = end === 'running';
	const tone = endTone(end);
	return el('li', { class: 'attempt', 'data-key': `${attempt}${isRunning ? ' running' : ''}` },
		el('p', { class: 'attempt-line' },
			el('strong', null, `#${attempt}`), el('time', { datetime: start }, clockTime(start)),
			withIcon(isRunning ? 'play' : { ok: 'check', bad: 'cross', idle: 'dash' }[tone], tone, words(end)),
			el('span', { class: 'took' }, isRunning ? `for ${ticking(up ?? 0)}` : `took ${duration(took)}`)),
		failure && el('p', null, failure.text),
		next && el('p', { class: 'muted' }, afterAttempt(next)));
}

function showBackoff(backoff, streak) {
	const hasCurve = backoff?.curve_ms.some((ms) => ms > 0);
	$('detail-backoff').hidden = !hasCurve;
	if (!hasCurve) return;
	const { first_ms: first, factor, max_ms: max, jitter, is_immediate: isImmediate } = backoff;
	const facts = [`${duration(first)} × ${factor} up to ${duration(max)}`, jitter === 'none' ? 'no jitter' : `${jitter} jitter (the curve is without)`];
	if (isImmediate) facts.push('the first retry at once');
	setText('detail-backoff-text', facts.join(', '));
	show($('detail-curve'), curve(backoff.curve_ms, streak));
}

function showDetailEvents() {
	const rows = detail.events.map((event) => eventRow(event, false)).reverse();
	show($('detail-events'), ...orNone(rows));
}

// ---- Slots

function showSlots({ slots, total }) {
	$('slots').hidden = $('jump-slots').hidden = slots.length === 0;
	show($('slot-list'), ...slots.map(slotCard));
	const rest = total - slots.length;
	setText('slot-more', rest > 0 ? `…and ${plural(rest, 'more slot')}: filter by slot to see one.` : '');
}

function slotCard({ name, state, concurrency, in_use_ms: inUse, attached, opens_in_ms: opens, owners, queue, queued }) {
	const list = (parts) => parts.filter(Boolean).join(' · ');
	const line = (task, parts) => el('li', { 'data-key': task.id }, taskLink(task), ' ', muted(list(parts)));
	const rest = queued - QUEUE_SHOWN;
	return el('li', { class: 'slot', 'data-key': name },
		el('h3', null, el('a', { href: addressOf({ slot: name }), 'data-view': 'tasks' }, el('bdi', null, name))),
		el('p', { class: 'muted' }, list([
			words(state), `${owners.length} of ${concurrency} in use`, inUse && `for ${ticking(inUse)}`,
			attached > 0 && `${attached} attached`, opens && `opens in ${duration(opens)}`,
		])),
		el('ul', { class: 'owners' }, ...owners.map((task) => line(task, [`${stateWord(task.phase)} for ${ticking(task.in_phase_ms)}`]))),
		el('ol', { class: 'queue' }, ...queue.slice(0, QUEUE_SHOWN).map((task) => line(task, [
			`waits for ${ticking(task.age_ms)}`, task.priority && `priority ${task.priority}`,
			task.due_in_ms !== null && `due in ${duration(task.due_in_ms)}`,
			task.times_out_in_ms !== null && `gives up in ${duration(task.times_out_in_ms)}`,
		]))),
		rest > 0 && el('p', { class: 'muted' }, `and ${number(rest)} more in the queue`));
}

// ---- Events
//
// They can come in faster than anybody reads: they are kept by severity, so that a flood of small ones does not push out
// an error, and the newest are shown a few times a second.

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

/** An entry is an event, or what the page has to say in between: a gap, a restart. */
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

function renderFeed(most = FEED_PER_RENDER, isAsked = false) {
	const waiting = feed.waiting.length + feed.skipped;
	if (!isAsked && (feed.isPaused || feed.isPointed)) {
		const why = feed.isPaused ? 'Paused' : 'Held while the pointer is here';
		setText('feed-note', waiting ? `${why}: ${number(waiting)} waiting` : feed.isPaused ? why : '');
		return;
	}
	setText('feed-note', summary?.events.lost ? `${plural(summary.events.lost, 'event')} lost so far` : '');
	if (!waiting) return;
	const fresh = feed.waiting.slice(-most);
	const rows = fresh.reverse().map((entry) => eventRow(entry));
	const more = waiting - fresh.length;
	if (more > 0) rows.push(el('li', { class: 'feed-more', 'data-skipped': more }, `…${number(more)} more not shown`));
	feed.waiting = [];
	feed.skipped = 0;
	$('feed').querySelector('[data-empty]')?.remove();
	$('feed').prepend(...rows);
	while ($('feed').childElementCount > FEED_ROWS) $('feed').lastElementChild.remove();
}

/** From what is kept: at the start, and when the filter changes. */
function rebuildFeed() {
	const all = SEVERITIES.flatMap((severity) => feed.kept[severity]).filter(passes);
	feed.waiting = all.sort((a, b) => a.order - b.order).slice(-FEED_ROWS);
	feed.skipped = 0;
	$('feed').replaceChildren(el('li', { class: 'feed-more', 'data-empty': '' }, 'No events yet.'));
	renderFeed(FEED_ROWS, true);
}

function eventRow(event, withTask = true) {
	const row = { class: 'feed-row', 'data-testid': 'event', 'data-severity': event.severity, 'data-key': event.id };
	if (event.note) {
		return el('li', { ...row, class: 'feed-note', 'data-gap': event.isGap }, icon('alert'), event.note);
	}
	return el('li', row,
		el('time', { datetime: event.at }, clockTime(event.at)),
		el('strong', { class: `tone-${toneOf(event.severity)}` }, event.severity),
		el('span', { class: 'feed-text' },
			el('strong', null, words(event.label)),
			' ', withTask && event.task && taskLink(event.task), ' ', restOf(event)));
}

/** The text without what is shown in places of its own. */
const restOf = ({ text, label, task }) =>
	text.replace(label, '').replace(task ? taskTitle(task) : '', '').replace(/^[\s:]+/, '');

function takeEvent(event) {
	const boot = event.id.slice(0, event.id.lastIndexOf('-'));
	if (boot === stream.boot && event.seq <= stream.seq) return false; // replayed, and known
	stream.boot = boot;
	stream.seq = event.seq;
	stream.lastId = event.id;
	keep(event);
	if (view.task && event.task && String(event.task.id) === view.task) {
		detail.events.push(event);
		if (detail.events.length > 50) detail.events.shift();
		detail.hasNews = true;
	}
	return true;
}

function takeGap({ lost, reason }) {
	const what = lost === null ? 'Some events were missed' : `${plural(lost, 'event was', 'events were')} missed`;
	keep({ note: `${what} (${words(reason)})`, isGap: true, severity: 'warn' });
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
	source.addEventListener('gap', (message) => {
		takeGap(JSON.parse(message.data));
		pollSoon();
	});
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
	stream.timer = setTimeout(openStream, backoff(live.isDraining ? 4 : stream.failures));
	showConnection();
}

/** Without a stream (there are too many, say) the events come with the polls. */
async function catchUp(signal) {
	if (stream.source || !stream.failures) return;
	const after = stream.lastId ? `after=${encodeURIComponent(stream.lastId)}&` : '';
	const { events, gap } = await ask(`events?${after}limit=100`, { signal });
	if (gap) takeGap({ lost: null, reason: 'overrun' });
	events.forEach(takeEvent);
	renderSoon();
}

// ---- Staying up to date

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
	stopPolling();
	poll();
}

function stopPolling() {
	clearTimeout(live.timer);
	live.abort?.abort();
	live.abort = null;
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
			ask(`slots?per_page=${SLOTS_SHOWN}`, { signal }),
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

/** A filter that is not understood is no trouble of the connection. */
function keepBadFilter(error) {
	if (error instanceof Refused && error.status === 400) return error;
	throw error;
}

function answered(about, tasks, slots) {
	const wasAway = live.failures > 0;
	live.failures = 0;
	live.okAt = performance.now();
	live.standsAt = isOn() ? null : live.okAt;
	const isOther = live.boot !== null && live.boot !== about.boot;
	live.boot = about.boot;
	if (isOther) startOver();
	live.isDraining ||= about.state !== 'serving';
	showSummary(about);
	if (tasks instanceof Refused) showRefusedFilter(tasks);
	else showTasks(tasks);
	showSlots(slots);
	if (wasAway && !isOther) say('Connected again.');
	if (wasAway && !stream.source) openStream();
	showConnection();
}

function failed(error) {
	live.failures += 1;
	live.standsAt ??= performance.now();
	if (error instanceof Refused && error.code === 'shutting_down') live.isDraining = true;
	if (error instanceof Refused && error.status < 500) say(`The server refused: ${error.message}`, true);
	else if (live.failures === 2) say('The connection is lost; trying again.', true);
	showConnection();
}

/** Another boot: numbers and ids of before mean nothing now. */
function startOver() {
	live.isDraining = false;
	table.isForced = true;
	table.current = null;
	picked.clear();
	if (stream.boot !== live.boot) Object.assign(stream, { lastId: null, boot: live.boot, seq: 0 }); // else the stream saw it first
	keep({ note: 'The server was restarted', severity: 'warn' });
	say('The server was restarted. Everything here is from the new run.');
	closeStream();
	startEvents();
	if (view.task) loadDetail(true);
}

function showConnection() {
	const [tone, text] = connection();
	setText('connection', text);
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
	setText('live', live.isPaused ? 'Go live' : 'Pause');
	if (isOn()) {
		live.standsAt = live.failures ? live.standsAt : null;
		openStream();
		refresh();
	} else {
		live.standsAt ??= performance.now();
		stopPolling();
		closeStream();
	}
	showConnection();
}

function togglePaused() {
	live.isPaused = !live.isPaused;
	showLive();
	say(live.isPaused ? 'Paused: nothing changes until you go live again.' : 'Live.');
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

// ---- Keys and theme

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
		if (keysOn && isFree) linkOf(table.current)?.click();
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

const THEMES = ['auto', 'dark', 'light'];

function showTheme(theme) {
	document.documentElement.dataset.theme = theme;
	setText('theme', `Theme: ${theme}`);
}

function nextTheme() {
	const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
	memory.set('theme', next);
	showTheme(next);
}

// ---- Start

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
	on('search', 'input', typedSoon);
	on('slot-filter', 'input', typedSoon);
	on('state-filter', 'change', () => filterBy({ state: $('state-filter').value }));
	on('filters', 'submit', (event) => {
		event.preventDefault();
		typed();
	});
}

function listenToTable() {
	on('rows', 'pointerover', (event) => { table.isPointed = event.pointerType === 'mouse'; });
	on('rows', 'pointerleave', () => {
		table.isPointed = false;
		releaseRows();
	});
	on('rows', 'focusin', (event) => setCurrent(keyOf(event.target.closest('tr')) ?? null));
	on('rows', 'focusout', () => setTimeout(releaseRows));
	on('pick-all', 'change', () => pickShown($('pick-all').checked));
	on('rows', 'change', (event) => pick(keyOf(event.target.closest('tr')), event.target.checked));
	on('bulk-none', 'click', () => {
		pickShown(false);
		$('table-scroll').focus({ preventScroll: true });
	});
	$('bulk-verbs').append(...Object.entries(VERBS).map(([verb, label]) =>
		el('button', { type: 'button', 'data-testid': `bulk-${verb}`, 'data-verb': verb, class: isDanger(verb) && 'danger' }, label)));
	const onVerb = (action) => (event) => {
		const { verb } = event.target.closest('[data-verb]')?.dataset ?? {};
		if (verb) action(verb);
	};
	on('bulk-verbs', 'click', onVerb(actOnPicked));
	on('detail-actions', 'click', onVerb((verb) => detail.task && act(detail.task, verb)));
}

function listenToFeed() {
	on('feed', 'pointerover', (event) => { feed.isPointed = event.pointerType === 'mouse'; });
	on('feed', 'pointerleave', () => {
		feed.isPointed = false;
		renderFeed();
	});
	on('feed-pause', 'click', () => {
		feed.isPaused = !feed.isPaused;
		setText('feed-pause', feed.isPaused ? 'Resume events' : 'Pause events');
		renderFeed(FEED_ROWS);
	});
	on('severity', 'change', () => {
		feed.least = $('severity').value;
		rebuildFeed();
	});
}

function listenToDialogs() {
	on('ask-form', 'submit', (event) => {
		event.preventDefault();
		settle($('ask-why').value.trim());
	});
	on('ask-back', 'click', () => settle(null));
	on('ask', 'close', () => settle(null));
	on('help-open', 'click', openHelp);
	on('keys-on', 'change', () => {
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
	on('live', 'click', togglePaused);
	on('theme', 'click', nextTheme);
	on('detail-close', 'click', leaveDetail);
	on('status-close', 'click', unsay);
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
