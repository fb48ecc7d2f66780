// Draws each figure when it is about to scroll into view: drawing hundreds at once would take minutes.

const CONFIG = {
  displaylogo: false,
  responsive: true,
  // Choosing points does nothing here, and fewer buttons leave room for the title.
  modeBarButtonsToRemove: ["select2d", "lasso2d"],
  toImageButtonOptions: { format: "png", scale: 2 },
};

function draw(figure) {
  if (figure.dataset.drawn) return;
  figure.dataset.drawn = "yes";
  const { data, layout } = JSON.parse(figure.querySelector("script").textContent);
  const saved = { ...CONFIG.toImageButtonOptions, filename: figure.dataset.file };
  Plotly.newPlot(figure.querySelector("div"), data, layout, { ...CONFIG, toImageButtonOptions: saved });
}

const figures = document.querySelectorAll(".figure");
const watcher = new IntersectionObserver(
  (seen) => seen.filter((entry) => entry.isIntersecting).forEach((entry) => draw(entry.target)),
  { rootMargin: "800px" },
);
figures.forEach((figure) => watcher.observe(figure));
addEventListener("beforeprint", () => figures.forEach(draw));
