// SPDX-License-Identifier: GPL-2.0-or-later
// The flame graph: stacks as nested bars, outermost on top; a click zooms, the search marks.
//
// Sampled stacks are drawn as they are. A profile without them knows who called whom directly and
// no more, so its graph has two levels, by self time, and says so.
'use strict';

const FRAME_HEIGHT = 20;
const NARROWEST = 0.0012; // of the graph's width

const flameView = {zoom: null, out: null, filter: null, steer: null};

function makeNode(name, place, parent) {
	return {name, place, parent, depth: parent ? parent.depth + 1 : -1, value: 0, children: new Map()};
}

function childOf(node, key, name, place) {
	if (!node.children.has(key))
		node.children.set(key, makeNode(name, place, node));
	return node.children.get(key);
}

// Frames of one function are one bar, whatever line of it ran.
function treeOfStacks(profile) {
	const root = makeNode('all', '', null);
	const keys = profile.frames.map((frame) => `${frame.name}\n${frame.file}\n${frame.image}`);
	for (const stack of profile.stacks) {
		let node = root;
		root.value += stack.cpu_samples;
		for (const index of stack.frames) {
			const frame = profile.frames[index];
			node = childOf(node, keys[index], frame.name, frame.file);
			node.value += stack.cpu_samples;
		}
	}
	return root;
}

// Self time by function and direct caller; what is called from unmeasured code stands outermost.
function treeOfCallers(profile) {
	const root = makeNode('all', '', null);
	const grow = (node, ns) => {
		for (; node; node = node.parent)
			node.value += ns;
	};
	const nodeOf = (parent, fn) => childOf(parent, fn.index, fn.name, fn.file);
	for (const fn of profile.functions)
		for (const edge of fn.callers) {
			const caller = edge.function === null ? null : profile.functions[edge.function];
			if (edge.self_ns > 0)
				grow(nodeOf(caller ? nodeOf(root, caller) : root, fn), edge.self_ns);
		}
	return root;
}

function flameTree(profile) {
	const sampled = profile.stacks.some((stack) => stack.cpu_samples);
	const root = sampled ? treeOfStacks(profile) : treeOfCallers(profile);
	const period = profile.sampling_period_ns;
	root.say = (value) => !sampled ? duration(value)
		: `${count(value)} samples` + (period ? `, ${duration(value * period)}` : '');
	root.sampled = sampled;
	return root;
}

// Bars that are wide enough to be seen: [{node, left, width}...], and how many were not.
function layOut(root, zoom) {
	const bars = [], rest = [];
	let hidden = 0;
	for (let node = zoom; node.parent; node = node.parent)
		bars.unshift({node, left: 0, width: 1, around: node !== zoom});
	rest.push([zoom, 0]);
	while (rest.length) {
		const [node, begin] = rest.pop();
		let left = begin;
		for (const child of [...node.children.values()].sort((a, b) => b.value - a.value)) {
			const width = child.value / zoom.value;
			if (width >= NARROWEST) {
				bars.push({node: child, left, width});
				rest.push([child, left]);
			} else {
				hidden++;
			}
			left += width;
		}
	}
	return {bars, hidden};
}

function hueOf(name) {
	let hash = 0;
	for (let i = 0; i < Math.min(name.length, 200); i++)
		hash = (hash * 31 + name.charCodeAt(i)) >>> 0;
	return 18 + hash % 38;
}

// The share of the graph under nodes that match, each sample once.
function sharedValue(root, matches) {
	const rest = [root];
	let value = 0;
	while (rest.length) {
		const node = rest.pop();
		if (node.parent && matches(node))
			value += node.value;
		else
			rest.push(...node.children.values());
	}
	return value;
}

function makeBar(bar, root, onZoom, onPoint) {
	const made = element('button', {tabIndex: -1, textContent: bar.width > 0.02 ? shortened(bar.node.name) : '',
		className: bar.around ? 'around' : ''});
	made.setAttribute('aria-label', `${shortened(bar.node.name)}, ${root.say(bar.node.value)}`);
	made.style.setProperty('left', `${bar.left * 100}%`);
	made.style.setProperty('width', `${bar.width * 100}%`);
	made.style.setProperty('top', `${bar.node.depth * FRAME_HEIGHT}px`);
	made.style.setProperty('--hue', hueOf(bar.node.name));
	made.addEventListener('click', () => onZoom(bar.node));
	made.addEventListener('pointerenter', () => onPoint(bar.node));
	made.addEventListener('focus', () => onPoint(bar.node));
	bar.made = made;
	return made;
}

// Arrow keys: to the caller, the widest callee, the neighbours of a level.
function steer(event, bars) {
	const at = bars.find((bar) => bar.made === document.activeElement);
	const level = (depth) => bars.filter((bar) => bar.node.depth === depth).sort((a, b) => a.left - b.left);
	let next;
	if (!at)
		next = bars[0];
	else if (event.key === 'ArrowUp')
		next = bars.find((bar) => bar.node === at.node.parent);
	else if (event.key === 'ArrowDown')
		next = bars.find((bar) => bar.node.parent === at.node);
	else if (event.key === 'ArrowLeft' || event.key === 'ArrowRight')
		next = level(at.node.depth)[level(at.node.depth).indexOf(at) + (event.key === 'ArrowLeft' ? -1 : 1)];
	if (next) {
		event.preventDefault();
		next.made.focus();
	}
}

function showFlame(data, main) {
	const {profile} = data;
	const root = flameTree(profile);
	const graph = element('div', {className: 'flame', role: 'group', 'aria-label': 'Flame graph'});
	const said = element('p', {className: 'said', role: 'status', id: 'frame'});
	const found = element('p', {className: 'note', role: 'status', id: 'matches'});
	const open = element('p', {className: 'note off-paper'});
	let drawn = [];

	if (!root.value) {
		main.replaceChildren(element('p', {className: 'note'}, 'The profile has neither sampled stacks (--cpu) nor callers.'));
		return;
	}
	const describe = (node) => {
		const fn = functionOfFrame(data, {name: node.name, file: node.place});
		said.textContent = `${shortened(node.name, 2000)}: ${root.say(node.value)}, ${percent(node.value / root.value)}`;
		open.replaceChildren(...(fn && node.parent ? ['Source: ', linkTo(fn)] : []));
	};
	const mark = () => {
		const needle = functionsView.search.trim().toLowerCase();
		const matches = (node) => needle !== '' && node.name.toLowerCase().includes(needle);
		for (const bar of drawn)
			bar.made.classList.toggle('found', matches(bar.node));
		found.textContent = needle ? `Matched: ${percent(sharedValue(root, matches) / root.value)}` : '';
	};
	const draw = (zoom) => {
		const {bars, hidden} = layOut(root, zoom);
		flameView.zoom = zoom === root ? null : zoom;
		drawn = bars;
		graph.replaceChildren();
		for (const bar of bars)
			graph.append(makeBar(bar, root, draw, describe));
		graph.style.setProperty('height', `${FRAME_HEIGHT * (1 + bars.reduce((most, bar) => Math.max(most, bar.node.depth), 0))}px`);
		describe(zoom);
		if (hidden)
			said.textContent += ` (${count(hidden)} too narrow to draw)`;
		mark();
		const at = bars.find((bar) => bar.node === zoom) || bars[0];
		if (at) {
			at.made.tabIndex = 0;
			if (flameView.zoom)
				at.made.focus({preventScroll: true});
		}
	};
	flameView.out = () => flameView.zoom && (draw(root), true);
	flameView.filter = mark;
	flameView.steer = (event) => steer(event, drawn);
	main.replaceChildren(element('p', {className: 'note'}, root.sampled
		? 'On-CPU samples by stack, the outermost function on top. Click a frame to zoom in, its callers or Esc to zoom out.'
		: 'No stacks were sampled (--cpu): self time by function and its direct caller, no deeper.'),
	said, graph, open, found, ...lossNotes(data));
	draw(root);
}
