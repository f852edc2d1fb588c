// SPDX-License-Identifier: GPL-2.0-or-later
// Chooses the view by the address (#/function/3), and hands keys and searches to it.
'use strict';

const main = document.getElementById('main');
const search = document.getElementById('search');
let data, view = '', movedInside = false;

function route() {
	const [name, argument] = location.hash.replace(/^#\//, '').split('/');
	view = ['function', 'flame', 'run'].includes(name) ? name : 'functions';
	functionsView.filter = flameView.filter = flameView.out = flameView.steer = null;
	if (view === 'function')
		showFunction(data, main, Number(argument));
	else
		({functions: showFunctions, flame: showFlame, run: showRun})[view](data, main);
	search.hidden = view === 'function' || view === 'run';
	for (const link of document.querySelectorAll('nav a')) {
		if (link.id === `nav-${view}`)
			link.setAttribute('aria-current', 'page');
		else
			link.removeAttribute('aria-current');
	}
}

function go(where) {
	location.hash = `#/${where}`;
}

// The focus moves along the rows' links, so Enter opens what it stands on.
function stepRow(step) {
	const links = [...main.querySelectorAll('.functions .body a')];
	const at = links.indexOf(document.activeElement);
	const next = links[at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + step))];
	if (next) {
		next.focus();
		next.scrollIntoView({block: 'nearest'});
	}
}

function goBack() {
	if (view === 'flame' && flameView.out && flameView.out())
		return;
	if (search.value && !search.hidden) {
		search.value = '';
		applySearch();
	} else if (movedInside && view === 'function') {
		history.back();
	} else if (view !== 'functions') {
		go('functions');
	}
}

function applySearch() {
	functionsView.search = search.value;
	for (const each of [functionsView, flameView])
		if (each.filter)
			each.filter();
}

const KEYS = {
	'/': () => {
		if (search.hidden)
			go('functions');
		// hashchange comes later than this key
		setTimeout(() => search.focus());
	},
	g: () => go('functions'),
	f: () => go('flame'),
	r: () => go('run'),
	n: () => stepHotLine(main, 1),
	p: () => stepHotLine(main, -1),
	j: () => stepRow(1),
	k: () => stepRow(-1),
};

function takeKey(event) {
	if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented)
		return;
	if (event.key === 'Escape') {
		goBack();
		search.blur();
	} else if ((event.key === 'ArrowDown' || event.key === 'ArrowUp') && view === 'functions') {
		event.preventDefault();
		stepRow(event.key === 'ArrowDown' ? 1 : -1);
	} else if (event.key.startsWith('Arrow') && event.target !== search && flameView.steer) {
		flameView.steer(event);
	} else if (event.target !== search && KEYS[event.key]) {
		event.preventDefault();
		KEYS[event.key]();
	}
}

// The data stand behind the script.
document.addEventListener('DOMContentLoaded', () => {
	data = readData();
	const command = data.profile.targets.length ? shortened(data.profile.targets[0].command, 200) : 'profile';
	document.title = `${command} – lprof`;
	document.getElementById('title').textContent = command;
	document.getElementById('title').title = `${command}, ${data.profile.started}, ${duration(data.profile.duration_ns)}`;
	search.addEventListener('input', applySearch);
	addEventListener('hashchange', () => {
		movedInside = true;
		route();
		scrollTo(0, 0);
	});
	addEventListener('keydown', takeKey);
	route();
});
