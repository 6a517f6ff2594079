// Show what a threshold catches, and the images on either side of it.
const chosen = Object.keys(titles).find(name => titles[name] === method.value);
const scores = all[chosen], bins = histograms[chosen];
// The tag names the score that the chart shows; another one has another range.
if (histogram.tags[0] !== chosen) {
  histogram.tags = [chosen];
  histogram.data = {left: bins.left, right: bins.right, normal: bins.normal, anomalous: bins.anomalous};
  threshold.setv({start: bins.left[0], end: bins.right.at(-1), step: bins.step, value: bins.threshold});
}
const level = threshold.value;
line.location = level;
const images = [...scores.keys()];
const countAlarms = members => `${members.filter(i => scores[i] > level).length} of ${members.length}`;
const kinds = [...new Set(images.filter(i => anomalous[i]).map(i => classes[i]))].sort();
const caught = kinds.map(kind => `${kind} ${countAlarms(images.filter(i => classes[i] === kind))}`).join(", ");
const order = images.sort((a, b) => scores[a] - scores[b]);
const above = order.filter(i => scores[i] > level), below = order.filter(i => scores[i] <= level);
const show = part => report.groups(part.map(i => report.group(
  [report.tile("anomalies-images", i, 64, classes[i])], `${classes[i]}<br>${scores[i].toPrecision(3)}`)));
view.text = `<p style="font-size: 15px"><b>Caught: ${countAlarms(images.filter(i => anomalous[i]))} anomalous images. ` +
  `False alarms: ${countAlarms(images.filter(i => !anomalous[i]))} normal images.</b> ` +
  `AUROC, for all thresholds: ${aurocs[chosen].toFixed(3)}; chance: 0.5.<br>Caught by kind: ${caught}.</p>` +
  `<p>Just below the threshold, no alarm:</p>${show(below.slice(-shown))}` +
  `<p>Just above the threshold, alarm:</p>${show(above.slice(0, shown))}`;
