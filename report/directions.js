// Show what the decoder makes of the code of an image, moved along a principal component.
const at = image.options.indexOf(image.value);
const step = Math.round((distance.value + farthest) / (2 * farthest) * (steps - 1));
const first = (at * components + component.value - 1) * steps;
const label = `${image.value}, component ${component.value}`;
const all = Array.from({length: steps}, (_, i) => report.tile("directions-moved", first + i, 34, `${label}, step ${i}`));
view.text = report.groups([
  report.group([report.tile("directions-images", at, 84, image.value)], "image"),
  report.group([report.tile("directions-moved", first + step, 84, label)], `decoded, moved by ${distance.value}`),
  report.group(all, `moved by −${farthest} to ${farthest} standard deviations`),
]);
