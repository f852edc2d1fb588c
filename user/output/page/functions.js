// SPDX-License-Identifier: GPL-2.0-or-later
// The view of all functions: cProfile's table, sortable, searchable.
'use strict';

const functionsView = {sort: null, search: '', table: null, filter: null};

const FUNCTION_COLUMNS = [
	{key: 'calls', label: 'Calls', width: '6.5rem', hint: 'outermost calls / all calls, exact', of: (fn) => fn.calls,
		present: (fn) => !isSampledOnly(fn)},
	{key: 'self', label: 'Self', width: '7rem', hint: 'time without measured callees', of: (fn) => estimate(fn, fn.self_ns),
		present: (fn) => fn.timed_calls > 0},
	{key: 'self_call', label: 'per call', width: '6.5rem', className: 'narrow-off', hint: 'self time of a call',
		of: (fn) => fn.timed_calls ? fn.self_ns / fn.timed_calls : 0, present: (fn) => fn.timed_calls > 0},
	{key: 'total', label: 'Total', width: '7rem', hint: 'time from entry to exit, outermost calls only',
		of: (fn) => estimate(fn, fn.total_ns), present: (fn) => fn.timed_calls > 0},
	{key: 'total_call', label: 'per call', width: '6.5rem', className: 'narrow-off', hint: 'total time of an outermost call',
		of: totalPerCall, present: (fn) => fn.timed_calls > 0},
	{key: 'cpu', label: 'CPU self', width: '8rem', hint: 'on-CPU time of its own code, as samples found it', of: (fn) => fn.cpu_samples,
		present: (fn) => fn.cpu_total_samples > 0},
	{key: 'cpu_share', label: '% self', width: '5rem', className: 'narrow-off', hint: 'share of all samples', of: (fn) => fn.cpu_samples,
		present: (fn) => fn.cpu_total_samples > 0},
	{key: 'cpu_total', label: 'CPU total', width: '8rem', hint: 'on-CPU time with what it called', of: (fn) => fn.cpu_total_samples,
		present: (fn) => fn.cpu_total_samples > 0},
	{key: 'name', label: 'Function', width: 'minmax(20rem, 1fr)', className: 'text wide name', of: (fn) => fn.name},
];

function totalPerCall(fn) {
	const outermost = isPartial(fn) ? fn.primitive_calls * fn.timed_calls / fn.calls : fn.primitive_calls;
	return fn.timed_calls && outermost ? fn.total_ns / outermost : 0;
}

function functionRow(data, fn, columns, units, largest) {
	const upper = {...fn, total_ns: fn.total_ns + fn.error_ns, self_ns: fn.self_ns + fn.self_error_ns};
	const totalDrowns = drowns(fn.total_ns, fn.error_ns), selfDrowns = drowns(fn.self_ns, fn.self_error_ns);
	const columnOf = (key) => FUNCTION_COLUMNS.find((column) => column.key === key).of;
	const timed = (of, drowned, unit) => !fn.timed_calls ? '–'
		: drowned ? '<' + decimal(of(upper) / unit[1]) : decimal(of(fn) / unit[1]);
	const errors = {self: ['self_ns', 'self_error_ns'], total: ['total_ns', 'error_ns']};
	const partial = isPartial(fn) ? ' partial' : '';
	const texts = {
		calls: fn.primitive_calls === fn.calls ? count(fn.calls) : `${count(fn.primitive_calls)}/${count(fn.calls)}`,
		self: timed(columnOf('self'), selfDrowns, units.total),
		self_call: timed(columnOf('self_call'), selfDrowns, units.call),
		total: timed(columnOf('total'), totalDrowns, units.total),
		total_call: timed(columnOf('total_call'), totalDrowns, units.call),
		cpu: decimal(cpuTime(data, fn.cpu_samples) / units.cpu[1]),
		cpu_share: (100 * fn.cpu_samples / (data.samples || 1)).toFixed(1),
		cpu_total: decimal(cpuTime(data, fn.cpu_total_samples) / units.cpu[1]),
	};
	const cells = columns.map((column) => {
		if (column.key === 'name')
			return element('div', {className: column.className}, linkTo(fn),
				element('span', {className: 'place', title: shortened(placeOf(fn), 4096)}, '  ' + shortened(shortPlaceOf(fn))));
		const made = cell(texts[column.key], (column.className || '') +
			(partial && (column.key === 'self' || column.key === 'total') ? partial : ''));
		const [time, error] = errors[column.key] || [];
		if (fn.timed_calls && fn[error])
			made.title = withError(estimate(fn, fn[time]), estimate(fn, fn[error]));
		if (['self', 'total', 'cpu', 'cpu_total'].includes(column.key))
			heat(made, column.of(fn) / largest[column.key]);
		return made;
	});
	return makeRow(cells);
}

// Everything of the table but the order of its rows: made once.
function prepareFunctions(data) {
	const {functions} = data.profile;
	const columns = FUNCTION_COLUMNS.filter((column) => !column.present || functions.some(column.present));
	const largest = {};
	for (const column of columns.filter((each) => each.key !== 'name'))
		largest[column.key] = functions.reduce((most, fn) => Math.max(most, column.of(fn)), 0);
	const units = {
		total: unitFor(Math.max(largest.total || 0, largest.self || 0)),
		cpu: unitFor(cpuTime(data, largest.cpu_total || 0)),
		call: unitFor(Math.max(largest.total_call || 0, largest.self_call || 0)),
	};
	const sortable = ['total', 'cpu', 'calls', 'name'].find((key) => columns.some((column) => column.key === key));
	functionsView.sort = {key: sortable, descending: sortable !== 'name'};
	return {
		columns: columns.map((column) => ({...column,
			label: ['self', 'total'].includes(column.key) ? `${column.label} (${units.total[0]})`
				: ['cpu', 'cpu_total'].includes(column.key) ? `${column.label} (${units.cpu[0]})`
				: column.label === 'per call' ? `${column.label} (${units.call[0]})` : column.label})),
		rows: functions.map((fn) => functionRow(data, fn, columns, units, largest)),
		needles: functions.map((fn) => `${fn.name}\n${fn.linkage_name}\n${placeOf(fn)}`.toLowerCase()),
	};
}

function orderFunctions(functions, sort) {
	const by = FUNCTION_COLUMNS.find((column) => column.key === sort.key).of;
	const order = functions.map((fn, index) => [by(fn), index]);
	return order.sort(([a, i], [b, j]) => {
		const sign = a < b ? -1 : a > b ? 1 : 0;
		return sign ? (sort.descending ? -sign : sign) : i - j;
	}).map(([, index]) => index);
}

function showFunctions(data, main) {
	const {functions} = data.profile;
	const {columns, rows, needles} = functionsView.table ??= prepareFunctions(data);
	const {sort} = functionsView;
	const said = element('p', {className: 'note', role: 'status', id: 'matches'});
	const order = orderFunctions(functions, sort);
	const {table, body} = makeTable('functions', columns, sort, (key) => {
		functionsView.sort = {key, descending: sort.key === key ? !sort.descending : key !== 'name'};
		showFunctions(data, main);
		main.querySelector('[aria-sort]').focus();
	});
	functionsView.filter = () => {
		const needle = functionsView.search.trim().toLowerCase();
		const found = order.filter((index) => needles[index].includes(needle));
		fillTable(body, found.map((index) => rows[index]));
		said.textContent = needle ? `${count(found.length)} of ${count(functions.length)} functions`
			: `${count(functions.length)} functions`;
	};
	functionsView.filter();
	main.replaceChildren(said, table, ...functionNotes(data));
}

function functionNotes(data) {
	const notes = [];
	if (data.profile.functions.some(isPartial))
		notes.push(element('p', {className: 'note'}, '~ estimated from the calls that were timed'));
	if (!data.profile.functions.length)
		notes.push(element('p', {className: 'note'}, 'The profile has no functions.'));
	return [...notes, ...lossNotes(data)];
}
