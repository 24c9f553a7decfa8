// Drawing over the points: the playlist, the selected track and its neighbors, matches, names, the lasso.

const MAX_RINGS = 1000; // matches beyond that stand out by their color alone

function startPath(context, points) {
  context.beginPath();
  points.forEach((point, index) => (index ? context.lineTo(...point) : context.moveTo(...point)));
}

function drawLine(context, points) {
  startPath(context, points);
  context.stroke();
}

function drawRing(context, [x, y], radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
}

/** Draw a line with a border of another color, so that it is seen on any background. */
function drawBordered(context, width, color, border, draw) {
  for (const [lineWidth, strokeStyle] of [[width + 2.5, border], [width, color]]) {
    Object.assign(context, { lineWidth, strokeStyle });
    draw();
  }
}

function drawLabels(context, labels, theme) {
  Object.assign(context, { textBaseline: "middle", lineJoin: "round", strokeStyle: theme.background });
  for (const { text, font, isTrack, left, middle } of labels) {
    Object.assign(context, { font, lineWidth: isTrack ? 3 : 4.5, fillStyle: isTrack ? theme.muted : theme.foreground });
    context.strokeText(text, left, middle);
    context.fillText(text, left, middle);
  }
}

/**
 * Draw what lies over the points.
 *
 * @param context of a canvas, scaled to CSS pixels
 * @param scene {camera, data, radius, line, selected, matches, labels, lasso}: rows of tracks, null or empty if there are
 *   none; radius of a point; positions of the playlist's tracks and of the lasso; the placed labels
 * @param theme {background, foreground, muted, accent}: colors
 */
export function drawOverlay(context, { camera, data, radius, line, selected, matches, labels, lasso }, theme) {
  const placeOf = (row) => camera.toScreen(data.x[row], data.y[row]);
  const drawRowRing = (row, distance) => drawRing(context, placeOf(row), radius + distance);
  context.clearRect(0, 0, camera.width, camera.height);
  Object.assign(context, { lineJoin: "round", lineCap: "round" });
  drawBordered(context, 2, theme.accent, theme.background, () => drawLine(context, line));
  for (const place of line) drawBordered(context, 1.5, theme.accent, theme.background, () => drawRing(context, place, radius + 2));
  if (matches && matches.length <= MAX_RINGS) {
    Object.assign(context, { strokeStyle: theme.foreground, lineWidth: 1.5 });
    for (const row of matches) if (camera.isInView(data.x[row], data.y[row], -20)) drawRowRing(row, 2.5);
  }
  if (selected !== null) {
    const neighbors = data.neighbors?.[selected] ?? [];
    Object.assign(context, { strokeStyle: theme.muted, lineWidth: 1.2 });
    context.setLineDash([2, 4]);
    for (const row of neighbors) drawLine(context, [placeOf(selected), placeOf(row)]);
    context.setLineDash([]);
    for (const row of neighbors) drawRowRing(row, 2.5);
    drawBordered(context, 2.5, theme.accent, theme.background, () => drawRowRing(selected, 5));
  }
  drawLabels(context, labels, theme);
  if (lasso.length > 1) {
    Object.assign(context, { fillStyle: theme.accent, strokeStyle: theme.accent, lineWidth: 2, globalAlpha: 0.15 });
    startPath(context, lasso);
    context.closePath();
    context.fill();
    context.globalAlpha = 1;
    context.stroke();
  }
}
