// Show what every method makes of one image with noise of one strength.
const level = strengths.findIndex(one => Math.abs(one - strength.value) < 0.01);
const at = image.options.indexOf(image.value);
const place = method => (method * strengths.length + level) * image.options.length + at;
view.text = report.groups([
  report.group([report.tile("noise-images", at, 84, image.value)], "without noise"),
  ...titles.map((title, method) => report.group(
    [report.tile("noise-results", place(method), 84, `${image.value}, ${title}`)],
    `<div style="width: 120px">${title}<br>${psnr[place(method)].toFixed(1)} dB</div>`)),
]);
