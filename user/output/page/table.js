// SPDX-License-Identifier: GPL-2.0-or-later
// Long tables: rows in chunks that the browser lays out only when they are in sight.
'use strict';

const CHUNK_ROWS = 50;
const ROW_HEIGHT = 1.6; // rem, until the browser knows better

// columns: [{label, className, hint, width, key}]. sort: {key, descending}; onSort(key).
function makeTable(className, columns, sort, onSort) {
	const head = element('div', {className: 'head', role: 'row'});
	for (const column of columns) {
		const properties = {className: column.className || '', title: column.hint || '', role: 'columnheader'};
		const sortable = onSort && column.key;
		if (sortable && sort.key === column.key)
			properties['aria-sort'] = sort.descending ? 'descending' : 'ascending';
		const cell = element(sortable ? 'button' : 'div', properties, column.label);
		if (sortable)
			cell.addEventListener('click', () => onSort(column.key));
		head.append(cell);
	}
	const body = element('div', {role: 'rowgroup', className: 'body'});
	const table = element('div', {className: `table ${className}`, role: 'table'}, head, body);
	const without = (dropped) => columns.filter((column) => !(column.className || '').match(dropped));
	// Numbers give way, down to a least width, before the text does.
	const tracks = (some, least) => some.map((column) =>
		/^[0-9.]+rem$/.test(column.width) ? `minmax(min(${least}, ${column.width}), ${column.width})` : column.width).join(' ');
	const equal = (some) => some.map((column) => column.fixed ? column.width : 'minmax(0, 1fr)').join(' ');
	table.style.setProperty('--wide', tracks(columns, '4.4rem'));
	table.style.setProperty('--medium', tracks(without(/narrow-off/), '3.2rem'));
	table.style.setProperty('--narrow', equal(without(/-off|wide/)));
	return {table, body};
}

function makeRow(cells, className = '') {
	const row = element('div', {className: `row ${className}`, role: 'row'});
	for (const cell of cells)
		cell.setAttribute('role', 'cell');
	row.append(...cells);
	return row;
}

function cell(text, className = '') {
	const made = document.createElement('div');
	made.className = className;
	made.textContent = text;
	return made;
}

// Puts rows, in their order, into the table in place of those it has.
function fillTable(body, rows) {
	const chunks = [];
	for (let from = 0; from < rows.length; from += CHUNK_ROWS) {
		const part = rows.slice(from, from + CHUNK_ROWS);
		const chunk = element('div', {className: 'chunk', role: 'presentation'});
		chunk.style.setProperty('contain-intrinsic-size', `auto none auto ${part.length * ROW_HEIGHT}rem`);
		chunk.append(...part);
		chunks.push(chunk);
	}
	body.replaceChildren(...chunks);
}
