// Charts over time or over thresholds, with uPlot, in the colours of the page.

import { el, number } from "./core.js";

const FONT = "12px system-ui, sans-serif";

/** Return a number for an axis, where there is room for few characters: 200K. */
const compact = (value) => value.toLocaleString(undefined, { notation: "compact", maximumSignificantDigits: 3 });

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Draw lines and return the chart. `series` holds labels, colour names and values; the ends of `interval` enclose an area. */
export function draw(place, title, xs, series, { height = 160, isTime = true, marks = () => [], format = number, interval = null } = {}) {
  const ticks = format === number ? compact : format;
  const frame = el("div", { class: "chart", role: "img", "aria-label": `${title}: ${describe(series)}` });
  place.append(el("div", {}, el("h3", {}, title), frame));
  const axis = { stroke: colour("quiet"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line") }, font: FONT };
  const options = {
    width: frame.clientWidth || 300,
    height,
    scales: { x: { time: isTime }, y: { range: (_, low, high) => [Math.min(0, low ?? 0), high > 0 ? high * 1.1 : 1] } },
    axes: [axis, { ...axis, size: 56, values: (_, values) => values.map(ticks) }],
    series: [
      isTime ? {} : { label: "Threshold", value: (_, value) => number(value) },
      ...series.map(({ label, color, fill }) => ({
        label,
        stroke: colour(color),
        fill: fill ? `${colour(color)}22` : undefined,
        width: 2,
        points: { show: false },
        value: (_, value) => (value === null ? "–" : format(value)),
      })),
      ...(interval ? ["low", "high"].map((end) => ({ label: `95 % interval, ${end} end`, points: { show: false }, value: (_, value) => (value === null ? "–" : format(value)) })) : []),
    ],
    bands: interval ? [{ series: [series.length + 2, series.length + 1], fill: `${colour("quiet")}33` }] : [],
    hooks: { draw: [(chart) => marks().forEach((mark) => line(chart, mark))] },
  };
  const chart = new uPlot(options, [xs, ...series.map(({ values }) => values), ...(interval ?? [])], frame);
  new ResizeObserver(() => chart.setSize({ width: frame.clientWidth, height })).observe(frame);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => location.reload());
  return chart;
}

/** Draw a vertical line at a value of x. */
function line(chart, { x, color, dash }) {
  const { ctx, bbox } = chart;
  const at = chart.valToPos(x, "x", true);
  ctx.save();
  ctx.strokeStyle = colour(color);
  ctx.lineWidth = 2 * devicePixelRatio;
  ctx.setLineDash(dash ? [6, 6] : []);
  ctx.beginPath();
  ctx.moveTo(at, bbox.top);
  ctx.lineTo(at, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}

/** Return the range of each series in words, for those who do not see the chart. */
function describe(series) {
  return series
    .map(({ label, values }) => {
      const known = values.filter((value) => value !== null);
      return known.length ? `${label} from ${number(Math.min(...known))} to ${number(Math.max(...known))}` : `${label} unknown`;
    })
    .join("; ");
}
