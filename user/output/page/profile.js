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
	data.folder = commonFolder(data.profile.functions.map((fn) => fn.file).filter((file) => file));
	data.sources = new Map(data.page.sources.map((source) => [source.file, source]));
	return data;
}

// Calls were left out by the rate or lost: times are of the timed ones.
function isPartial(fn) {
	return fn.timed_calls + fn.accounting.open < fn.calls;
}

// The total of all calls, estimated from the timed ones.
function estimate(fn, ns) {
	return fn.timed_calls ? ns * fn.calls / fn.timed_calls : 0;
}

function placeOf(fn) {
	return fn.file ? `${fn.file}:${fn.line}` : fn.image || '';
}

// The folder that all files are in, with its last slash.
function commonFolder(files) {
	let common = files.length ? files[0] : '';
	for (const file of files)
		while (!file.startsWith(common))
			common = common.slice(0, -1);
	return common.slice(0, common.lastIndexOf('/') + 1);
}

// placeOf() without the folder that all functions' files share.
function shortPlaceOf(data, fn) {
	return fn.file.startsWith(data.folder) ? placeOf(fn).slice(data.folder.length) : placeOf(fn);
}

function linkTo(fn) {
	return element('a', {href: `#/function/${fn.index}`, title: shortened(fn.name, 2000)}, shortened(fn.name));
}

// The text of a line, or undefined.
function sourceLine(source, number) {
	const block = source && source.blocks.find(([first, lines]) => number >= first && number < first + lines.length);
	return block && block[1][number - block[0]];
}
