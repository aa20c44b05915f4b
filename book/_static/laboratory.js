// The laboratory: controls, pictures and sound around the library's own graphs. What is computed is
// computed by those graphs, in workers; here it is asked for, drawn and played.
"use strict";

window.audiopgLaboratory = (() => {
  const folder = new URL("laboratory/", document.currentScript.src);
  const MOST_SECONDS = 600;
  // One step of 16 bits: what is never louder is silence.
  const SILENCE = 2 ** -15;
  const FADE_SECONDS = 0.015;
  const SLIDER_STEPS = 200;
  const TRAIL = 60;
  // Milliseconds after which a clip is said to be in the making.
  const LATE = 500;
  const LEFT = 44;
  const BOTTOM = 20;

  let about;
  const element = (name) => document.getElementById(`lab-${name}`);
  const say = (text) => { element("status").textContent = text; };
  const MAKING = "Making the clip.";

  // Parts: each is a script that calls `take`, since a page in a folder may load nothing else.

  const waiting = new Map();

  function load(name, version) {
    return new Promise((resolve, reject) => {
      waiting.set(name, resolve);
      const script = document.createElement("script");
      script.src = new URL(`${name}.js${version ? `?${version}` : ""}`, folder);
      script.onload = () => script.remove();
      script.onerror = () => reject(new Error(`${name}.js cannot be loaded`));
      document.head.append(script);
    });
  }

  async function part(name) {
    const text = await load(name, about.key);
    const packed = await (await fetch(`data:application/octet-stream;base64,${text}`)).blob();
    return new Response(packed.stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  }

  function arrive(name, content) {
    waiting.get(name)?.(content);
    waiting.delete(name);
  }

  // Engines: onnxruntime-web in a worker, one for sounds and one for the network.

  function inWorker() {
    const sessions = new Map();
    let ort;
    let providers;
    const jobs = {
      async start({ code, wasm, gpu }) {
        const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
        ort = await import(address);
        URL.revokeObjectURL(address);
        ort.env.logLevel = "error";
        // Threads would ask for headers that a folder or a plain server does not send.
        ort.env.wasm.numThreads = 1;
        ort.env.wasm.wasmBinary = wasm;
        providers = gpu ? ["webgpu", "wasm"] : ["wasm"];
      },
      async load({ name, bytes }) {
        const options = { executionProviders: providers, logSeverityLevel: 3 };
        sessions.set(name, await ort.InferenceSession.create(new Uint8Array(bytes), options));
      },
      async run({ name, feeds }) {
        const session = sessions.get(name);
        const tensors = {};
        for (const input of session.inputNames) {
          const { type, data, dims } = feeds[input];
          tensors[input] = new ort.Tensor(type, data, dims);
        }
        const found = {};
        for (const [output, tensor] of Object.entries(await session.run(tensors))) {
          found[output] = { type: tensor.type, data: tensor.data, dims: [...tensor.dims] };
        }
        return found;
      },
    };
    // One job after another: on a graphics processor the engine refuses two at once.
    let last = Promise.resolve();
    self.onmessage = ({ data }) => { last = last.then(() => work(data)); };
    const work = async ({ id, job, given }) => {
      try {
        const result = await jobs[job](given);
        const buffers = Object.values(result ?? {}).map((tensor) => tensor.data.buffer);
        self.postMessage({ id, result }, [...new Set(buffers)]);
      } catch (error) {
        self.postMessage({ id, error: String(error?.message ?? error) });
      }
    };
  }

  async function startEngine(gpu) {
    const kind = gpu ? "engine-gpu" : "engine";
    const [code, wasm] = await Promise.all([part(kind), part(`${kind}-wasm`)]);
    const source = new Blob([`(${inWorker})()`], { type: "text/javascript" });
    const worker = new Worker(URL.createObjectURL(source));
    const calls = new Map();
    let last = 0;
    worker.onmessage = ({ data: { id, result, error } }) => {
      const [resolve, reject] = calls.get(id);
      calls.delete(id);
      if (error === undefined) resolve(result);
      else reject(new Error(error));
    };
    const fail = (event) => {
      for (const [, reject] of calls.values()) reject(new Error(event.message || "the worker failed"));
      calls.clear();
    };
    worker.onerror = fail;
    const ask = (job, given, buffers = []) => new Promise((resolve, reject) => {
      calls.set(++last, [resolve, reject]);
      worker.postMessage({ id: last, job, given }, buffers);
    });
    await ask("start", { code, wasm, gpu }, [code, wasm]);
    const loaded = new Map();
    const ready = (name) => {
      if (!loaded.has(name)) {
        loaded.set(name, part(name).then((bytes) => ask("load", { name, bytes }, [bytes])));
      }
      return loaded.get(name);
    };
    return {
      gpu,
      ready,
      async run(name, feeds) {
        await ready(name);
        return ask("run", { name, feeds });
      },
      end: () => worker.terminate(),
    };
  }

  const number = (value) => ({ type: "int64", data: BigInt64Array.of(BigInt(value)), dims: [] });
  const floats = (data, ...dims) => ({ type: "float32", data, dims });
  const named = (outputs) => Object.fromEntries(
    Object.entries(outputs).map(([name, tensor]) => [name.replace(/_$/, ""), tensor]),
  );

  // The clip: a preset, a seed, a number, and what was turned since: "f0" or "onset.2" -> reading.

  let sounds;
  const settings = { preset: "full", seed: 0n, clip: 0n, edits: new Map() };
  const shown = {
    citation: "", drawn: null, drawnAs: "", params: null, wave: null, mel: null, decibels: null,
    truth: null, recording: null, event: 0,
  };

  const factorNamed = (name) => about.factors.find((factor) => factor.name === name);
  const keyOf = (factor) => (factor.one_event ? `${factor.name}.${shown.event + 1}` : factor.name);

  function cite({ preset, seed, clip, edits }) {
    return `preset ${preset}, seed ${seed}, clip ${clip}${edits.size ? ", edited" : ""}`;
  }

  async function draw({ preset, seed, clip }) {
    return named(await sounds.run(`draw-${preset}`, { seed: number(seed), clip: number(clip) }));
  }

  async function turn(drawn, edits) {
    const data = new Float64Array(about.factors.length * about.events).fill(NaN);
    for (const [key, reading] of edits) {
      const [name, event = "1"] = key.split(".");
      const row = about.factors.findIndex((factor) => factor.name === name);
      data[row * about.events + Number(event) - 1] = reading;
    }
    const readings = { type: "float64", data, dims: [about.factors.length, about.events] };
    return named(await sounds.run("turn", { readings, ...drawn }));
  }

  // What a clip has beyond the paper's synthesizer, which a larger graph renders.
  const hasAdditions = (params) => about.factors.some(({ name, beyond, needs }) => (
    beyond && !needs.length && params[name].data.some((value) => value !== 0)
  ));
  const render = (params) => sounds.run(hasAdditions(params) ? "render-additions" : "render", params);
  const hear = async (wave) => (await sounds.run("log-mel", { wave })).mel.data;

  let computing = false;
  let again = false;
  let moved = null;

  // Compute and show what the settings say. Of changes that come meanwhile the last is computed.
  async function update(since = performance.now()) {
    moved = since;
    again = true;
    if (computing) return;
    computing = true;
    const said = element("status").textContent;
    // The first sound of a kind loads a part, which takes a while.
    const late = setTimeout(say, LATE, MAKING);
    try {
      while (again) {
        again = false;
        await compute(moved);
      }
    } catch (error) {
      say(`The sound could not be made: ${error.message}.`);
      throw error;
    } finally {
      computing = false;
      clearTimeout(late);
      if (element("status").textContent === MAKING) say(said === MAKING ? "" : said);
    }
  }

  async function compute(since) {
    let wave;
    if (shown.recording) {
      wave = floats(shown.recording.wave, 1, about.samples);
      shown.truth = null;
      shown.citation = `your recording, ${shown.recording.name}`;
    } else {
      const { preset, seed, clip } = settings;
      const edits = new Map(settings.edits);
      const drawnAs = `${preset} ${seed} ${clip}`;
      if (shown.drawnAs !== drawnAs) {
        shown.drawn = await draw({ preset, seed, clip });
        shown.drawnAs = drawnAs;
      }
      shown.params = await turn(shown.drawn, edits);
      const rendered = await render(shown.params);
      wave = rendered.wave;
      shown.truth = rendered.factors.data;
      shown.citation = cite({ preset, seed, clip, edits });
    }
    shown.wave = wave.data;
    swap("sound", shown.wave);
    if (since !== null && element("auto").checked && !playing && since > settled) {
      play("sound", shown.wave);
    }
    if (since !== null) performance.measure("slider to sound", { start: since });
    showSettings();
    drawWave();
    if (again) return;
    const [mel, spectrum] = await Promise.all([hear(wave), sounds.run("spectrum", { wave })]);
    shown.mel = mel;
    shown.decibels = spectrum.decibels.data;
    drawMel();
    drawSpectrum();
    if (since !== null) performance.measure("slider to pictures", { start: since });
    think("mel");
  }

  // Sound

  let context;
  let playing = null;
  // Before this time nothing was turned by hand, and nothing plays by itself.
  let settled = Infinity;
  const buttons = {
    sound: ["play", "play-original"],
    reconstruction: ["play-reconstruction"],
    nearest: [],
  };

  function source(wave, offset) {
    const buffer = context.createBuffer(1, wave.length, about.sample_rate);
    buffer.copyToChannel(wave, 0);
    const node = context.createBufferSource();
    const gain = context.createGain();
    node.buffer = buffer;
    node.connect(gain).connect(context.destination);
    gain.gain.setValueAtTime(0, context.currentTime);
    gain.gain.linearRampToValueAtTime(1, context.currentTime + FADE_SECONDS);
    node.start(0, offset);
    return { node, gain };
  }

  function fade({ node, gain }) {
    node.onended = null;
    gain.gain.cancelScheduledValues(context.currentTime);
    gain.gain.setValueAtTime(1, context.currentTime);
    gain.gain.linearRampToValueAtTime(0, context.currentTime + FADE_SECONDS);
    node.stop(context.currentTime + FADE_SECONDS);
  }

  function play(key, wave, button = null) {
    stop();
    context ??= new AudioContext({ sampleRate: about.sample_rate });
    context.resume().catch(() => {});
    playing = { key, button, began: context.currentTime, ...source(wave, 0) };
    playing.node.onended = stop;
    label();
  }

  function stop() {
    if (playing) fade(playing);
    playing = null;
    label();
  }

  // The same place of another wave, where the one before it is playing.
  function swap(key, wave) {
    if (playing?.key !== key) return;
    const offset = context.currentTime - playing.began;
    if (offset >= wave.length / about.sample_rate) return;
    fade(playing);
    Object.assign(playing, source(wave, offset));
    playing.node.onended = stop;
  }

  function label() {
    for (const [key, names] of Object.entries(buttons)) {
      for (const name of names) {
        const button = element(name);
        button.dataset.label ??= button.textContent;
        button.textContent = playing?.key === key ? "Stop" : button.dataset.label;
      }
    }
    for (const button of document.querySelectorAll("#lab-nearest [data-clip]")) {
      button.textContent = playing?.button === button ? "Stop" : "Play";
    }
  }

  function toggle(key, wave, button) {
    if (playing?.key === key && (!button || playing.button === button)) stop();
    else play(key, wave, button);
  }

  // Pictures: each canvas is drawn anew in the colours of the theme and at the width of the page.

  function surface(name, left = LEFT, bottom = BOTTOM) {
    const canvas = element(name);
    const style = getComputedStyle(document.documentElement);
    const colour = (of) => style.getPropertyValue(`--pst-color-${of}`).trim();
    const scale = window.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = canvas;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.font = "12px system-ui, sans-serif";
    const box = { left, top: 6, width: width - left - 8, height: height - bottom - 6 };
    return {
      pen,
      box,
      text: colour("text-muted"),
      ground: colour("surface"),
      border: colour("border"),
      accent: colour("primary"),
    };
  }

  function across({ pen, box, text }, ticks, place) {
    pen.fillStyle = text;
    pen.textBaseline = "top";
    pen.textAlign = "center";
    let last = -Infinity;
    for (const [words, value] of ticks) {
      const x = box.left + place(value) * box.width;
      if (x - last < 30 || x < box.left - 1 || x > box.left + box.width + 1) continue;
      pen.fillRect(x, box.top + box.height, 1, 3);
      const half = pen.measureText(words).width / 2;
      pen.fillText(words, Math.min(x, box.left + box.width + 8 - half), box.top + box.height + 5);
      last = x;
    }
  }

  function along({ pen, box, text }, ticks, place) {
    pen.fillStyle = text;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    for (const [words, value] of ticks) {
      const y = box.top + (1 - place(value)) * box.height;
      pen.fillRect(box.left - 4, y, 3, 1);
      pen.fillText(words, box.left - 7, Math.max(6, y));
    }
  }

  const seconds = () => [0, 2, 4, 6, 8, 10].map((value) => [`${value} s`, value]);
  const inClip = (value) => value / (about.samples / about.sample_rate);

  function drawWave() {
    const on = surface("wave");
    const { pen, box, accent } = on;
    const columns = Math.max(1, Math.floor(box.width));
    pen.fillStyle = accent;
    for (let column = 0; column < columns; column++) {
      let low = 0;
      let high = 0;
      const end = Math.floor(((column + 1) / columns) * about.samples);
      for (let n = Math.floor((column / columns) * about.samples); n < end; n++) {
        if (shown.wave[n] < low) low = shown.wave[n];
        if (shown.wave[n] > high) high = shown.wave[n];
      }
      const top = box.top + ((1 - high) / 2) * box.height;
      pen.fillRect(box.left + column, top, 1, Math.max(1, ((high - low) / 2) * box.height));
    }
    along(on, [["1", 1], ["0", 0], ["-1", -1]], (value) => (value + 1) / 2);
    across(on, seconds(), inClip);
    element("wave").setAttribute("aria-label", `Waveform of ${shown.citation}`);
  }

  let colours;
  const still = document.createElement("canvas");

  // A spectrogram of (frames, bands), later frames to the right and higher bands up.
  function drawBands(on, mel) {
    colours ??= about.mel.colours.map((hex) => {
      const [red, green, blue] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
      return (255 << 24) | (blue << 16) | (green << 8) | red;
    });
    still.width = about.frames;
    still.height = about.bands;
    const image = new ImageData(about.frames, about.bands);
    const pixels = new Int32Array(image.data.buffer);
    const [low, high] = about.mel.limits;
    const levels = colours.length;
    for (let frame = 0; frame < about.frames; frame++) {
      for (let band = 0; band < about.bands; band++) {
        const level = Math.floor(((mel[frame * about.bands + band] - low) / (high - low)) * levels);
        const place = (about.bands - 1 - band) * about.frames + frame;
        pixels[place] = colours[Math.max(0, Math.min(levels - 1, level))];
      }
    }
    still.getContext("2d").putImageData(image, 0, 0);
    const { pen, box } = on;
    pen.imageSmoothingEnabled = box.width < about.frames;
    pen.drawImage(still, box.left, box.top, box.width, box.height);
    const high_ = about.bands - 1;
    along(on, Object.entries(about.mel.ticks), (value) => Math.min(1, value / high_));
    across(on, seconds(), inClip);
  }

  function drawMel() {
    drawBands(surface("mel"), shown.mel);
    element("mel").setAttribute("aria-label", `Log-mel spectrogram of ${shown.citation}`);
  }

  function drawSpectrum() {
    const on = surface("spectrum");
    const { pen, box, accent } = on;
    const { floor, window: points } = about.spectrum;
    const [low, high] = [Math.log(about.lowest_hz), Math.log(about.nyquist)];
    const place = (hertz) => (Math.log(hertz) - low) / (high - low);
    const height = (decibels) => (decibels - floor) / (3 - floor);
    pen.strokeStyle = accent;
    pen.beginPath();
    // The first bin, 0 Hz, has no place on a logarithmic axis.
    for (let bin = 1; bin < shown.decibels.length; bin++) {
      const hertz = (bin * about.sample_rate) / points;
      if (hertz < about.lowest_hz) continue;
      const x = box.left + place(hertz) * box.width;
      pen.lineTo(x, box.top + (1 - height(shown.decibels[bin])) * box.height);
    }
    pen.stroke();
    along(on, [0, -50, -100].map((value) => [`${value}`, value]), height);
    const ticks = [20, 100, 500, 1000, 2000, 4000, 8000];
    across(on, ticks.map((value) => [value < 1000 ? `${value}` : `${value / 1000}k`, value]), place);
    element("spectrum").setAttribute("aria-label", `Spectrum of ${shown.citation}`);
  }

  // Knobs

  const rows = new Map();
  // The clip for which the factors beyond the paper were unfolded; whoever folds them again is let.
  let openedFor = "";
  let numberedFor = "";
  const round = (value) => Number(value.toPrecision(4));

  function makeKnobs() {
    const groups = new Map();
    for (const factor of about.factors) {
      if (!groups.has(factor.group)) {
        const set = document.createElement("fieldset");
        set.append(Object.assign(document.createElement("legend"), { textContent: factor.group }));
        element(factor.beyond ? "beyond" : "factors").append(set);
        groups.set(factor.group, set);
      }
      groups.get(factor.group).append(makeKnob(factor));
    }
  }

  function makeKnob(factor) {
    const row = document.createElement("div");
    row.className = "lab-factor";
    row.dataset.factor = factor.name;
    const name = factor.unit ? `${factor.label} (${factor.unit})` : factor.label;
    const id = `lab-factor-${factor.name}`;
    const title = Object.assign(document.createElement("label"), { textContent: name, htmlFor: id });
    const parts = { row, title };
    if (factor.scale === "choice") {
      parts.choice = Object.assign(document.createElement("select"), { id });
      for (const [code, text] of about.excitations.entries()) parts.choice.add(new Option(text, code));
      parts.choice.addEventListener("input", () => edit(factor, Number(parts.choice.value)));
      row.append(title, parts.choice);
    } else if (factor.scale === "switch") {
      parts.check = Object.assign(document.createElement("input"), { id, type: "checkbox" });
      parts.check.addEventListener("input", () => edit(factor, Number(parts.check.checked)));
      row.append(title, parts.check);
    } else {
      parts.slider = Object.assign(document.createElement("input"), { id, type: "range" });
      parts.slider.autocomplete = "off";
      parts.slider.setAttribute("aria-label", name);
      parts.box = Object.assign(document.createElement("input"), { type: "number", step: "any" });
      parts.box.autocomplete = "off";
      parts.box.setAttribute("aria-label", `${name}, exactly`);
      parts.slider.addEventListener("input", () => edit(factor, onScale(factor, parts)));
      parts.box.addEventListener("change", () => {
        const value = parts.box.valueAsNumber;
        if (Number.isFinite(value)) edit(factor, value);
        else showKnobs();
      });
      row.append(title, parts.slider, parts.box);
    }
    rows.set(factor.name, parts);
    return row;
  }

  function onScale(factor, { slider }) {
    const place = slider.valueAsNumber;
    if (factor.scale !== "log") return place;
    return round(factor.low * (factor.high / factor.low) ** (place / SLIDER_STEPS));
  }

  // What a factor of the clip is shown as; of a spread, by what it was turned.
  function reading(factor) {
    const key = keyOf(factor);
    if (factor.scale === "spread") return settings.edits.get(key) ?? 1;
    const { data } = shown.params[factor.name];
    return Number(data[factor.one_event ? shown.event : 0]);
  }

  function limits(factor) {
    const { events, partials } = about.presets[settings.preset];
    const at = (name) => Number(shown.params[name].data[shown.event]);
    const clip = about.samples / about.sample_rate;
    if (factor.name === "event_count") return [factor.low, events];
    if (factor.name === "partial_count") return [factor.low, partials];
    if (factor.name === "onset") return [factor.low, Math.max(0, clip - at("length"))];
    if (factor.name === "release") return [factor.low, Math.max(0, 1 - at("attack") - at("decay"))];
    return [factor.low, factor.high];
  }

  function isHeard(factor) {
    const first = (name) => Number(shown.params[name].data[0]);
    const { events, partials } = about.presets[settings.preset];
    if (!factor.excitations.includes(about.excitations[first("excitation")])) return false;
    if (partials === 1 && (factor.name.startsWith("partial_") || factor.name === "rolloff")) return false;
    if (factor.name === "event_count") return events > 1;
    if (factor.name === "quality") return first("cutoff") < about.nyquist;
    const place = factor.one_event ? shown.event : 0;
    return factor.needs.every((name) => Number(shown.params[name].data[place]) !== 0);
  }

  function edit(factor, value) {
    const since = performance.now();
    const [low, high] = limits(factor);
    const whole = factor.scale === "whole" ? Math.round(value) : value;
    settings.edits.set(keyOf(factor), Math.max(low, Math.min(high, whole)));
    leaveRecording();
    update(since);
  }

  function showKnobs() {
    const count = Number(shown.params.event_count.data[0]);
    // Events are numbered by time; their places in the table are not.
    const onset = (slot) => Number(shown.params.onset.data[slot]);
    const inTime = Array.from({ length: count }, (_, slot) => slot).sort((a, b) => onset(a) - onset(b));
    if (numberedFor !== shown.drawnAs || shown.event >= count) shown.event = inTime[0];
    numberedFor = shown.drawnAs;
    const chosen = element("event");
    if ([...chosen.options].map((option) => option.value).join() !== inTime.join()) {
      chosen.replaceChildren(...inTime.map((slot, place) => new Option(place + 1, slot)));
    }
    chosen.value = shown.event;
    if (openedFor !== shown.drawnAs && hasAdditions(shown.params)) {
      openedFor = shown.drawnAs;
      element("additions").open = true;
    }
    for (const factor of about.factors) rows.get(factor.name).row.hidden = !isHeard(factor);
    for (const group of document.querySelectorAll("#lab-knobs fieldset")) {
      group.hidden = !group.querySelector(".lab-factor:not([hidden])");
    }
    for (const factor of about.factors) {
      const { row, choice, check, slider, box } = rows.get(factor.name);
      row.classList.toggle("lab-turned", settings.edits.has(keyOf(factor)));
      const value = reading(factor);
      if (choice) choice.value = value;
      else if (check) check.checked = value !== 0;
      else {
        const [low, high] = limits(factor);
        const text = `${round(value)} ${factor.unit}`.trim();
        const log = factor.scale === "log";
        slider.min = log ? 0 : low;
        slider.max = log ? SLIDER_STEPS : high;
        const step = factor.scale === "whole" ? 1 : (factor.high - factor.low) / SLIDER_STEPS;
        slider.step = log ? 1 : step;
        if (document.activeElement !== slider || onScale(factor, { slider }) !== value) {
          const place = Math.log(value / factor.low) / Math.log(factor.high / factor.low);
          slider.value = log ? place * SLIDER_STEPS : value;
        }
        slider.setAttribute("aria-valuetext", text);
        box.min = low;
        box.max = high;
        if (document.activeElement !== box || Number(box.value) !== value) box.value = round(value);
      }
    }
  }

  function showSettings() {
    element("citation").textContent = shown.citation;
    const own = Boolean(shown.recording);
    element("back").hidden = !own;
    element("save-scene").disabled = own;
    element("copy").disabled = own;
    if (own) {
      element("link").value = "";
      return;
    }
    element("preset").value = settings.preset;
    element("seed").value = settings.seed;
    element("clip").value = settings.clip;
    showKnobs();
    const link = new URL(window.location.href);
    link.hash = fragment();
    element("link").value = link.href;
    history.replaceState(null, "", link);
  }

  // The link

  function fragment() {
    const entries = new URLSearchParams();
    for (const name of ["preset", "seed", "clip"]) entries.set(name, settings[name]);
    for (const [key, value] of settings.edits) {
      entries.set(key, key === "excitation" ? about.excitations[value] : value);
    }
    return entries.toString();
  }

  function isWhole(text) {
    if (!/^[+-]?\d{1,19}$/.test(text.trim())) return false;
    const value = BigInt(text.trim().replace("+", ""));
    return value === BigInt.asIntN(64, value);
  }

  // Take the settings of a link; say what it holds that cannot be set.
  // What the address points to in the page, where it holds no settings.
  const heading = () => document.getElementById(window.location.hash.slice(1));

  function follow(text) {
    const next = { preset: "full", seed: 0n, clip: 0n, edits: new Map() };
    const refused = [];
    for (const [key, value] of new URLSearchParams(text)) {
      const [name, event] = key.split(".");
      const factor = factorNamed(name);
      if (key === "preset") {
        if (value in about.presets) next.preset = value;
        else refused.push(`${key}=${value}`);
      } else if (key === "seed" || key === "clip") {
        if (isWhole(value)) next[key] = BigInt(value.trim());
        else refused.push(`${key}=${value}`);
      } else if (factor) {
        const code = name === "excitation" ? about.excitations.indexOf(value) : Number(value);
        const slot = factor.one_event ? Number(event) : 1;
        const fits = slot >= 1 && slot <= about.events && Number.isInteger(slot);
        const ranged = Number.isFinite(code) && code >= factor.low && code <= factor.high;
        if (fits && ranged && value.trim() && Boolean(event) === factor.one_event) {
          next.edits.set(key, code);
        } else refused.push(`${key}=${value}`);
      } else refused.push(`${key}=${value}`);
    }
    const most = about.presets[next.preset];
    for (const [name, limit] of [["event_count", most.events], ["partial_count", most.partials]]) {
      if (next.edits.get(name) > limit) {
        refused.push(`${name}=${next.edits.get(name)}`);
        next.edits.delete(name);
      }
    }
    Object.assign(settings, next);
    say(refused.length ? `The link holds what cannot be set, and is left out: ${refused.join(", ")}.` : "");
  }

  function choose() {
    const since = performance.now();
    for (const name of ["seed", "clip"]) {
      const text = element(name).value;
      if (!isWhole(text)) {
        say(`${name} is "${text}"; give a whole number of at most 64 bits.`);
        element(name).value = settings[name];
        return;
      }
    }
    say(MAKING);
    settings.preset = element("preset").value;
    settings.seed = BigInt(element("seed").value.trim());
    settings.clip = BigInt(element("clip").value.trim());
    settings.edits = new Map();
    leaveRecording();
    update(since);
  }

  // Files that are saved

  function save(name, parts, type) {
    const address = URL.createObjectURL(new Blob(parts, { type }));
    Object.assign(document.createElement("a"), { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
  }

  function fileName() {
    if (shown.recording) return "recording";
    const { preset, seed, clip, edits } = settings;
    return `${preset}-${seed}-${String(clip).padStart(5, "0")}${edits.size ? "-edited" : ""}`;
  }

  function saveSound() {
    const bytes = 2 * shown.wave.length;
    const view = new DataView(new ArrayBuffer(44 + bytes));
    const write = (at, text) => [...text].forEach((letter, n) => view.setUint8(at + n, letter.charCodeAt(0)));
    write(0, "RIFF");
    view.setUint32(4, 36 + bytes, true);
    write(8, "WAVEfmt ");
    view.setUint32(16, 16, true);
    view.setUint16(20, 1, true);
    view.setUint16(22, 1, true);
    view.setUint32(24, about.sample_rate, true);
    view.setUint32(28, 2 * about.sample_rate, true);
    view.setUint16(32, 2, true);
    view.setUint16(34, 16, true);
    write(36, "data");
    view.setUint32(40, bytes, true);
    shown.wave.forEach((sample, n) => {
      const held = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
      view.setInt16(44 + 2 * n, held, true);
    });
    save(`${fileName()}.wav`, [view], "audio/wav");
  }

  function scene() {
    const { events, partials } = about.presets[settings.preset];
    const typeOf = Object.fromEntries(about.columns.map(({ name, type }) => [name, type]));
    const held = (name, place) => {
      const value = shown.params[name].data[place];
      if (name === "excitation") return about.excitations[Number(value)];
      if (typeOf[name] === "bool") return Boolean(value);
      // Whole numbers of 64 bits are written by their digits, below.
      return typeof value === "bigint" ? `whole:${value}` : value;
    };
    const clip = Object.fromEntries(about.scene.clip.map((name) => [name, held(name, 0)]));
    clip.events = Array.from({ length: events }, (_, slot) => ({
      ...Object.fromEntries(about.scene.event.map((name) => [name, held(name, slot)])),
      partials: Array.from({ length: partials }, (_, order) => Object.fromEntries(
        about.scene.partial.map((name) => [name, held(`partial_${name}`, slot * about.partials + order)]),
      )),
    }));
    const text = JSON.stringify({ clips: [clip] }, null, 1);
    return `${text.replace(/"whole:(-?\d+)"/g, "$1")}\n`;
  }

  // The network

  let network = null;
  const patches = { hidden: null, draws: 0n, cursor: 0, painting: null, at: null };
  const thought = {
    jobs: new Set(), busy: false, encoded: null, reconstruction: null, played: null, trail: [], read: null,
  };

  async function useGpu() {
    try {
      return Boolean(await navigator.gpu?.requestAdapter());
    } catch {
      return false;
    }
  }

  let starting = null;
  const startNetwork = () => (starting ??= start());

  async function start() {
    const status = element("network-status");
    // A button that goes takes the place of the keyboard with it.
    const focused = document.activeElement === element("start");
    element("start").disabled = true;
    const clip = await hideAtRandom();
    for (const gpu of (await useGpu()) ? [true, false] : [false]) {
      status.textContent = `Loading the network${gpu ? " for the graphics processor" : ""}.`;
      let engine;
      try {
        engine = await startEngine(gpu);
        await Promise.all(["encode", "decode", "read"].map(engine.ready));
        // A graphics processor may fail at the first run.
        await fillIn(engine, shown.mel, clip);
        network = engine;
        break;
      } catch (error) {
        engine?.end();
        status.textContent = `The network cannot run here: ${error.message}.`;
      }
    }
    if (!network) {
      element("start").disabled = false;
      if (focused) element("start").focus();
      starting = null;
      return;
    }
    status.textContent = network.gpu
      ? "The network runs on the graphics processor."
      : "The network runs on the processor.";
    element("start").hidden = true;
    for (const name of ["fill", "read", "near"]) element(name).hidden = false;
    if (focused && document.activeElement === document.body) element("hide").focus();
    document.querySelector("#lab-know .lab-wait").hidden = true;
    think("mel");
  }

  const visible = () => {
    const places = [];
    for (let token = 0; token < about.tokens; token++) if (!patches.hidden[token]) places.push(token);
    return tokensOf(places);
  };
  const tokensOf = (places) => ({
    type: "int64", data: BigInt64Array.from(places, BigInt), dims: [1, places.length],
  });
  const everything = () => tokensOf(Array.from({ length: about.tokens }, (_, token) => token));

  async function fillIn(engine, data, visible) {
    const mel = floats(data, 1, about.frames, about.bands);
    const { encoded } = await engine.run("encode", { mel, visible });
    return (await engine.run("decode", { mel, encoded, visible })).reconstruction.data;
  }

  async function hideAtRandom() {
    const { visible: left } = await sounds.run("hide", { clip: number(patches.draws) });
    patches.draws += 1n;
    patches.hidden = new Uint8Array(about.tokens).fill(1);
    for (const token of left.data) patches.hidden[Number(token)] = 0;
    return left;
  }

  // What the network is to do anew: "mel" for another sound, "mask" or "neuron" for less.
  async function think(...jobs) {
    for (const job of jobs) thought.jobs.add(job);
    if (!network || thought.busy || !shown.mel) return;
    thought.busy = true;
    try {
      while (thought.jobs.size) {
        const todo = new Set(thought.jobs);
        thought.jobs.clear();
        if (todo.has("mel") || todo.has("mask")) await showReconstruction();
        if (todo.has("mel")) {
          const truth = shown.truth && [...shown.truth];
          const mel = floats(shown.mel, 1, about.frames, about.bands);
          const { encoded } = await network.run("encode", { mel, visible: everything() });
          thought.encoded = { encoded, truth };
        }
        if (todo.has("mel") || todo.has("neuron")) await showReading();
      }
    } catch (error) {
      element("network-status").textContent = `The network stopped: ${error.message}.`;
      throw error;
    } finally {
      thought.busy = false;
    }
  }

  // Say how many patches are hidden, after where the keyboard is; gives the number.
  function tellMask(where = "") {
    const hidden = patches.hidden.reduce((sum, value) => sum + value, 0);
    const share = Math.round((100 * hidden) / about.tokens);
    const few = about.tokens - hidden < 2 ? " Leave the network at least two to go by." : "";
    element("hidden").textContent =
      `${where}${hidden} of ${about.tokens} patches are hidden, ${share} %.${few}`;
    return hidden;
  }

  async function showReconstruction() {
    drawMask();
    const hidden = tellMask();
    if (about.tokens - hidden < 2) return;
    const since = performance.now();
    const mel = shown.mel;
    thought.reconstruction = hidden ? await fillIn(network, mel, visible()) : mel;
    performance.measure("reconstruction", { start: since });
    thought.played = null;
    if (playing?.key === "reconstruction") stop();
    drawReconstruction();
  }

  function drawReconstruction() {
    drawBands(surface("reconstruction"), thought.reconstruction);
    element("reconstruction").setAttribute("aria-label", `Reconstruction of ${shown.citation}`);
  }

  const tall = () => about.bands / about.patch;
  const wide = () => about.frames / about.patch;

  function drawMask() {
    const on = surface("mask");
    drawBands(on, shown.mel);
    const { pen, box, text, ground, accent } = on;
    const [width, height] = [box.width / wide(), box.height / tall()];
    const corner = (token) => [
      box.left + Math.floor(token / tall()) * width,
      box.top + (tall() - 1 - (token % tall())) * height,
    ];
    for (let token = 0; token < about.tokens; token++) {
      if (!patches.hidden[token]) continue;
      pen.fillStyle = text;
      pen.fillRect(...corner(token), width + 0.5, height + 0.5);
    }
    if (document.activeElement === element("mask")) {
      pen.lineWidth = 3;
      pen.strokeStyle = ground;
      pen.strokeRect(...corner(patches.cursor), width, height);
      pen.lineWidth = 1.5;
      pen.strokeStyle = accent;
      pen.strokeRect(...corner(patches.cursor), width, height);
    }
  }

  function under({ clientX, clientY }) {
    const canvas = element("mask");
    const bounds = canvas.getBoundingClientRect();
    const { clientWidth, clientHeight } = canvas;
    const x = (clientX - bounds.left - LEFT) / (clientWidth - LEFT - 8);
    const y = (clientY - bounds.top - 6) / (clientHeight - BOTTOM - 6);
    if (x < 0 || x >= 1 || y < 0 || y >= 1) return null;
    return Math.floor(x * wide()) * tall() + (tall() - 1 - Math.floor(y * tall()));
  }

  // A quick pointer is seen at a few places only: every patch on the straight line between two is painted.
  function paint({ clientX, clientY }) {
    if (patches.painting === null) return;
    const from = patches.at ?? { clientX, clientY };
    patches.at = { clientX, clientY };
    const [right, down] = [clientX - from.clientX, clientY - from.clientY];
    const steps = Math.max(1, Math.ceil(Math.hypot(right, down) / 2));
    let changed = false;
    for (let step = 1; step <= steps; step++) {
      const part = step / steps;
      const token = under({ clientX: from.clientX + part * right, clientY: from.clientY + part * down });
      if (token === null || patches.hidden[token] === patches.painting) continue;
      patches.hidden[token] = patches.painting;
      patches.cursor = token;
      changed = true;
    }
    if (!changed) return;
    drawMask();
    think("mask");
  }

  function keys(event) {
    const step = { ArrowRight: tall(), ArrowLeft: -tall(), ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (event.key === " ") {
      patches.hidden[patches.cursor] ^= 1;
      think("mask");
    } else if (step) {
      const band = patches.cursor % tall();
      const next = patches.cursor + step;
      const leaves = Math.abs(step) === 1 && (band + step < 0 || band + step >= tall());
      if (!leaves && next >= 0 && next < about.tokens) patches.cursor = next;
    } else return;
    event.preventDefault();
    const time = ((Math.floor(patches.cursor / tall()) * about.patch * about.hop) / about.sample_rate).toFixed(2);
    const state = patches.hidden[patches.cursor] ? "hidden" : "shown";
    tellMask(`${time} s, band ${(patches.cursor % tall()) + 1} of ${tall()}: ${state}. `);
    drawMask();
  }

  // The sound of the reconstruction: phases are found step by step.
  async function listen() {
    if (playing?.key === "reconstruction") {
      stop();
      return;
    }
    const told = element("listen");
    const button = element("play-reconstruction");
    const made = thought.reconstruction;
    if (!thought.played) {
      button.disabled = true;
      try {
        const mel = floats(made, 1, about.frames, about.bands);
        let { magnitude, spectrum } = await network.run("listen", { mel });
        let before = floats(new Float32Array(spectrum.data.length), ...spectrum.dims);
        let wave;
        for (let step = 1; step <= about.phase_updates; step++) {
          told.textContent = `Finding phases: step ${step} of ${about.phase_updates}.`;
          const found = await network.run("agree", { magnitude, spectrum, before });
          [spectrum, before, wave] = [found.next_spectrum, found.agreed, found.wave.data];
          if (thought.reconstruction !== made) {
            told.textContent = "The reconstruction has changed; play it again.";
            return;
          }
        }
        const loudest = wave.reduce((most, sample) => Math.max(most, Math.abs(sample)), 1);
        thought.played = wave.map((sample) => sample / loudest);
        told.textContent = "";
      } catch (error) {
        told.textContent = `It cannot be played: ${error.message}.`;
        return;
      } finally {
        button.disabled = false;
      }
    }
    play("reconstruction", thought.played);
  }

  // What is read

  const inUnits = (readOut, value) => (readOut.power_of_two ? 2 ** value : value);

  function told(readOut, value) {
    if (value === undefined || Number.isNaN(value)) return "unknown";
    if (!Number.isFinite(value)) return "no noise floor";
    return `${Number(inUnits(readOut, value).toPrecision(3))} ${readOut.unit}`;
  }

  async function showReading() {
    const { encoded, truth } = thought.encoded;
    const neuron = Number(element("neuron").value);
    const found = await network.run("read", { encoded, neuron: number(neuron) });
    const activation = found.neurons.data[neuron];
    thought.read = { neuron, activation, cloud: found.cloud.data, truth };
    const body = element("read-outs");
    body.replaceChildren(...about.read_outs.map((readOut, row) => {
      const line = document.createElement("tr");
      const cells = [readOut.label, truth ? told(readOut, truth[row]) : "unknown"];
      cells.push(told(readOut, found.read.data[row]), readOut.r2.toFixed(2));
      for (const [place, text] of cells.entries()) {
        const cell = document.createElement(place ? "td" : "th");
        if (!place) cell.scope = "row";
        cell.textContent = text;
        line.append(cell);
      }
      return line;
    }));
    const readings = about.read_outs.map(({ label: name }, row) => {
      const is = truth ? ` (is ${told(about.read_outs[row], truth[row])})` : "";
      return `${name} ${told(about.read_outs[row], found.read.data[row])}${is}`;
    });
    element("follow").hidden = false;
    element("follow").textContent =
      `The network reads: ${readings.join(", ")}. Neuron ${neuron}: ${activation.toFixed(2)}.`;
    thought.trail.push({ neuron, activation, truth });
    if (thought.trail.length > TRAIL) thought.trail.shift();
    drawCloud();
    showNearest(found.nearest.data, found.distances.data);
    performance.mark("read");
  }

  function drawCloud() {
    const on = surface("cloud", LEFT, 38);
    const { pen, box, text, accent } = on;
    const { neuron, activation, cloud, truth } = thought.read;
    const row = Number(element("against").value);
    const readOut = about.read_outs[row];
    const [low, high] = [Math.min(...readOut.truths), Math.max(...readOut.truths)];
    const right = (value) => box.left + Math.max(0, Math.min(1, (value - low) / (high - low))) * box.width;
    const share = (value) => Math.max(0, Math.min(1, (value + 4) / 8));
    const up = (value) => box.top + (1 - share(value)) * box.height;
    const dot = (x, y, radius) => {
      pen.beginPath();
      pen.arc(x, y, radius, 0, 2 * Math.PI);
      pen.fill();
    };
    pen.fillStyle = text;
    pen.globalAlpha = 0.35;
    readOut.truths.forEach((value, clip) => dot(right(value), up(cloud[clip]), 1.5));
    pen.fillStyle = accent;
    for (const step of thought.trail) {
      if (step.neuron === neuron && Number.isFinite(step.truth?.[row])) {
        dot(right(step.truth[row]), up(step.activation), 3);
      }
    }
    pen.globalAlpha = 1;
    const known = Number.isFinite(truth?.[row]);
    if (known) dot(right(truth[row]), up(activation), 7);
    else pen.fillRect(box.left, up(activation) - 1, box.width, 2);
    along(on, [-4, -2, 0, 2, 4].map((value) => [`${value}`, value]), share);
    const ticks = readOut.power_of_two
      ? [50, 100, 200, 500, 1000, 2000].map((value) => [`${value}`, Math.log2(value)])
      : Array.from({ length: 5 }, (_, n) => low + ((high - low) * n) / 4).map((value) => [value.toFixed(1), value]);
    across(on, ticks, (value) => (value - low) / (high - low));
    pen.textAlign = "center";
    pen.fillText(`${readOut.label} (${readOut.unit})`, box.left + box.width / 2, box.top + box.height + 22);
    const where = known ? `${readOut.label} ${told(readOut, truth[row])}` : `${readOut.label} unknown`;
    element("cloud").setAttribute("aria-label",
      `Neuron ${neuron} against ${readOut.label}: the sound has ${activation.toFixed(2)} standard deviations at ${where}`);
  }

  function showNearest(places, distances) {
    stopNearest();
    const { preset, seed } = about.index;
    element("nearest").replaceChildren(...Array.from(places, (place, rank) => {
      const item = document.createElement("li");
      const name = `preset ${preset}, seed ${seed}, clip ${place}`;
      const link = Object.assign(document.createElement("a"), {
        href: `#preset=${preset}&seed=${seed}&clip=${place}`, textContent: name,
      });
      const button = Object.assign(document.createElement("button"), {
        type: "button", className: "lab-button", textContent: "Play",
      });
      button.dataset.clip = place;
      button.setAttribute("aria-label", `Play or stop ${name}`);
      button.addEventListener("click", async () => {
        const params = await draw({ preset, seed, clip: place });
        toggle("nearest", (await render(params)).wave.data, button);
      });
      item.append(link, `, ${distances[rank].toFixed(2)} standard deviations a neuron away`, button);
      return item;
    }));
  }

  function stopNearest() {
    if (playing?.key === "nearest") stop();
  }

  // A file of one's own: decoded and resampled by the browser.

  function duration(file) {
    return new Promise((resolve) => {
      const address = URL.createObjectURL(file);
      const audio = new Audio();
      const end = (value) => {
        URL.revokeObjectURL(address);
        resolve(value);
      };
      audio.preload = "metadata";
      audio.onloadedmetadata = () => end(audio.duration);
      audio.onerror = () => end(NaN);
      audio.src = address;
    });
  }

  const length = (value) => {
    if (value >= 5400) return `${(value / 3600).toFixed(1)} hours`;
    if (value >= 90) return `${Math.round(value / 60)} minutes`;
    return value >= 1 ? `${value.toFixed(1)} s` : `${Math.round(1000 * value)} ms`;
  };

  async function decode(file) {
    const announced = await duration(file);
    const tooLong = (lasts) => new Error(
      `${file.name} lasts ${length(lasts)}; the laboratory takes at most ${MOST_SECONDS / 60} minutes. `
      + "Cut out the part that you want to hear.",
    );
    if (Number.isFinite(announced) && announced > MOST_SECONDS) throw tooLong(announced);
    const bytes = await file.arrayBuffer();
    let buffer;
    try {
      buffer = await new OfflineAudioContext(1, 1, about.sample_rate).decodeAudioData(bytes);
    } catch {
      throw new Error(
        `${file.name} is damaged, or in a format that this browser cannot decode. `
        + "Try WAV, FLAC, MP3 or Ogg.",
      );
    }
    if (buffer.duration > MOST_SECONDS) throw tooLong(buffer.duration);
    if (Number.isFinite(announced) && buffer.duration < 0.9 * announced - 0.1) {
      throw new Error(
        `${file.name} is cut short: ${length(buffer.duration)} of its ${length(announced)} are there. `
        + "Copy or download it again.",
      );
    }
    if (buffer.length < about.window) {
      throw new Error(
        `${file.name} lasts ${length(buffer.duration)}; the network's shortest frame is `
        + `${length(about.window / about.sample_rate)}. Choose a longer sound.`,
      );
    }
    const channels = Array.from({ length: buffer.numberOfChannels }, (_, n) => buffer.getChannelData(n));
    if (!channels.some((samples) => samples.some((sample) => Math.abs(sample) > SILENCE))) {
      throw new Error(`${file.name} is silent; there is nothing to hear in it. Choose another file.`);
    }
    const data = new Float32Array(channels.length * buffer.length);
    channels.forEach((samples, n) => data.set(samples, n * buffer.length));
    const name = buffer.length >= about.samples ? "recording-long" : "recording-short";
    const { wave } = await sounds.run(name, { channels: floats(data, channels.length, buffer.length) });
    return { name: file.name, lasts: buffer.duration, wave: wave.data };
  }

  // The sound of the page is the synthesizer's again.
  function leaveRecording() {
    shown.recording = null;
    element("file").value = "";
    element("file-status").hidden = true;
  }

  async function open(file) {
    const status = element("file-status");
    status.hidden = false;
    status.textContent = `Reading ${file.name}.`;
    const since = performance.now();
    try {
      shown.recording = await decode(file);
    } catch (error) {
      status.textContent = error.message;
      say(error.message);
      return;
    }
    say("");
    status.textContent = `${file.name}, ${length(shown.recording.lasts)}, is now the sound of this page.`;
    await update(since);
    startNetwork();
  }

  // The page

  function connect() {
    const on = (name, event, act) => element(name).addEventListener(event, act);
    on("preset", "change", choose);
    on("seed", "change", choose);
    on("clip", "change", choose);
    on("surprise", "click", () => {
      const [first, second] = crypto.getRandomValues(new Uint32Array(2));
      element("seed").value = first >>> 1;
      element("clip").value = second >>> 1;
      choose();
    });
    on("play", "click", () => toggle("sound", shown.wave));
    on("play-original", "click", () => toggle("sound", shown.wave));
    on("back", "click", () => {
      leaveRecording();
      update();
    });
    on("event", "change", () => {
      shown.event = Number(element("event").value);
      showKnobs();
    });
    on("reset", "click", () => {
      settings.edits.clear();
      leaveRecording();
      update();
    });
    on("save-sound", "click", saveSound);
    on("save-scene", "click", () => save(`${fileName()}.json`, [scene()], "application/json"));
    on("copy", "click", async () => {
      element("link").select();
      try {
        await navigator.clipboard.writeText(element("link").value);
        say("The link is copied.");
      } catch {
        say("The link is selected; copy it with your keyboard.");
      }
    });
    on("start", "click", startNetwork);
    on("hide", "click", async () => {
      await hideAtRandom();
      think("mask");
    });
    on("show", "click", () => {
      patches.hidden.fill(0);
      think("mask");
    });
    on("mask", "pointerdown", (event) => {
      const token = under(event);
      if (token === null) return;
      patches.painting = patches.hidden[token] ^ 1;
      element("mask").setPointerCapture(event.pointerId);
      paint(event);
    });
    on("mask", "pointermove", paint);
    for (const end of ["pointerup", "pointercancel"]) on("mask", end, () => { patches.painting = patches.at = null; });
    on("mask", "keydown", keys);
    on("mask", "focus", () => drawMask());
    on("mask", "blur", () => drawMask());
    on("play-reconstruction", "click", listen);
    on("neuron", "change", () => think("neuron"));
    on("against", "change", drawCloud);
    on("file", "change", () => {
      if (element("file").files.length) open(element("file").files[0]);
    });
    window.addEventListener("dragover", (event) => {
      event.preventDefault();
      document.body.classList.add("lab-dropping");
    });
    window.addEventListener("dragleave", () => document.body.classList.remove("lab-dropping"));
    window.addEventListener("drop", (event) => {
      event.preventDefault();
      document.body.classList.remove("lab-dropping");
      if (event.dataTransfer.files.length) open(event.dataTransfer.files[0]);
    });
    window.addEventListener("hashchange", () => {
      if (heading()) return;
      follow(window.location.hash.slice(1));
      leaveRecording();
      update();
      element("sound").scrollIntoView();
    });
    const redraw = () => {
      if (shown.wave) drawWave();
      if (shown.mel) drawMel();
      if (shown.decibels) drawSpectrum();
      if (!network) return;
      drawMask();
      if (thought.reconstruction) drawReconstruction();
      if (thought.read) drawCloud();
    };
    let width = 0;
    new ResizeObserver(() => {
      const now = element("sound").clientWidth;
      if (now !== width) redraw();
      width = now;
    }).observe(element("sound"));
    new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  function fillChoices() {
    for (const name of Object.keys(about.presets)) element("preset").add(new Option(name, name));
    about.read_outs.forEach(({ label: text, neurons }, row) => {
      element("against").add(new Option(text, row));
      const group = Object.assign(document.createElement("optgroup"), { label: `most like ${text}` });
      group.append(...neurons.map((neuron) => new Option(`neuron ${neuron}`, neuron)));
      element("neuron").append(group);
    });
    const all = Object.assign(document.createElement("optgroup"), { label: "all" });
    all.append(...Array.from({ length: about.neurons }, (_, n) => new Option(`neuron ${n}`, n)));
    element("neuron").append(all);
    const clips = about.index.clips.toLocaleString("en");
    for (const span of document.querySelectorAll(".lab-clips")) span.textContent = clips;
  }

  function sizes() {
    const megabytes = (names) => names.reduce((sum, name) => sum + about.sizes[name], 0) / 1e6;
    const groups = { engine: [], "engine for graphics processors": [], network: [], "synthesizer and spectrogram": [] };
    for (const name of Object.keys(about.sizes)) {
      if (name.startsWith("engine-gpu")) groups["engine for graphics processors"].push(name);
      else if (name.startsWith("engine")) groups.engine.push(name);
      else if (["encode", "decode", "read", "listen", "agree", "hide"].includes(name)) groups.network.push(name);
      else groups["synthesizer and spectrogram"].push(name);
    }
    const told = Object.entries(groups).map(([text, names]) => `${text} ${megabytes(names).toFixed(1)}\u00a0MB`);
    const total = megabytes(Object.keys(about.sizes)).toFixed(0);
    element("sizes").textContent = `What is loaded, at most ${total} MB in all: ${told.join(", ")}.`;
    element("network-status").textContent = `${megabytes(groups.network).toFixed(0)} MB are loaded once.`;
  }

  async function begin() {
    about = await load("manifest");
    if (about.missing) {
      say(`The laboratory is not part of this copy of the book: ${about.missing}.`);
      element("status").classList.add("lab-absent");
      return;
    }
    fillChoices();
    sizes();
    makeKnobs();
    connect();
    sounds = await startEngine(false);
    follow(heading() ? "" : window.location.hash.slice(1));
    const refused = element("status").textContent;
    for (const name of ["sound", "stage", "power", "knobs", "keep", "network", "know", "own"]) element(name).hidden = false;
    await update(null);
    settled = performance.now();
    say(refused || "The laboratory is ready.");
    heading()?.scrollIntoView();
  }

  const ready = begin().catch((error) => say(`The laboratory cannot start: ${error.message}.`));

  return {
    begin: (content) => arrive("manifest", content),
    take: arrive,
    ready,
    // For a look from the console: any clip, and what the network makes of a spectrogram.
    async clip(preset, seed, clip) {
      await ready;
      const columns = await draw({ preset, seed, clip });
      const { wave, factors } = await render(columns);
      return { columns, wave: wave.data, mel: await hear(wave), factors: factors.data };
    },
    async reconstruct(mel, places) {
      await startNetwork();
      return fillIn(network, mel, tokensOf(places));
    },
    patches,
    shown,
    settings,
    thought,
  };
})();
