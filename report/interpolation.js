// Show what the decoder makes of codes on the line from one image's to another's.
const from = start.options.indexOf(start.value), to = end.options.indexOf(end.value);
const first = (from * start.options.length + to) * between;
const step = Math.round(share.value / 100 * (between - 1));
const label = `between ${start.value} and ${end.value}`;
const all = Array.from({length: between}, (_, i) => report.tile("directions-between", first + i, 42, `${label}, step ${i}`));
view.text = report.groups([
  report.group([report.tile("directions-between", first + step, 84, label)], `${share.value} % of the way`),
  report.group(all, `from ${start.value} to ${end.value}`),
]);
