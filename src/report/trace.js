"use strict";
// The enlarged trace of an epoch: signals unpacked (trace_code.h says how they are packed), events, slow-wave ruler.
const trace = (() => {
  const NS = "http://www.w3.org/2000/svg", RATE = 100, SECONDS = 30, WIDTH = 1200, LEFT = 74, RIGHT = 12, TOP = 20, LANE = 92, RULER = 82;
  const PX_S = (WIDTH - LEFT - RIGHT) / SECONDS, CRITERION_S = 6;
  // name, letters on the trace, colour (light page, dark page); slow waves are many, so they carry no letters
  const kinds = { alpha: ["alpha", "α", "#8a5a00", "#ffc04d"], theta: ["theta", "θ", "#5b6b00", "#c9dd55"], spindle: ["spindle", "Sp", "#0b62c4", "#6fb2ff"],
    k_complex: ["K-complex", "K", "#a3247f", "#ff8fdb"], slow_wave: ["slow wave", "", "#123f75", "#7aa7e6"], vertex_wave: ["vertex wave", "V", "#00695c", "#5fd3c2"],
    sawtooth: ["sawtooth waves", "St", "#7b4a12", "#e0a866"], blink: ["blink", "B", "#5d4a9c", "#b9a8ff"], rem: ["rapid eye movement", "REM", "#b3141d", "#ff8e8e"],
    sem: ["slow eye movement", "SEM", "#8c5aa8", "#d8a9f2"], phasic_emg: ["twitch", "Tw", "#4d5a00", "#c2cf62"], arousal: ["arousal", "Ar", "#b34700", "#ff9c57"],
    body_movement: ["body movement", "Mv", "#6b3d2e", "#d3a08f"], artefact: ["artefact", "×", "#5d6670", "#a8b2bd"] };
  const hidden = new Set();
  let gain = 1;

  const svg = (name, attributes, text) => { const x = document.createElementNS(NS, name);
    for (const [k, v] of Object.entries(attributes || {})) x.setAttribute(k, v);
    if (text !== undefined) x.textContent = text; return x; };
  const x_of = s => LEFT + s * PX_S;
  const colour = kind => { const k = kinds[kind] || ["", "", "#5d6670", "#a8b2bd"]; return matchMedia("(prefers-color-scheme: dark)").matches && !matchMedia("print").matches ? k[3] : k[2]; };
  const name_of = kind => (kinds[kind] || [kind])[0];

  function unpack(bytes, n_channels) {
    let at = 0;
    const bit = () => { const b = bytes[at >> 3] >> (7 - (at & 7)) & 1; at++; return b; };
    const take = n => { let v = 0; while (n-- > 0) v = v << 1 | bit(); return v; };
    const channels = [];
    for (let c = 0; c < n_channels; c++) {
      const order = take(2), k = take(5), out = new Int32Array(RATE * SECONDS);
      let a = 0, b = 0;
      for (let i = 0; i < out.length && at < bytes.length * 8; i++) {
        let q = 0;
        while (q < 24 && bit()) q++;
        const z = q < 24 ? q * 2 ** k + take(k) : take(20), r = z % 2 ? -(z + 1) / 2 : z / 2;
        const x = order === 0 ? r : order === 1 ? r + a : r + 2 * a - b;
        out[i] = x; b = a; a = x;
      }
      channels.push(out);
    }
    return channels;
  }
  function signals(epoch) {
    const packed = document.getElementById("s" + epoch);
    if (!packed) return null;
    const text = atob(packed.textContent), bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return unpack(bytes, data.traces.length);
  }

  const describe = ev => name_of(ev.kind) + " in " + (ev.channels.join(", ") || "all channels") + ", " + (ev.frequency_hz !== null ? ev.frequency_hz.toFixed(1) + " Hz, " : "") +
    (ev.amplitude_uv !== null ? Math.round(ev.amplitude_uv) + " µV, " : "") + ev.duration_s.toFixed(1) + " s";
  const shown = (row, epoch) => (row.events || []).filter(ev => ev.kind !== null && ev.onset_s !== null && ev.duration_s !== null && !hidden.has(ev.kind) &&
    ev.onset_s + ev.duration_s > epoch * SECONDS && ev.onset_s < (epoch + 1) * SECONDS);
  const inside = (ev, epoch) => [Math.max(0, ev.onset_s - epoch * SECONDS), Math.min(SECONDS, ev.onset_s + ev.duration_s - epoch * SECONDS)];

  function grid(root, height) {
    for (let s = 0; s <= SECONDS; s++) {
      root.append(svg("line", { x1: x_of(s), x2: x_of(s), y1: TOP, y2: height, class: s % 5 ? "second" : "second five" }));
      if (s % 5 === 0) root.append(svg("text", { x: x_of(s), y: 12, "text-anchor": s === SECONDS ? "end" : s ? "middle" : "start" }, s + " s"));
    }
  }
  // EEG and eyes: the bar is 75 uV, what a slow wave of N3 must reach; chin: 25 uV at three times the scale
  function lane(root, role, index, samples, step) {
    const middle = TOP + (index + .5) * LANE, chin = role === "Chin", bar = chin ? 25 : 75, px = gain * (chin ? 1.5 : .5), g = svg("g", { class: "lane", role: "img" });
    let low = Infinity, high = -Infinity, d = "";
    for (let i = 0; i < samples.length; i++) { const v = samples[i] * step; low = Math.min(low, v); high = Math.max(high, v);
      d += (i ? "L" : "M") + (LEFT + i / RATE * PX_S).toFixed(1) + " " + (middle - v * px).toFixed(1); }
    g.setAttribute("aria-label", role + ", from " + Math.round(low) + " to " + Math.round(high) + " microvolts");
    if (!chin) for (const v of [-37.5, 37.5]) g.append(svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: middle - v * px, y2: middle - v * px, class: "limit" }));
    g.append(svg("text", { x: 4, y: middle + 5, class: "role" }, role),
      svg("path", { d: `M58 ${middle - bar * px / 2}h8m-4 0v${bar * px}m-4 0h8`, class: "scale" }),
      svg("text", { x: 54, y: middle + bar * px / 2 + 4, "text-anchor": "end", class: "unit" }, bar + " µV"));
    g.append(svg("path", { d, class: "signal", "clip-path": "url(#plot)" }));
    root.append(g);
  }
  function events(root, list, epoch, roles) {
    const last = {};
    for (const ev of list) {
      const [from, to] = inside(ev, epoch), ink = colour(ev.kind), letters = (kinds[ev.kind] || ["", "?"])[1];
      const g = svg("g", { class: "event", "data-kind": ev.kind });
      g.append(svg("title", {}, describe(ev)));
      roles.forEach((role, i) => {
        if (ev.channels.length && !ev.channels.includes(role)) return;
        const y = TOP + i * LANE + 4, x = x_of(from), w = Math.max(3, (to - from) * PX_S);
        g.append(svg("rect", { x, y, width: w, height: LANE - 8, fill: ink, "fill-opacity": ev.kind === "slow_wave" ? .13 : .1 }));
        if (ev.kind === "slow_wave") return;
        g.append(svg("path", { d: `M${x} ${y + 7}v-7h${w}v7`, stroke: ink, fill: "none", "stroke-width": 1.6 }));
        const words = ev.kind === "spindle" && ev.frequency_hz !== null && w > 30 ? letters + " " + ev.frequency_hz.toFixed(1) + " Hz" : letters;
        if (x < (last[role] || 0) || x > WIDTH - RIGHT - 20) return;
        g.append(svg("text", { x: x + 2, y: y + 12, class: "letters", style: "fill:" + ink }, words));
        last[role] = x + 9 * words.length;
      });
      root.append(g);
    }
  }
  // The seconds with slow waves in the channel that N3 is scored in, added up from the left
  function ruler(root, row, epoch, roles, y) {
    const role = ["F4", "C4", "O2"].find(r => roles.includes(r)), total = row.measured ? row.measured.slow_wave_s : undefined, g = svg("g", { id: "ruler" });
    if (typeof total !== "number") { g.append(svg("text", { x: LEFT, y: y + 26 }, "Slow waves: not measured in this epoch")); root.append(g); return; }
    const spans = (row.events || []).filter(ev => ev.kind === "slow_wave" && ev.channels.includes(role) && ev.onset_s !== null && ev.duration_s !== null)
      .map(ev => inside(ev, epoch)).filter(([a, b]) => b > a).sort((a, b) => a[0] - b[0]);
    const base = y + 58, height = 40, top_s = Math.max(2 * CRITERION_S, total), y_of = s => base - s / top_s * height;
    let sum = 0, end = 0, d = `M${LEFT} ${base}`, reached = null;
    for (const [a, b] of spans) {
      const from = Math.max(a, end);
      if (b <= from) continue;
      g.append(svg("rect", { x: x_of(from), y: y + 4, width: (b - from) * PX_S, height: 9, fill: colour("slow_wave") }));
      if (reached === null && sum + b - from >= CRITERION_S) reached = from + CRITERION_S - sum;
      d += `L${x_of(from)} ${y_of(sum)}`;
      sum += b - from; end = b;
      d += `L${x_of(b)} ${y_of(sum)}`;
    }
    const enough = total >= CRITERION_S, text = total.toFixed(1) + " s of 30 s in " + (role || "EEG") + (enough ? ": ≥ 6 s, enough for N3" : ": < 6 s, not enough for N3");
    const limit = y_of(CRITERION_S);
    g.append(svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: limit, y2: limit, class: "limit" }),
      svg("path", { d: d + `L${WIDTH - RIGHT} ${y_of(sum)}`, class: "sum", style: "stroke:" + colour("slow_wave") }),
      svg("text", { x: 4, y: y + 13 }, "slow waves"), svg("text", { x: 66, y: limit + 3, "text-anchor": "end", class: "unit" }, "sum 6 s"),
      svg("text", { x: WIDTH - RIGHT, y: y + 75, "text-anchor": "end", class: "total" }, "Slow waves (0.5–2 Hz, ≥ 75 µV peak to peak): " + text));
    if (reached !== null) g.append(svg("circle", { cx: x_of(reached), cy: limit, r: 4, fill: colour("slow_wave") }));
    g.prepend(svg("title", {}, text));
    root.append(g);
  }
  function highlight(root, claim, epoch, roles, bottom) {
    if (!claim) return;
    const placed = claim.onset_s !== null, from = placed ? claim.onset_s - epoch * SECONDS : 0, to = placed ? from + (claim.duration_s || 0) : SECONDS;
    const a = Math.min(SECONDS, Math.max(0, from)), b = Math.min(SECONDS, Math.max(a, to)), x = x_of(a) - 2, w = Math.max(6, (b - a) * PX_S + 4);
    const g = svg("g", { id: "span", class: "span " + verdict_class(claim.verdict) + (placed ? "" : " whole"), "data-from-s": a.toFixed(2), "data-to-s": b.toFixed(2) });
    g.append(svg("title", {}, claim_title(claim)), svg("rect", { x, y: TOP, width: w, height: bottom - TOP, class: "all" }));
    roles.forEach((role, i) => { if (claim.channels.includes(role)) g.append(svg("rect", { x, y: TOP + i * LANE + 2, width: w, height: LANE - 4, class: "here" })); });
    root.append(g);
  }

  function legend(row, epoch) {
    const counts = {};
    for (const ev of row.events || []) if (ev.kind !== null) counts[ev.kind] = (counts[ev.kind] || 0) + 1;
    return Object.keys(kinds).filter(k => counts[k]).map(k => {
      const b = document.createElement("button"), dot = document.createElement("span");
      dot.className = "swatch"; dot.style.background = colour(k); dot.setAttribute("aria-hidden", "true");
      b.append(dot, (kinds[k][1] ? kinds[k][1] + " " : "") + kinds[k][0] + " " + counts[k]);
      b.setAttribute("aria-pressed", String(!hidden.has(k))); b.title = "show or hide on the trace";
      b.onclick = () => { if (hidden.has(k)) hidden.delete(k); else hidden.add(k); redraw(); [...document.querySelectorAll("#kinds button")].find(x => x.dataset.kind === k).focus(); };
      b.dataset.kind = k; return b; });
  }

  let last = null;
  function draw(epoch, claim) {
    last = [epoch, claim];
    const row = rows[epoch], channels = signals(epoch), box = document.getElementById("trace-box");
    box.hidden = !channels;
    if (!channels) return;
    const roles = data.traces.map(t => t.role), bottom = TOP + LANE * roles.length, height = bottom + RULER;
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, id: "trace", "aria-label": "Signals of epoch " + epoch + ", 30 seconds" });
    const clip = svg("clipPath", { id: "plot" });
    clip.append(svg("rect", { x: LEFT, y: TOP, width: WIDTH - LEFT - RIGHT, height: bottom - TOP }));
    root.append(clip);
    grid(root, bottom);
    events(root, shown(row, epoch), epoch, roles);
    channels.forEach((samples, i) => lane(root, roles[i], i, samples, data.traces[i].step_uv));
    if (row.events) ruler(root, row, epoch, roles, bottom);
    highlight(root, claim, epoch, roles, bottom);
    document.getElementById("trace-place").replaceChildren(root);
    document.getElementById("kinds").replaceChildren(...legend(row, epoch));
  }
  const redraw = () => { if (last) draw(...last); };
  return { draw, redraw, louder: factor => { gain = Math.min(8, Math.max(.125, gain * factor)); redraw(); }, seconds: SECONDS };
})();
