// SPDX-License-Identifier: GPL-2.0-or-later
// The view of one function: its figures, source, durations, callers and callees.
'use strict';

function edgeTable(data, title, edges, elsewhere) {
	if (!edges.length)
		return null;
	const unit = unitFor(edges.reduce((most, edge) => Math.max(most, Math.abs(edge.total_ns)), 0));
	const total = edges.reduce((sum, edge) => sum + Math.max(0, edge.total_ns), 0);
	const {table, body} = makeTable('edges functions', [
		{label: 'Calls', width: '7rem'}, {label: `Total (${unit[0]})`, width: '7.5rem'},
		{label: `Self (${unit[0]})`, width: '7.5rem'},
		{label: 'Function', width: 'minmax(8rem, 1fr)', className: 'text wide name'}]);
	const sorted = [...edges].sort((a, b) => b.total_ns - a.total_ns || b.calls - a.calls);
	fillTable(body, sorted.map((edge) => {
		const fn = edge.function === null ? null : data.profile.functions[edge.function];
		return makeRow([cell(count(edge.calls)), heat(cell(decimal(edge.total_ns / unit[1])), total ? edge.total_ns / total : 0),
			cell(decimal(edge.self_ns / unit[1])),
			element('div', {className: 'text wide name'}, fn ? linkTo(fn) : elsewhere)]);
	}));
	return element('section', {}, element('h3', {}, title), element('div', {className: 'box'}, table));
}

// Who stands next to the function in sampled stacks, outwards (-1) or inwards (1): {frame, samples} each.
function sampledNeighbours(data, fn, step) {
	const {frames, stacks} = data.profile, found = new Map();
	const mine = frames.map((frame) => functionOfFrame(data, frame) === fn);
	for (const stack of stacks) {
		const seen = new Set(); // a stack counts once, however often the function recurs in it
		stack.frames.forEach((index, at) => {
			const other = frames[stack.frames[at + step]];
			if (!mine[index] || !other)
				return;
			const key = `${other.name}\n${other.file}`;
			if (!found.has(key))
				found.set(key, {frame: other, samples: 0});
			if (!seen.has(key))
				found.get(key).samples += stack.cpu_samples;
			seen.add(key);
		});
	}
	return [...found.values()].sort((a, b) => b.samples - a.samples);
}

function neighbourTable(data, fn, title, step) {
	const neighbours = fn.cpu_total_samples ? sampledNeighbours(data, fn, step) : [];
	if (!neighbours.length)
		return null;
	const unit = unitFor(cpuTime(data, neighbours[0].samples));
	const {table, body} = makeTable('edges functions', [{label: `CPU (${unit[0]})`, width: '7.5rem'},
		{label: '% of its', width: '5rem', hint: `share of ${shortened(fn.name)}'s samples`},
		{label: 'Function', width: 'minmax(8rem, 1fr)', className: 'text wide name'}]);
	fillTable(body, neighbours.map(({frame, samples}) => {
		const other = functionOfFrame(data, frame);
		return makeRow([heat(cell(decimal(cpuTime(data, samples) / unit[1])), samples / fn.cpu_total_samples),
			cell((100 * samples / fn.cpu_total_samples).toFixed(1)),
			element('div', {className: 'text wide name'}, other ? linkTo(other) : shortened(frame.name))]);
	}));
	return element('section', {}, element('h3', {}, title), element('div', {className: 'box'}, table));
}

// Where a duration stands on the axis: logarithmic, and even at the very short ones.
function axis(ns) {
	return Math.log2(ns + 4);
}

// The shortest duration of a bucket: four of them an octave (include/histogram.h).
function bucketLower(upper) {
	return upper < 4 ? upper : upper + 1 - 2 ** (Math.floor(Math.log2(upper)) - 2);
}

function histogram(fn) {
	if (!fn.histogram.length)
		return null;
	const most = fn.histogram.reduce((largest, [, calls]) => Math.max(largest, calls), 0);
	const begin = axis(bucketLower(fn.histogram[0][0])), end = axis(fn.histogram[fn.histogram.length - 1][0] + 1);
	const bars = element('div', {className: 'histogram', role: 'img',
		'aria-label': `durations of ${count(fn.timed_calls)} calls, median ${duration(fn.median_ns)}`});
	for (const [upper, calls] of fn.histogram) {
		const left = (axis(bucketLower(upper)) - begin) / (end - begin), right = (axis(upper + 1) - begin) / (end - begin);
		const bar = element('div', {title: `${count(calls)} calls took ${duration(bucketLower(upper))} to ${duration(upper)}`}, element('div'));
		bar.style.setProperty('left', `${100 * left}%`);
		bar.style.setProperty('width', `${100 * (right - left)}%`);
		bar.firstChild.style.setProperty('--share', (calls / most).toFixed(4));
		bars.append(bar);
	}
	return element('section', {}, element('h3', {}, 'Durations of calls'), bars,
		element('div', {className: 'axis'}, element('span', {}, duration(fn.min_ns)),
			element('span', {}, `median ${duration(fn.median_ns)} · 99% within ${duration(fn.p99_ns)}`),
			element('span', {}, duration(fn.max_ns))));
}

function figures(data, fn) {
	const facts = [];
	if (!isSampledOnly(fn))
		facts.push(['Calls', fn.primitive_calls === fn.calls ? count(fn.calls) : `${count(fn.calls)}, of them ${count(fn.primitive_calls)} outermost`]);
	if (fn.timed_calls) {
		facts.push(['Total', withError(fn.total_ns, fn.error_ns) + (!fn.off_cpu ? '' :
			`: ${duration(runningTime(fn))} on CPU, ${duration(fn.waiting_ns)} waiting for one, ${duration(fn.blocked_ns)} blocked`)],
		['Self', withError(fn.self_ns, fn.self_error_ns)]);
		if (fn.histogram.length)
			facts.push(['A call took', `${duration(fn.median_ns)} (median), ${duration(fn.p99_ns)} (99%), ${duration(fn.max_ns)} (longest)`]);
	}
	if (fn.cpu_total_samples) {
		const cpu = (samples) => `${duration(cpuTime(data, samples))}, ${percent(samples / (data.samples || 1))} (${count(samples)} samples)`;
		facts.push(['CPU self', cpu(fn.cpu_samples)], ['CPU total', cpu(fn.cpu_total_samples)]);
	}
	if (fn.linkage_name && fn.linkage_name !== fn.name)
		facts.push(['Symbol', shortened(fn.linkage_name, 2000)]);
	facts.push(['At', shortened(placeOf(fn), 4096)]);
	if (fn.image && fn.file)
		facts.push(['Image', shortened(fn.image, 4096)]);
	return factList(facts);
}

function factList(facts) {
	return element('dl', {className: 'facts'},
		...facts.flatMap(([name, text]) => [element('dt', {}, name), element('dd', {}, text)]));
}

// What the reader must know of the numbers, as the report says it.
function cautions(fn) {
	const account = fn.accounting, notes = [];
	const sum = account.exits + account.open + account.unwound + account.untimed + account.lost;
	if (isPartial(fn))
		notes.push(`Timed ${count(fn.timed_calls)} of ${count(fn.calls)} calls (rate ${fn.rate}): hits and times are of those; of all calls ~${duration(estimate(fn, fn.total_ns))}.`);
	if (fn.inlined_copies)
		notes.push(`Inlined in ${count(fn.inlined_copies)} places: calls there count in the lines only.`);
	if (account.open)
		notes.push(`${count(account.open)} calls had not ended; they are not in the times.`);
	if (account.unwound)
		notes.push(`${count(account.unwound)} calls ended without returning (exception, longjmp, end of thread).`);
	if (account.lost)
		notes.push(`${count(account.lost)} calls were lost, for the causes listed under The run.`);
	if (sum !== account.entries)
		notes.push(`The accounting does not close: ${count(account.entries)} entries, but ${count(sum)} exits + open + unwound + untimed + lost.`);
	if (fn.lines.some((line) => line.hits && drowns(line.total_ns, line.error_ns)))
		notes.push('< the time drowns in the error of what was subtracted for probes: it is less, if anything.');
	if (fn.lines.some((line) => line.timing === 'shared'))
		notes.push('≈ the line shares its time with a neighbour.');
	for (const omission of fn.omissions.filter((each) => !each.line))
		notes.push(`Not counted: ${shortened(omission.reason, 1000)}`);
	return notes.map((note) => element('p', {className: 'note'}, note));
}

function showFunction(data, main, index) {
	const fn = data.profile.functions[index];
	if (!fn) {
		main.replaceChildren(element('p', {}, 'There is no such function in this profile.'));
		return;
	}
	const edges = [edgeTable(data, 'Callers', fn.callers, 'code that is not measured'),
		edgeTable(data, 'Callees', fn.callees, ''),
		neighbourTable(data, fn, 'Callers in sampled stacks', -1), neighbourTable(data, fn, 'Callees in sampled stacks', 1)].filter((table) => table);
	const parts = [element('div', {className: 'pair'}, element('section', {}, figures(data, fn), ...cautions(fn)), histogram(fn)),
		edges.length ? element('div', {className: 'pair'}, ...edges) : null, ...sourceTables(data, fn),
		fn.lines.length || fn.lines_measured ? null : element('p', {className: 'note'}, 'Lines of this function were not measured (-l).')];
	main.replaceChildren(element('h2', {title: shortened(fn.name, 2000)}, shortened(fn.name)), ...parts.filter((part) => part));
}

// Moves to the next or the previous hot line: a twentieth of the function's time and more.
function stepHotLine(main, step) {
	const hot = [...main.querySelectorAll('[data-hot]')];
	if (!hot.length)
		return;
	const at = hot.findIndex((row) => row.classList.contains('current'));
	const next = hot[at < 0 ? (step > 0 ? 0 : hot.length - 1) : (at + step + hot.length) % hot.length];
	if (at >= 0)
		hot[at].classList.remove('current');
	next.classList.add('current');
	next.scrollIntoView({block: 'center'});
}
