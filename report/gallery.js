// Show the images at one end of a ranking, with their reconstructions.
const ranking = rankings[method.value][group.value][end.value];
const mean = means[method.value][group.value];
const groups = ranking.map(([place, label, error, baseline]) => {
  const tiles = [["original", label], ["reconstruction", "its reconstruction"], ["difference", "their difference"]];
  return report.group(
    tiles.map(([sheet, text]) => report.tile("gallery-" + sheet, place, 64, text)),
    `${label}<br>MSE ${error.toFixed(4)}, mean image ${baseline.toFixed(4)}`);
});
view.text = `<p style="font-size: 14px">Image, reconstruction, difference; the ${end.value} first. ` +
  `The mean error of ${group.value} is ${mean.toFixed(4)}.</p>${report.groups(groups)}`;
