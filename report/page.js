// What the scripts of the parts share: they show images of sheets by calling these functions.
window.report = {
  COLUMNS: $columns,  // sprites.py

  // An image of a sheet, `size` pixels wide; `label` says what it shows to those who do not see it.
  tile(sheet, index, size, label) {
    const left = (index % this.COLUMNS) * size;
    const top = Math.floor(index / this.COLUMNS) * size;
    return `<span role="img" aria-label="${label}" style="display: inline-block; width: ${size}px; ` +
      `height: ${size}px; background: var(--${sheet}) -${left}px -${top}px / ${this.COLUMNS * size}px auto; ` +
      `image-rendering: pixelated; border: 1px solid #BBB"></span>`;
  },

  // Images side by side, with a line of text below.
  group(tiles, caption) {
    return `<figure style="display: inline-block; margin: 0 14px 12px 0; vertical-align: top; font: 13px ` +
      `sans-serif"><div style="display: flex; flex-wrap: wrap; gap: 3px">${tiles.join("")}</div>` +
      `<figcaption style="margin-top: 3px">${caption}</figcaption></figure>`;
  },

  // Groups one after another, in as many rows as the page needs.
  groups(all) {
    return `<div style="line-height: 1.3">${all.join("")}</div>`;
  },
};
