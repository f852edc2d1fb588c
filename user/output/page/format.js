// SPDX-License-Identifier: GPL-2.0-or-later
// Numbers, durations and foreign text as the page shows them, and elements that hold text only.
'use strict';

const UNITS = [['ns', 1], ['µs', 1e3], ['ms', 1e6], ['s', 1e9]];
const NAME_SHOWN = 300;

// What a page or terminal would obey instead of show: controls, direction overrides, zero widths.
const OBEYED = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

function visible(text) {
	return text.replace(OBEYED, (character) => {
		const code = character.charCodeAt(0);
		return code < 0x20 || code === 0x7f ? '^' + String.fromCharCode(code ^ 0x40)
			: '<U+' + code.toString(16).toUpperCase().padStart(4, '0') + '>';
	});
}

function shortened(text, limit = NAME_SHOWN) {
	const shown = visible(text.slice(0, limit));
	return text.length > limit ? shown + '…' : shown;
}

function grouped(digits) {
	return digits.replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f');
}

function count(number) {
	return Math.abs(number) < 1e15 ? grouped(String(Math.round(number))) : number.toPrecision(4);
}

// One decimal, and two digits where that would show nothing of a number that is not 0.
function decimal(number, digits = 1) {
	const text = number.toFixed(digits);
	if (number !== 0 && Number(text) === 0)
		return number.toPrecision(2);
	const [whole, fraction] = text.split('.');
	return grouped(whole) + (fraction ? '.' + fraction : '');
}

// The unit in which the largest of some nanoseconds has at most five digits before the point.
function unitFor(largest) {
	return UNITS.find(([, ns]) => Math.abs(largest) / ns < 1e5) || UNITS[UNITS.length - 1];
}

function duration(ns) {
	const [name, size] = UNITS.find(([, unit]) => Math.abs(ns) / unit < 999.5) || UNITS[3];
	return `${Number((ns / size).toPrecision(3))} ${name}`;
}

// A time that is no more than its error: all that is known is that it is less than both together.
function drowns(ns, error) {
	return error > 0 && ns <= error;
}

function withError(ns, error) {
	return error ? `${duration(ns)} ± ${duration(error)}` : duration(ns);
}

function percent(share) {
	return decimal(100 * share) + '%';
}

// An element with properties, data-free attributes and children; strings become text, never markup.
function element(tag, properties = {}, ...children) {
	const made = document.createElement(tag);
	for (const [key, value] of Object.entries(properties))
		if (key in made && key !== 'role')
			made[key] = value;
		else if (value !== undefined)
			made.setAttribute(key, value);
	made.append(...children.filter((child) => child !== null && child !== undefined && child !== ''));
	return made;
}

function heat(cell, share) {
	if (share > 0.002) {
		cell.classList.add('heat');
		cell.style.setProperty('--heat', Math.min(1, share).toFixed(3));
	}
	return cell;
}
