// Copy the network's x0, y0, error0, or those of another number, to x, y and error, which the chart draws.
const data = source.data, active = network.options.indexOf(network.value);
for (const name of ["x", "y", "error"]) data[name] = data[name + active];
data.network = data.network.map(() => active);
source.change.emit();
points.forEach((one, at) => { one.visible = classes.active.includes(at); });
const i = image.value, label = data.label[i];
marked.data = {x: [data.x[i]], y: [data.y[i]]};
const tiles = [
  report.tile("embedding-images", i, 84, label),
  report.tile("embedding-" + active, i, 84, "its reconstruction"),
];
const right = (100 * accuracies[active]).toFixed(1);
view.text = report.group(
  tiles, `${label}; its reconstruction by the ${network.value} network, MSE ${data.error[i].toFixed(4)}`) +
  `<p style="font-size: 14px">The ${neighbours} nearest neighbours in the plane tell the class of ${right} % of the images.</p>`;
