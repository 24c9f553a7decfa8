// What a map looks like: the colors of the page, the looks of the points, and the shades behind them.

import { createDensityPicture } from "./density.js";
import { Styles } from "./styles.js";

const MAX_OUTLINED_POINTS = 2000;
const PAGE_COLORS = ["background", "foreground", "muted", "accent"];
const [LIGHT_DENSITY, DARK_DENSITY] = [0.3, 0.34]; // opacity of the highest contour
const DEFAULT_FONT_PX = 16;

/**
 * Return the appearance of the tracks on a map, in the colors of the page that is around it.
 *
 * @returns {theme, styles, density}: theme has the page's colors and `textScale`, the size of its texts compared with
 *   the browser's default
 */
export function createAppearance(element, data, isDark) {
  const style = getComputedStyle(element);
  const theme = Object.fromEntries(PAGE_COLORS.map((name) => [name, style.getPropertyValue(`--map-${name}`).trim()]));
  theme.textScale = parseFloat(getComputedStyle(document.documentElement).fontSize) / DEFAULT_FONT_PX;
  const styles = new Styles(data, isDark, data.size > MAX_OUTLINED_POINTS ? null : theme.background);
  const points = { x: data.x, y: data.y, colorOf: styles.kindOf };
  const density = createDensityPicture(points, styles.channels, isDark ? DARK_DENSITY : LIGHT_DENSITY);
  return { theme, styles, density };
}
