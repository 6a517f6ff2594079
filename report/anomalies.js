// Show what a threshold catches, and the images on either side of it.
const chosen = Object.keys(titles).find(name => titles[name] === method.value);
const scores = all[chosen], bins = histograms[chosen];
if (histogram.tags[0] !== chosen) {
  const end = bins.right[bins.right.length - 1];
  histogram.tags = [chosen];
  histogram.data = {left: bins.left, right: bins.right, normal: bins.normal, anomalous: bins.anomalous};
  threshold.setv({start: bins.left[0], end, step: bins.step, value: bins.threshold});
}
const level = threshold.value;
line.location = level;
const percent = wanted => {
  const members = [...scores.keys()].filter(i => anomalous[i] === wanted);
  const alarms = members.filter(i => scores[i] > level).length;
  return `${alarms} of ${members.length} (${(100 * alarms / members.length).toFixed(0)} %)`;
};
const order = [...scores.keys()].sort((a, b) => scores[a] - scores[b]);
const above = order.filter(i => scores[i] > level), below = order.filter(i => scores[i] <= level);
const show = part => report.groups(part.map(i => report.group(
  [report.tile("anomalies-images", i, 64, classes[i])], `${classes[i]}<br>${scores[i].toPrecision(3)}`)));
view.text = `<p style="font-size: 15px"><b>Caught: ${percent(true)} of the anomalous images. ` +
  `False alarms: ${percent(false)} of the normal ones.</b></p>` +
  `<p>Just below the threshold, no alarm:</p>${show(below.slice(-shown))}` +
  `<p>Just above the threshold, alarm:</p>${show(above.slice(0, shown))}`;
