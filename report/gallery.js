// Show the images at one end of a ranking, with their reconstructions.
const [method, group, end] = [controls.method.value, controls["class"].value, controls.show.value];
const groups = rankings[`${method}/${group}/${end}`].map(([place, label, error, baseline]) => {
  const tiles = [["original", label], ["reconstruction", "its reconstruction"], ["difference", "their difference"]];
  return report.group(
    tiles.map(([sheet, text]) => report.tile("gallery-" + sheet, place, 64, text)),
    `${label}<br>MSE ${error.toFixed(4)}, mean image ${baseline.toFixed(4)}`);
});
view.text = `<p style="font-size: 14px">Image, reconstruction, difference; the ${end} first. ` +
  `The mean error of ${group} is ${means[`${method}/${group}`].toFixed(4)}.</p>${report.groups(groups)}`;
