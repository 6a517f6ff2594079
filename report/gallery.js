// Show the images at one end of a ranking, with their reconstructions.
const ranking = rankings[method.value][group.value][end.value];
view.text = report.groups(ranking.map(([place, label, error, baseline]) => {
  const tiles = [["original", label], ["reconstruction", "its reconstruction"], ["difference", "their difference"]];
  return report.group(
    tiles.map(([sheet, text]) => report.tile("gallery-" + sheet, place, 64, text)),
    `${label}<br>MSE ${error.toFixed(4)}, mean image ${baseline.toFixed(4)}`);
}));
