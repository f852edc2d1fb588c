// SPDX-License-Identifier: GPL-2.0-or-later
// The view of the run: what was measured, what it cost, what was not measured.
'use strict';

function lossNotes(data) {
	const {profile, page} = data;
	return profile.losses.filter((loss) => loss.count).map((loss) =>
		element('p', {className: 'note warning'}, `Not measured: ${count(loss.count)} ` +
			(Object.hasOwn(page.losses, loss.cause) ? page.losses[loss.cause] : `lost by cause ${shortened(loss.cause)}`)));
}

function targetText(target) {
	const status = target.exit_status === null ? 'still running' : `exit status ${target.exit_status}`;
	return `${shortened(target.command, 4096)} (process ${target.pid}, ${status})`;
}

function showRun(data, main) {
	const {profile} = data, {cost, host} = profile;
	const facts = [
		['Command', profile.targets.map(targetText).join('\n') || 'none'],
		['Started', shortened(profile.started)],
		['Duration', duration(profile.duration_ns)],
		['Machine', `Linux ${shortened(host.kernel || '?')}, ${host.cpus} CPUs`],
		['Probes', `${count(cost.hits)} hits${cost.off_cpu_ns ? ` and following the scheduler (${duration(cost.off_cpu_ns)})` : ''} cost ${duration(cost.overhead_ns)}, ${percent(cost.share_of_cpu)} of one CPU`],
	];
	const prices = Object.entries(cost.per_hit_ns).filter(([, ns]) => ns > 0).map(([kind, ns]) => `${kind} ${withError(ns, (cost.per_hit_error_ns || {})[kind])}`);
	if (prices.length)
		facts.push(['A hit costs', prices.join(', ')]);
	if (cost.bystander_hits)
		facts.push(['Bystanders', `${count(cost.bystander_hits)} hits were in processes that are no targets but run the same code`]);
	if (profile.sampling_period_ns)
		facts.push(['Samples', `${count(profile.stacks.reduce((sum, stack) => sum + stack.cpu_samples, 0))}, one for ${duration(profile.sampling_period_ns)} on a CPU`]);
	facts.push(['Accounting', Object.entries(profile.accounting).map(([key, number]) => `${key} ${count(number)}`).join(', ')]);
	main.replaceChildren(element('h2', {}, 'The run'), factList(facts), ...lossNotes(data),
		element('h3', {}, 'Images'), factList(profile.images.map((image) =>
			[image.build_id ? shortened(image.build_id, 40) : 'no build id', shortened(image.path, 4096)])),
		element('p', {className: 'note'}, `Written by lprof ${data.page.version}. Times are wall time, corrected for the probes' cost.`));
}
