// Show what the decoder makes of the code of an image, moved along a principal component.
const image = start.options.indexOf(start.value);
const step = Math.round((far.value + farthest) / (2 * farthest) * (steps - 1));
const first = (image * components + component.value - 1) * steps;
const label = `${start.value}, component ${component.value}`;
const all = Array.from({length: steps}, (_, i) => report.tile("directions-moved", first + i, 42, `${label}, step ${i}`));
view.text = report.groups([
  report.group([report.tile("directions-images", image, 84, start.value)], "image"),
  report.group([report.tile("directions-moved", first + step, 84, label)], `moved by ${far.value}`),
  report.group(all, `moved by −${farthest} to ${farthest} standard deviations`),
]);
