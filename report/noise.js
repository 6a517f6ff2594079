// Show what every method makes of one image with noise of one strength.
const at = image.options.indexOf(image.value);
const place = method => (method * strengths.length + level.value - 1) * image.options.length + at;
const groups = titles.map((title, method) => report.group(
  [report.tile("noise-results", place(method), 84, `${image.value}, ${title}`)],
  `<div style="width: 120px">${title}<br>${psnr[place(method)].toFixed(1)} dB</div>`));
const clean = report.tile("noise-images", at, 84, image.value);
view.text = `<p style="font-size: 14px">σ = ${strengths[level.value - 1]}; PSNR of this image:</p>` +
  report.groups([report.group([clean], '<div style="width: 120px">without noise</div>'), ...groups]);
