// SPDX-License-Identifier: GPL-2.0-or-later
// A function's source with a row for each line: hits, times, heat.
'use strict';

const SOURCE_GAP = 200; // lines without a row that are still shown: GAP_MAX in user/output/html_sources.c

// of(line) gives a number; times, whose columns of one kind have one unit, in nanoseconds, or in samples
// where `cpu`. Columns that say nothing of any line are left out, those `alone` where lines were timed, those `off`
// where nobody looked (--off-cpu).
const LINE_COLUMNS = [
	{key: 'hits', label: 'Hits', width: '5.6rem', hint: 'how often control entered the line', of: (line) => line.hits,
		differs: (line) => line.hits || line.sites},
	{key: 'time', label: 'Time', width: '6.4rem', time: 'whole', className: 'time', hint: 'callees included', of: (line) => line.total_ns},
	{key: 'self', label: 'Self', width: '6rem', time: 'whole', className: 'narrow-off', hint: 'without measured callees', of: (line) => line.self_ns,
		differs: (line) => line.self_ns !== line.total_ns},
	{key: 'hit', label: 'Per hit', width: '6rem', time: 'each', className: 'narrow-off', of: (line) => line.hits ? line.total_ns / line.hits : 0},
	{key: 'longest', label: 'Longest', width: '6.4rem', time: 'each', className: 'narrow-off', hint: 'longest single stay in the line', of: (line) => line.max_ns},
	{key: 'share', label: '% Time', width: '4.4rem', of: (line, totals) => totals.time > 0 ? line.total_ns / totals.time : 0},
	{key: 'running', label: 'On CPU', width: '7.4rem', className: 'phone-off', time: 'whole', off: true, hint: 'part of Time that threads ran', of: (line) => runningTime(line)},
	{key: 'waiting', label: 'Waiting', width: '7.4rem', className: 'phone-off', time: 'whole', off: true, hint: 'part of Time that threads were ready and waited for a CPU',
		of: (line) => line.waiting_ns || 0},
	{key: 'blocked', label: 'Blocked', width: '7.4rem', time: 'whole', off: true, hint: 'part of Time that threads slept', of: (line) => line.blocked_ns || 0},
	{key: 'on_cpu', label: '% on CPU', width: '5.4rem', className: 'phone-off', hint: 'share of the line\'s time that was on a CPU', of: (line) => line.total_ns > 0 ? line.cpu_total_samples : 0},
	{key: 'cpu', label: 'CPU self', width: '7rem', cpu: true, time: 'cpu', hint: 'on-CPU time in the line itself, as samples found it', of: (line) => line.cpu_samples},
	{key: 'cpu_total', label: 'CPU total', width: '7rem', cpu: true, time: 'cpu', hint: 'on-CPU time with what the line called',
		of: (line) => line.cpu_total_samples, alone: true},
];

function presentColumns(lines, offCpu) {
	const timed = lines.some((line) => line.total_ns);
	return LINE_COLUMNS.filter((column) => column.off ? offCpu && timed : !(column.alone && timed) &&
		lines.some(column.differs || ((line) => column.of(line, {time: 1}) !== 0)));
}

// What the columns' numbers add up to, and the units of times. % on CPU is of the time of all calls.
function lineScales(data, fn, columns) {
	const totals = {time: 0, samples: 0}, units = {}, largest = {};
	for (const line of fn.lines) {
		totals.time += line.total_ns;
		totals.samples += line.cpu_samples;
	}
	const ns = (column, number) => column.cpu ? cpuTime(data, number) : number;
	for (const column of columns.filter((each) => each.time))
		for (const line of fn.lines)
			largest[column.time] = Math.max(largest[column.time] || 0, Math.abs(ns(column, column.of(line))));
	for (const kind in largest)
		units[kind] = unitFor(largest[kind]);
	const onCpu = (line) => cpuShare(data, fn, line);
	return {totals, units, onCpu, ns};
}

// The share of a line's time that was on a CPU, as far as samples tell (user/model/certainty.h): "90.0", "<12.0", or nothing.
function cpuShare(data, fn, line) {
	const samples = line.cpu_total_samples, error = 2 * Math.sqrt(samples + 1), few = samples <= error;
	const all = estimate(fn, line.total_ns) / data.profile.sampling_period_ns;
	if (!(all > 0) || error > 0.5 * all || (fn.budget && fn.budget.lines_away_ns))
		return '';
	const share = Math.min(1, (few ? samples + 1 + error : samples) / all);
	return (few && share >= 0.0005 ? '<' : '') + (100 * share).toFixed(1);
}

// The errors of what columns show, and the times that they are of.
const LINE_ERRORS = {time: ['total_ns', 'error_ns'], self: ['self_ns', 'self_error_ns'],
	hit: ['total_ns', 'error_ns'], share: ['total_ns', 'error_ns']};

function lineText(line, column, scales) {
	const [time, error] = LINE_ERRORS[column.key] || [];
	if (!time || !drowns(line[time], line[error]) || !(line.hits || line[time]))
		return exactText(line, column, column.of(line, scales.totals), scales);
	const bound = {...line, [time]: line[time] + line[error]};
	return '<' + exactText(bound, column, column.of(bound, scales.totals), scales);
}

function exactText(line, column, number, {units, onCpu, ns}) {
	const ran = line.hits || line.total_ns;
	if (column.key === 'hits')
		return line.hits || line.sites ? count(number) : '';
	if (column.key === 'share')
		return ran ? (100 * number).toFixed(1) : '';
	if (column.key === 'on_cpu')
		return onCpu(line);
	if (column.cpu ? !number : !ran)
		return '';
	return decimal(ns(column, number) / units[column.time][1]);
}

function lineCells(line, columns, scales) {
	const {totals} = scales;
	return columns.map((column) => {
		const made = cell(line ? lineText(line, column, scales) : '', column.className);
		const [time, error] = LINE_ERRORS[column.key] || [];
		if (line && line[error])
			made.title = withError(line[time], line[error]);
		if (column.key === 'time' && totals.time > 0 && line)
			heat(made, line.total_ns / totals.time);
		if (column.key === 'cpu' && totals.samples && line)
			heat(made, line.cpu_samples / totals.samples);
		return made;
	});
}

function lineRow(number, line, text, reason, columns, scales) {
	const code = cell(text === undefined ? '' : visible(text), 'code wide');
	const heatShare = !line ? 0 : scales.totals.time > 0 ? line.total_ns / scales.totals.time
		: scales.totals.samples ? line.cpu_samples / scales.totals.samples : 0;
	let className = !line ? 'bare' : !line.hits && !line.cpu_samples && line.sites ? 'never' : '';

	heat(code, heatShare * 0.6);
	if (reason) {
		className += ' uncounted';
		code.append(element('span', {className: 'tag'}, `not counted: ${shortened(reason, 1000)}`));
	}
	if (line && line.timing === 'shared')
		className += ' shared';
	const row = makeRow([cell(number, 'number'), ...lineCells(line, columns, scales), code], className);
	row.dataset.line = number;
	if (heatShare >= 0.05)
		row.dataset.hot = heatShare.toFixed(3);
	return row;
}

// Rows of one file: measured lines, and the source between them from line `first` on.
function fileRows(first, lines, source, reasons, columns, scales) {
	const rows = [];
	const add = (number, line) => {
		rows.push(lineRow(number, line, sourceLine(source, number), reasons.get(number), columns, scales));
		reasons.delete(number);
	};
	let next = first;
	for (const line of lines) {
		if (line.line > next + SOURCE_GAP) {
			rows.push(makeRow([cell('⋮', 'number')], 'gap bare'));
			next = line.line;
		}
		for (; next < line.line; next++)
			if (sourceLine(source, next) !== undefined)
				add(next, null);
		add(line.line, line);
		next = line.line + 1;
	}
	if (!lines.length && sourceLine(source, first) !== undefined)
		add(first, null);
	return rows;
}

// Own file first, then others that rows come from (macros, included tables): [[file, lines]...].
function linesByFile(fn) {
	const files = new Map([[fn.file, []]]);
	for (const line of fn.lines) {
		if (!files.has(line.file))
			files.set(line.file, []);
		files.get(line.file).push(line);
	}
	return [...files];
}

function sourceNote(source, profile) {
	if (!source || source.state === 'missing')
		return element('p', {className: 'note warning'}, 'The source file was not there: the rows stand without contents.');
	if (source.state === 'changed')
		return element('p', {className: 'note warning'}, 'The source file was changed after this profile began: contents may be off.');
	return null;
}

function sourceTables(data, fn) {
	const columns = presentColumns(fn.lines, fn.off_cpu);
	const scales = lineScales(data, fn, columns);
	const parts = [];
	const labelled = [{label: 'Line', width: '3.6rem', fixed: true, className: 'number'},
		...columns.map((column) => ({...column, key: undefined,
			label: column.time ? `${column.label} (${scales.units[column.time][0]})` : column.label})),
		{label: 'Source', width: 'minmax(14rem, 1fr)', className: 'code text wide'}];

	for (const [file, lines] of linesByFile(fn)) {
		const source = data.sources.get(file);
		const own = file === fn.file;
		const reasons = new Map(fn.omissions.filter((each) => each.line && each.file === file).map((each) => [each.line, each.reason]));
		const first = own && fn.line && (!lines.length || fn.line < lines[0].line) ? fn.line : lines.length ? lines[0].line : fn.line;
		const rows = fileRows(first, lines, source, reasons, columns, scales);
		if (!rows.length && !lines.length)
			continue;
		const {table, body} = makeTable('source', labelled);
		fillTable(body, rows);
		parts.push(element('h3', {}, shortened(file || 'Source', 4096)), sourceNote(source), table);
		for (const [number, reason] of [...reasons].slice(0, 20))
			parts.push(element('p', {className: 'note'}, `Line ${number} not counted: ${shortened(reason, 1000)}`));
	}
	return parts.filter((part) => part);
}
