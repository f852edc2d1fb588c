// SPDX-License-Identifier: GPL-2.0-or-later
// Reads the data behind the page: the native profile, and what C worked out for the page alone.
'use strict';

// {profile, page}: docs/profile.schema.json, and user/output/html.c. Callees are callers inverted.
function readData() {
	const read = (id) => JSON.parse(document.getElementById(id).textContent);
	const data = {profile: read('profile'), page: read('page')};

	data.profile.functions.forEach((fn, index) => {
		Object.assign(fn, data.page.functions[index], {index, callees: []});
	});
	for (const fn of data.profile.functions)
		for (const caller of fn.callers)
			if (caller.function !== null && data.profile.functions[caller.function])
				data.profile.functions[caller.function].callees.push({...caller, function: fn.index});
	data.byPlace = new Map(data.profile.functions.map((fn) => [`${fn.name}\n${fn.file}`, fn]));
	data.samples = data.profile.functions.reduce((sum, fn) => sum + fn.cpu_samples, 0);
	data.sources = new Map(data.page.sources.map((source) => [source.file, source]));
	return data;
}

// The function that a frame of a stack is in, or undefined.
function functionOfFrame(data, frame) {
	return data.byPlace.get(`${frame.name}\n${frame.file}`);
}

// Calls were left out by the rate or lost: times are of the timed ones.
function isPartial(fn) {
	return fn.timed_calls + fn.accounting.open < fn.calls;
}

// The total of all calls, estimated from the timed ones.
function estimate(fn, ns) {
	return fn.timed_calls ? ns * fn.calls / fn.timed_calls : 0;
}

// Nothing was probed in it: CPU samples alone tell of the function.
function isSampledOnly(fn) {
	return fn.cpu_total_samples > 0 && !fn.lines_measured && !fn.calls && !fn.total_ns && fn.exit === 'none';
}

// CPU time that samples stand for, in ns; samples of a file that does not tell are taken for 1 ms.
function cpuTime(data, samples) {
	return samples * (data.profile.sampling_period_ns || 1e6);
}

// The part of the total time of a line or function that threads ran, where --off-cpu told the others.
function runningTime(timed) {
	return Math.max(0, timed.total_ns - (timed.waiting_ns || 0) - (timed.blocked_ns || 0));
}

function placeOf(fn) {
	return fn.file ? `${fn.file}:${fn.line}` : fn.image || '';
}

// placeOf() with the last two parts of the path.
function shortPlaceOf(fn) {
	const parts = placeOf(fn).split('/');
	return parts.length > 3 ? '…/' + parts.slice(-2).join('/') : placeOf(fn);
}

function linkTo(fn) {
	return element('a', {href: `#/function/${fn.index}`, title: shortened(fn.name, 2000)}, shortened(fn.name));
}

// The text of a line, or undefined.
function sourceLine(source, number) {
	const block = source && source.blocks.find(([first, lines]) => number >= first && number < first + lines.length);
	return block && block[1][number - block[0]];
}
