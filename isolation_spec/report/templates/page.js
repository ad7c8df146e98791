"use strict";
(() => {
  const NAMESPACE = "http://www.w3.org/2000/svg";
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const runs = [...document.querySelectorAll(".run")];
  let run = runs[0];
  const current = new Map();

  const rowsOf = (one) => [...one.querySelectorAll(".row")];
  const clamp = (low, value, high) => Math.max(low, Math.min(value, high));

  // Where lanes and rows are on this screen.

  function geometry(lanes, width) {
    const tracks = lanes.reduce((sum, lane) => sum + lane.tracks, 0);
    const narrow = width < 560;
    const gap = narrow ? 7 : 16;
    const budget = width * (narrow ? 0.4 : 0.45);
    const unit = clamp(4.5, (budget - gap * lanes.length) / tracks, narrow ? 13 : 17);
    const least = narrow ? 0 : Math.min(92, budget / lanes.length);
    const lefts = [];
    let x = 0;
    for (const lane of lanes) {
      const wide = Math.max(lane.tracks * unit + gap, least);
      lefts.push({ x, wide, first: x + (wide - lane.tracks * unit) / 2 });
      x += wide;
    }
    return {
      unit, width: Math.ceil(x), lefts,
      x: (lane, track) => lefts[lane].first + (track + 0.5) * unit,
    };
  }

  function heights(one) {
    const top = one.querySelector(".rows").getBoundingClientRect().top;
    const centres = [];
    let bottom = 0;
    for (const row of rowsOf(one)) {
      const box = row.getBoundingClientRect();
      if (!box.height) { centres.push(centres.at(-1) ?? 0); continue; }
      centres.push(box.top - top + Math.min(14, box.height / 2));
      bottom = box.bottom - top;
    }
    const y = (at) => {
      if (!centres.length) return 0;
      const index = Math.floor(at);
      const from = index < 0 ? 0 : centres[Math.min(index, centres.length - 1)];
      const to = index + 1 < centres.length ? centres[index + 1] : bottom;
      return from + (to - from) * (at - index);
    };
    return { y, bottom };
  }

  // Drawing.

  function element(name, attributes, parent) {
    const made = document.createElementNS(NAMESPACE, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    parent.append(made);
    return made;
  }

  function drawBars(svg, drawing, grid, y) {
    const { unit } = grid;
    for (const bar of drawing.bars) {
      const x = grid.x(bar.lane, bar.track);
      const top = y(bar.begin), high = Math.max(4, y(bar.end) - top);
      if (bar.kind === "connection") {
        element("line", { class: "bar-connection", x1: x, x2: x, y1: top, y2: top + high }, svg);
        continue;
      }
      const wide = bar.kind === "operation" ? clamp(3, unit * 0.5, 8) : clamp(2, unit * 0.22, 3.5);
      const ended = ["cancelled", "failed", "refused"].includes(bar.outcome);
      const name = bar.kind === "operation" && ended ? bar.outcome : bar.kind;
      element("rect", { class: `bar-${name}`, x: x - wide / 2, y: top, width: wide, height: high, rx: wide / 2 }, svg);
    }
  }

  function drawTicks(svg, drawing, grid, y) {
    const half = clamp(1.5, grid.unit * 0.25, 4);
    for (const { point: [at, lane, track] } of drawing.ticks) {
      const x = grid.x(lane, track), here = y(at);
      element("line", { class: "tick", x1: x - half, x2: x + half, y1: here, y2: here }, svg);
    }
  }

  function drawArrow(svg, arrow, grid, y) {
    const x1 = grid.x(arrow.cause[1], arrow.cause[2]), y1 = y(arrow.cause[0]);
    const x2 = grid.x(arrow.effect[1], arrow.effect[2]), y2 = y(arrow.effect[0]);
    if (x1 === x2) return;
    if (y1 === y2 && arrow.cause[0] !== arrow.effect[0]) return;
    const strong = arrow.strong ? " strong" : "";
    const way = x2 > x1 ? 1 : -1;
    const end = x2 - way * clamp(2.5, grid.unit * 0.3, 5);
    const bend = Math.min(7, Math.abs(end - x1), Math.max(0, y2 - y1));
    element("path", {
      class: `arrow${strong}`,
      d: `M${x1} ${y1}V${y2 - bend}Q${x1} ${y2} ${x1 + way * bend} ${y2}H${end}`,
    }, svg);
    const size = clamp(2.5, grid.unit * 0.3, 4);
    element("path", {
      class: `arrow-head${strong}`,
      d: `M${end} ${y2}l${-way * size * 1.4} ${-size}v${2 * size}z`,
    }, svg);
  }

  function drawPath(svg, drawing, grid, y) {
    const points = drawing.path.map(([at, lane, track]) => [grid.x(lane, track), y(at)]);
    const d = points.map(([x, here], index) => {
      if (!index) return `M${x} ${here}`;
      const [x0, before] = points[index - 1];
      const middle = (before + here) / 2;
      return x === x0 ? `V${here}` : `C${x0} ${middle} ${x} ${middle} ${x} ${here}`;
    }).join("");
    if (d) element("path", { class: "path", d }, svg);
    for (const [x, here] of points) {
      element("circle", { class: "mark strong", cx: x, cy: here, r: clamp(3, grid.unit * 0.36, 5.5) }, svg);
    }
  }

  const SMALL = ["agent_stepped", "session_moved", "gauge_read", "phase_started"];
  const HOLLOW = ["operation_ended", "connection_closed"];
  const SQUARE = ["event_received", "connection_opened", "connection_closed", "row_stored"];

  function drawMark(svg, row, grid, here) {
    const { kind } = row.dataset;
    const x = grid.x(+row.dataset.lane, +row.dataset.track);
    const r = clamp(2.2, grid.unit * 0.3, 4.5) * (SMALL.includes(kind) ? 0.7 : 1);
    if (kind === "phase_started") return;
    if (kind === "cancellation_delivered") {
      element("path", { class: "cross", d: `M${x - r} ${here - r}l${2 * r} ${2 * r}m0 ${-2 * r}l${-2 * r} ${2 * r}` }, svg);
    } else if (SQUARE.includes(kind)) {
      const name = HOLLOW.includes(kind) ? "mark hollow" : "mark";
      element("path", { class: name, d: `M${x} ${here - r * 1.25}l${r * 1.25} ${r * 1.25}l${-r * 1.25} ${r * 1.25}l${-r * 1.25} ${-r * 1.25}z` }, svg);
    } else {
      const name = HOLLOW.includes(kind) ? "mark hollow" : SMALL.includes(kind) ? "mark small" : "mark";
      element("circle", { class: name, cx: x, cy: here, r }, svg);
    }
  }

  function drawFailing(svg, one, grid, y) {
    rowsOf(one).forEach((row, index) => {
      if (!row.classList.contains("fails")) return;
      const x = grid.x(+row.dataset.lane, +row.dataset.track);
      element("circle", { class: "ring", cx: x, cy: y(index), r: clamp(5, grid.unit * 0.62, 9) }, svg);
    });
  }

  function drawLabels(lanes, grid, left) {
    const head = byId("lanes");
    head.replaceChildren();
    head.classList.remove("upright");
    const labels = lanes.map((lane) => {
      const label = document.createElement("span");
      label.textContent = lane.label;
      head.append(label);
      return label;
    });
    const upright = labels.some((label, index) => label.offsetWidth > grid.lefts[index].wide - 4);
    head.classList.toggle("upright", upright);
    const high = Math.max(...labels.map((label) => label.offsetHeight));
    head.style.height = `${high + 8}px`;
    labels.forEach((label, index) => {
      const { x, wide } = grid.lefts[index];
      label.style.left = `${left + x + (wide - label.offsetWidth) / 2}px`;
    });
  }

  function draw() {
    const drawing = data[run.dataset.run];
    const rows = run.querySelector(".rows");
    const time = window.matchMedia("(max-width: 600px)").matches ? 0 : 74;
    const grid = geometry(drawing.lanes, rows.clientWidth);
    run.style.setProperty("--graph", `${grid.width}px`);
    run.style.setProperty("--left", `${time}px`);
    const { y, bottom } = heights(run);
    const svg = run.querySelector(".drawing");
    svg.replaceChildren();
    svg.setAttribute("width", grid.width);
    svg.setAttribute("height", Math.ceil(bottom));
    drawing.lanes.forEach((lane, index) => {
      const x = Math.round(grid.lefts[index].x) + 0.5;
      if (index) element("line", { class: "lane-line", x1: x, x2: x, y1: 0, y2: bottom }, svg);
    });
    drawBars(svg, drawing, grid, y);
    drawTicks(svg, drawing, grid, y);
    for (const arrow of drawing.arrows) if (!arrow.strong) drawArrow(svg, arrow, grid, y);
    rowsOf(run).forEach((row, index) => {
      if (row.offsetHeight) drawMark(svg, row, grid, y(index));
    });
    for (const arrow of drawing.arrows) if (arrow.strong) drawArrow(svg, arrow, grid, y);
    drawPath(svg, drawing, grid, y);
    drawFailing(svg, run, grid, y);
    drawLabels(drawing.lanes, grid, time);
  }

  // Stepping.

  function select(index, { focus = false, scroll = true } = {}) {
    const rows = rowsOf(run);
    if (!rows.length) return;
    const chosen = clamp(0, index, rows.length - 1);
    rows.forEach((row, number) => {
      const here = number === chosen;
      row.querySelector(".step").tabIndex = here ? 0 : -1;
      if (here) row.setAttribute("aria-current", "step");
      else row.removeAttribute("aria-current");
    });
    current.set(run, chosen);
    const row = rows[chosen];
    const detail = row.querySelector(".more").content.cloneNode(true);
    byId("detail").replaceChildren(detail);
    byId("position").textContent = `step ${chosen + 1} of ${rows.length}`;
    byId("previous").disabled = chosen === 0;
    byId("next").disabled = chosen === rows.length - 1;
    if (focus) row.querySelector(".step").focus({ preventScroll: true });
    if (scroll) reveal(row);
  }

  function reveal(row) {
    const box = row.getBoundingClientRect();
    const top = document.querySelector(".head").offsetHeight + 8;
    const panel = byId("panel");
    const docked = getComputedStyle(panel).bottom === "0px";
    const bottom = window.innerHeight - (docked ? panel.offsetHeight : 0) - 8;
    if (box.top < top) window.scrollBy(0, box.top - top);
    else if (box.bottom > bottom) window.scrollBy(0, box.bottom - bottom);
  }

  function step(by, options) {
    const rows = rowsOf(run);
    let index = (current.get(run) ?? 0) + by;
    while (rows[index] && !rows[index].offsetHeight) index += by;
    if (rows[index]) select(index, options);
  }

  function goToFailing(options) {
    const rows = rowsOf(run);
    const wanted = run.querySelector(".fails") ?? run.querySelector(".parting");
    select(Math.max(0, rows.indexOf(wanted)), options);
  }

  const KEYS = {
    ArrowDown: () => step(1, { focus: true }), ArrowRight: () => step(1, { focus: true }),
    ArrowUp: () => step(-1, { focus: true }), ArrowLeft: () => step(-1, { focus: true }),
    Home: () => select(0, { focus: true }), End: () => select(Infinity, { focus: true }),
  };

  document.addEventListener("keydown", (event) => {
    const key = KEYS[event.key];
    if (!key || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    key();
  });

  for (const one of runs) {
    one.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row) select(rowsOf(one).indexOf(row), { focus: true, scroll: false });
    });
  }

  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  byId("failing").addEventListener("click", () => goToFailing());
  byId("key").addEventListener("click", () => {
    const few = byId("key").getAttribute("aria-pressed") !== "true";
    byId("key").setAttribute("aria-pressed", String(few));
    for (const one of runs) one.classList.toggle("key", few);
    draw();
    const row = rowsOf(run)[current.get(run)];
    if (row.offsetHeight) reveal(row);
    else goToFailing();
  });

  for (const button of document.querySelectorAll("[data-show]")) {
    button.addEventListener("click", () => {
      const wanted = runs.find((one) => one.dataset.run === button.dataset.show);
      for (const one of runs) one.hidden = one !== wanted;
      for (const other of document.querySelectorAll("[data-show]")) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      run = wanted;
      byId("failing").textContent = button.dataset.jump;
      byId("without").hidden = wanted === runs[0];
      draw();
      if (current.has(run)) select(current.get(run), { scroll: true });
      else goToFailing({ scroll: true });
    });
  }

  draw();
  goToFailing({ scroll: false });
  let wide = 0;
  new ResizeObserver(() => {
    const now = run.clientWidth;
    if (now !== wide) { wide = now; draw(); }
  }).observe(document.querySelector(".board"));
  document.fonts?.ready.then(draw);
})();
