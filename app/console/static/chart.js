// Charts over time or over thresholds, with uPlot, in the colours of the page.

import { el, number } from "./core.js";

const FONT = "12px system-ui, sans-serif";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Draw lines; return a function that replaces the data. `series` holds label, colour name, and an optional band. */
export function draw(place, title, xs, series, { height = 160, isTime = true, marks = () => [], format = number } = {}) {
  const frame = el("div", { class: "chart", role: "img", "aria-label": `${title}: ${describe(series)}` });
  place.append(el("div", {}, el("h3", {}, title), frame));
  const axis = { stroke: colour("quiet"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line") }, font: FONT };
  const options = {
    width: frame.clientWidth || 300,
    height,
    scales: { x: { time: isTime }, y: { range: (_, low, high) => [Math.min(0, low ?? 0), high > 0 ? high * 1.1 : 1] } },
    axes: [axis, { ...axis, size: 56, values: (_, ticks) => ticks.map((tick) => format(tick)) }],
    series: [
      isTime ? {} : { label: "Threshold", value: (_, value) => number(value) },
      ...series.map(({ label, color, dash, fill }) => ({
        label,
        stroke: colour(color),
        fill: fill ? `${colour(color)}22` : undefined,
        width: dash ? 1 : 2,
        dash: dash ? [4, 4] : undefined,
        points: { show: false },
        value: (_, value) => (value === null ? "–" : format(value)),
      })),
    ],
    hooks: { draw: [(chart) => marks().forEach((mark) => line(chart, mark))] },
  };
  const chart = new uPlot(options, [xs, ...series.map(({ values }) => values)], frame);
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
  if (dash) ctx.setLineDash([6, 6]);
  ctx.beginPath();
  ctx.moveTo(at, bbox.top);
  ctx.lineTo(at, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}

/** Return the range of each series in words, for those who do not see the chart. */
function describe(series) {
  return series
    .filter(({ dash }) => !dash)
    .map(({ label, values }) => {
      const known = values.filter((value) => value !== null);
      return known.length ? `${label} from ${number(Math.min(...known))} to ${number(Math.max(...known))}` : `${label} unknown`;
    })
    .join("; ");
}
