// The panel works without this. With it times are told in the reader's zone, the preview follows what is typed, and the state
// and the fleet are looked at every two seconds.
"use strict";
(() => {
  const often = 2000; // milliseconds between two looks
  const typed = 400; // and after the last key before a preview

  // Times, in the reader's zone and language. What the page said stays as the title.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const words = new Intl.DateTimeFormat(undefined, {
    weekday: "short", year: "numeric", month: "short", day: "numeric", hour: "numeric", minute: "2-digit", timeZoneName: "short",
  });
  for (const time of document.querySelectorAll("time[datetime]")) {
    time.title = time.textContent;
    time.lang = words.resolvedOptions().locale;
    time.dir = "auto";
    time.textContent = words.format(new Date(time.dateTime));
  }
  const field = document.querySelector("[data-zone]");
  if (field && zone) {
    field.value = zone;
    document.querySelector("[data-zone-name]").textContent = zone;
  }

  const form = document.querySelector("[data-opening]");
  if (form) {
    // Each preview gets a frame of its own: one that is loaded again would leave an entry in the browser's history each time.
    const show = form.querySelector("[data-preview]");
    let frame = form.querySelector("[data-frame]");
    let shown = 0;
    let pending;
    form.addEventListener("submit", (event) => {
      clearTimeout(pending);
      if (event.submitter !== show) return;
      const old = frame;
      frame = old.cloneNode();
      frame.name = show.formTarget = "preview" + ++shown;
      old.after(frame);
      old.remove();
    });
    const preview = () => form.requestSubmit(show);
    form.addEventListener("input", () => {
      clearTimeout(pending);
      pending = setTimeout(preview, typed);
    });
    preview();

    // There is always an empty row for one more language.
    form.addEventListener("input", () => {
      const rows = form.querySelectorAll("[data-translation]");
      const last = rows[rows.length - 1];
      const fields = (row) => row.querySelectorAll("input, textarea");
      if (![...fields(last)].some((f) => f.value)) return;
      const row = last.cloneNode(true);
      for (const f of fields(row)) {
        const id = f.name + rows.length;
        row.querySelector(`label[for="${f.id}"]`).htmlFor = id;
        f.id = id;
        f.value = "";
      }
      last.after(row);
    });
  }

  const news = document.querySelector("[data-news]");
  const standing = document.querySelector("[data-standing]").dataset.standing;
  const base = document.querySelector("[data-base]").dataset.base;
  const link = (text) => {
    const a = document.createElement("a");
    a.href = base;
    a.textContent = text;
    return a;
  };
  let told = "";
  const tell = (text) => {
    if (text === told) return;
    told = text;
    news.replaceChildren(...(text ? [text + " ", link("Load the panel again")] : []));
  };

  const drained = document.querySelector("[data-drained]");
  const body = document.querySelector("[data-instances]");
  const summary = (f) => {
    const all = f.instances.length;
    if (f.drained === null) return all + " known";
    const phases = new Map();
    for (const i of f.instances) if (i.phase !== "drained" && i.phase !== "left") phases.set(i.phase, (phases.get(i.phase) || 0) + 1);
    const rest = [...phases].map(([phase, n]) => n + " " + phase).join(", ");
    return f.drained + " of " + all + " drained" + (rest && ": " + rest);
  };
  const put = (element, text) => {
    text = String(text);
    if (element.textContent !== text) element.textContent = text;
  };
  const rows = new Map(); // by instance: what is marked or read in the table stays where it is
  const row = (i) => {
    let r = rows.get(i.id);
    if (!r) {
      r = document.createElement("tr");
      for (let n = 0; n < 7; n++) r.append(document.createElement(n ? "td" : "th"));
      r.firstChild.scope = "row";
      for (const c of [r.cells[0], r.cells[1]]) c.append(document.createElement("bdi"));
      rows.set(i.id, r);
    }
    put(r.cells[0].firstChild, i.id);
    put(r.cells[1].firstChild, i.host);
    put(r.cells[2], i.last_error ? i.follower + ": " + i.last_error : i.follower);
    [i.revision, i.in_flight, i.held, i.words || i.phase].forEach((text, n) => put(r.cells[3 + n], text));
    r.cells[6].className = i.phase && "phase-" + i.phase;
    return r;
  };
  const fleet = (f) => {
    if (!f) return;
    put(drained, summary(f));
    const want = f.instances.length ? f.instances.map(row) : [empty()];
    if (want.length !== body.rows.length || want.some((r, n) => r !== body.rows[n])) body.replaceChildren(...want);
    for (const id of rows.keys()) if (!f.instances.some((i) => i.id === id)) rows.delete(id);
  };
  const empty = () => {
    const r = document.createElement("tr");
    const c = r.appendChild(document.createElement("td"));
    c.colSpan = 7;
    c.textContent = "No instance has announced itself.";
    return r;
  };

  const get = async (what) => {
    const answer = await fetch(base + "api/" + what, { headers: { Accept: "application/json" }, cache: "no-store" });
    if (answer.status === 401 || answer.status === 403) throw new Error("You are not signed in any more.");
    return answer.ok ? answer.json() : null;
  };
  let answered = new Date();
  const look = async () => {
    if (document.hidden) return;
    try {
      const [status, instances] = await Promise.all([get("status"), body && get("fleet")]);
      fleet(instances);
      if (!status) throw new Error("The state cannot be read.");
      answered = new Date();
      const now = [status.epoch, status.revision, ...status.running.map((w) => w.id)].join(" ");
      tell(now === standing ? "" : "The state has changed since this page was loaded.");
    } catch (error) {
      const why = error instanceof TypeError ? "The server does not answer." : error.message;
      tell(why + " This page shows what was known at " + words.format(answered) + ".");
    }
  };
  const again = async () => {
    await look();
    setTimeout(again, often);
  };
  again();
  document.addEventListener("visibilitychange", look);
})();
