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
	const widths = (some, flexible) => some.map((column) => flexible && !column.fixed ? 'minmax(0, 1fr)' : column.width).join(' ');
	table.style.setProperty('--wide', widths(columns));
	table.style.setProperty('--medium', widths(without(/narrow-off/)));
	table.style.setProperty('--narrow', widths(without(/-off|wide/), true));
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
