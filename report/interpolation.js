// Show what the decoder makes of codes on the line from one image's to another's, beside mixed pixels.
const from = start.options.indexOf(start.value), to = end.options.indexOf(end.value);
const first = (from * start.options.length + to) * between;
const step = Math.round(share.value / 100 * (between - 1));
const label = `between ${start.value} and ${end.value}`;
const strip = sheet => Array.from({length: between}, (_, i) => report.tile(sheet, first + i, 34, `${label}, step ${i}`));
view.text = report.groups([
  report.group([report.tile("directions-images", from, 84, start.value)], start.value),
  report.group([report.tile("directions-between", first + step, 84, label)], `decoded, ${share.value} %`),
  report.group([report.tile("directions-mixed", first + step, 84, label)], "baseline: pixels mixed"),
  report.group([report.tile("directions-images", to, 84, end.value)], end.value),
  report.group(strip("directions-between"), `decoded, from ${start.value} to ${end.value}`),
  report.group(strip("directions-mixed"), "baseline: pixels mixed"),
]);
