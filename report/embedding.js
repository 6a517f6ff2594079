// The shown network's coordinates and errors take the place of the others'.
const data = source.data, active = network.options.indexOf(network.value);
for (const name of ["x", "y", "error"]) data[name] = data[name + active];
data.network = data.network.map(() => active);
source.change.emit();
points.forEach((one, at) => { one.visible = classes.active.includes(at); });
const i = image.value, label = data.label[i];
view.text = report.group(
  [report.tile("embedding-images", i, 84, label), report.tile("embedding-" + active, i, 84, "its reconstruction")],
  `${label}; its reconstruction by the ${network.value} network, MSE ${data.error[i].toFixed(4)}`);
marked.data = {x: [data.x[i]], y: [data.y[i]]};
