"use strict";
const all = (selector, inside = document) => Array.from(inside.querySelectorAll(selector));
const SVG = "http://www.w3.org/2000/svg";

document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});

// Rules: one set of them at a time.
all(".choice").forEach((choice) => choice.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  all("button", choice).forEach((other) => other.setAttribute("aria-pressed", other === button));
  all(".rules", choice.closest("section")).forEach((part) => { part.hidden = part.id !== button.dataset.shows; });
}));

// Sorting: by number where there is one, else by name; what has neither stays below.
const key = (row, column) => {
  const cell = row.cells[column];
  return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
};
const compare = (a, b, column, sign) => {
  const [x, y] = [key(a, column), key(b, column)];
  if (x !== null && y !== null) return sign * (x - y);
  if (x !== null || y !== null) return x === null ? 1 : -1;
  return sign * a.cells[column].textContent.localeCompare(b.cells[column].textContent, undefined, { numeric: true });
};
all("table.data").forEach((table) => all("thead th", table).forEach((head, column) => {
  head.querySelector("button").addEventListener("click", () => {
    const body = table.tBodies[0];
    const words = !Array.from(body.rows).some((row) => key(row, column) !== null);
    const up = head.ariaSort ? head.ariaSort === "descending" : words;
    all("thead th", table).forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    body.append(...Array.from(body.rows).sort((a, b) => compare(a, b, column, up ? 1 : -1)));
  });
}));

// Filtering: by name, and by how trackers did (some below, best below, spread above a number).
const passes = (row, kind, limit) => {
  if (kind === "any" || Number.isNaN(limit)) return true;
  const values = Array.from(row.cells).slice(2).filter((cell) => cell.dataset.value !== undefined)
    .map((cell) => Number(cell.dataset.value));
  if (!values.length) return false;
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return kind === "some" ? least < limit : kind === "best" ? most < limit : most - least > limit;
};
all(".filtered").forEach((part) => {
  const [name, kind, limit, count] = ["name", "kind", "limit", "count"].map((role) => part.querySelector(`.${role}`));
  const apply = () => {
    const rows = all("tbody tr", part);
    rows.forEach((row) => {
      const named = row.cells[0].textContent.toLowerCase().includes(name.value.toLowerCase());
      row.hidden = !(named && (!kind || passes(row, kind.value, limit.valueAsNumber)));
    });
    count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
  };
  [name, kind, limit].forEach((input) => input && input.addEventListener("input", apply));
  apply();
});

// Drill-down: overlap over frames, drawn when a sequence is opened.
const WIDTH = 1000, HEIGHT = 230, LEFT = 34, BOTTOM = 24, TOP = 8, NOTHING = 255, FULL = 200;
const draw = (kind, attributes, parent) => {
  const node = document.createElementNS(SVG, kind);
  Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
  return parent.appendChild(node);
};
const decode = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const swatch = (tracker, parent) => {
  const svg = draw("svg", { class: "swatch", viewBox: "0 0 24 12" }, parent);
  draw("line", { x1: 0, x2: 24, y1: 6, y2: 6, stroke: tracker.colour, "stroke-width": 3, "stroke-dasharray": tracker.dash }, svg);
};

function drawChart(chart, trackers, sequence) {
  const lines = Object.entries(sequence.lines).map(([index, text]) => ({ tracker: trackers[index], values: decode(text) }));
  const points = Math.ceil(sequence.frames / sequence.step);
  const x = (point) => LEFT + (WIDTH - LEFT - 6) * (points > 1 ? point / (points - 1) : 0);
  const y = (share) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - share);
  const svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" }, chart);
  draw("title", {}, svg).textContent = "Overlap over frames";
  [0, 0.5, 1].forEach((share) => {
    draw("line", { x1: LEFT, x2: WIDTH - 6, y1: y(share), y2: y(share), stroke: "var(--line)" }, svg);
    draw("text", { x: LEFT - 6, y: y(share) + 4, "text-anchor": "end" }, svg).textContent = share;
  });
  const last = sequence.frames - 1;
  [0, 0.25, 0.5, 0.75, 1].forEach((share) => {
    const text = draw("text", { x: x(share * (points - 1)), y: HEIGHT - 7, "text-anchor": share === 1 ? "end" : "middle" }, svg);
    text.textContent = Math.round(share * last);
  });
  sequence.moments.forEach((frame) => {
    const at = x(Math.min(points - 1, frame / sequence.step));
    draw("line", { x1: at, x2: at, y1: TOP, y2: HEIGHT - BOTTOM, stroke: "var(--soft)", "stroke-dasharray": "2 3" }, svg);
  });
  lines.slice().reverse().forEach(({ tracker, values }) => {
    let path = "", pen = false;
    values.forEach((value, point) => {
      if (value !== NOTHING) path += `${pen ? "L" : "M"}${x(point).toFixed(1)} ${y(value / FULL).toFixed(1)}`;
      pen = value !== NOTHING;
    });
    draw("path", { d: path, fill: "none", stroke: tracker.colour, "stroke-width": 1.6, "stroke-dasharray": tracker.dash }, svg);
  });
  const cursor = draw("line", { y1: TOP, y2: HEIGHT - BOTTOM, stroke: "var(--ink)", visibility: "hidden" }, svg);
  const readout = chart.appendChild(document.createElement("output"));
  const say = (point) => {
    readout.replaceChildren();
    const first = readout.appendChild(document.createElement("b"));
    first.textContent = point === null ? "mean" : sequence.step > 1
      ? `frames ${point * sequence.step} to ${Math.min(last, (point + 1) * sequence.step - 1)}` : `frame ${point}`;
    lines.forEach(({ tracker, values }) => {
      const known = Array.from(point === null ? values : [values[point]]).filter((value) => value !== NOTHING);
      const item = readout.appendChild(document.createElement("span"));
      swatch(tracker, item);
      const mean = known.reduce((sum, value) => sum + value, 0) / known.length / FULL;
      item.append(`${tracker.name} ${known.length ? mean.toFixed(2) : "–"}`);
    });
  };
  say(null);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width * WIDTH - LEFT) / (WIDTH - LEFT - 6);
    const point = Math.min(points - 1, Math.max(0, Math.round(share * (points - 1))));
    cursor.setAttribute("x1", x(point));
    cursor.setAttribute("x2", x(point));
    cursor.setAttribute("visibility", "visible");
    say(point);
  });
  svg.addEventListener("pointerleave", () => { cursor.setAttribute("visibility", "hidden"); say(null); });
}

all("section[data-stories]").forEach((section) => {
  const stories = JSON.parse(document.getElementById(section.dataset.stories).textContent);
  all("details.sequence", section).forEach((details) => details.addEventListener("toggle", () => {
    const chart = details.querySelector(".chart");
    if (details.open && !chart.firstChild) drawChart(chart, stories.trackers, stories.sequences[details.dataset.sequence]);
  }));
});
const openTarget = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.matches("details")) { target.open = true; target.scrollIntoView(); }
};
addEventListener("hashchange", openTarget);
openTarget();
